/*
 * top_view.h - what `tapedeck top` shows, as lines of text: tapes, rings, players.
 *
 * The view is what was gathered and what the person at the keys chose; the screen is what it looks
 * like in so many columns and rows. Pure, so that a test can read a screen; a terminal is only in
 * top.c. Foreign text comes out as printable ASCII. One thread.
 */
#ifndef TDK_CLI_TOP_VIEW_H
#define TDK_CLI_TOP_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "tapedeck/tick.h"

enum { TOP_TAPES_MAX = 8, TOP_RINGS_MAX = 1024, TOP_PLAYERS_MAX = 256 };
enum { TOP_WIDTH_MIN = 40, TOP_WIDTH_MAX = 240, TOP_HEIGHT_MAX = 120 };

struct top_tape {
    char path[256], state[24];
    uint64_t silent_ns; /* since its loop came by */
    uint64_t size, segment, disk_free;
    uint64_t full_ns; /* until its disk is full; 0: nobody knows, or never */
    uint64_t write_ns, sync_ns;
    uint64_t canary_ns,
        canary_age_ns; /* a canary's tick each so often (0: none), the newest found */
    bool canary_seen;  /* a replayer looks for it */
};

struct top_ring {
    char name[TDK_NAME_MAX + 1], track[TDK_NAME_MAX + 1], state[24];
    bool rated; /* it was seen before, so there are rates */
    uint64_t ticks_s, bytes_s;
    uint64_t fill, high_water, capacity;
    uint64_t wait_ns, lost;
};

struct top_player {
    uint64_t number, at, from, to, ticks, lateness_p99;
    char state[16], into[TDK_NAME_MAX + 1], speed[32];
};

enum top_order { TOP_BY_NAME, TOP_BY_TICKS, TOP_BY_FILL, TOP_BY_LAG, TOP_BY_LOST, TOP_ORDERS };

struct top_view {
    uint64_t now_ns; /* wall clock */
    struct top_tape tapes[TOP_TAPES_MAX];
    struct top_ring rings[TOP_RINGS_MAX];
    struct top_player players[TOP_PLAYERS_MAX];
    unsigned tape_count, ring_count, player_count;
    char message[160]; /* the last line: what was done, or what cannot be seen */

    enum top_order order;
    bool reversed;
    bool on_players;               /* the arrow keys move there, and not among the rings */
    unsigned ring_at, player_at;   /* which one they are on */
    unsigned ring_top, player_top; /* the first one shown: top_draw() keeps the chosen one in */
};

enum top_tone { TOP_PLAIN, TOP_TITLE, TOP_HEAD, TOP_WARN, TOP_BAD, TOP_DIM };

struct top_line {
    enum top_tone tone;
    bool chosen;
    char text[TOP_WIDTH_MAX + 1];
};

struct top_screen {
    unsigned width, height; /* as asked for, or as much as there is room for */
    struct top_line lines[TOP_HEIGHT_MAX];
    unsigned count;
};

/* Into the order that was chosen; the same ring stays chosen. */
void top_sort(struct top_view *view);

/* `height` at least 8, `width` at least TOP_WIDTH_MIN, or it says that there is no room. */
void top_draw(struct top_view *view, struct top_screen *screen, unsigned width, unsigned height);

#endif
