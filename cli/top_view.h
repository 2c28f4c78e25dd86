/*
 * top_view.h - what `tapedeck top` shows, as lines of text: tapes, rings, players.
 *
 * The view is what was gathered and what the user has chosen with keys. The screen is what it looks
 * like in a given number of columns and rows. Pure, so that a test can read a screen; only top.c
 * knows a terminal. Foreign text is shown as printable ASCII. One thread.
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
    uint64_t silent_ns; /* since its loop last turned */
    uint64_t size, segment, disk_free;
    uint64_t full_ns; /* until its disk is full; 0: unknown, or never */
    uint64_t write_ns, sync_ns;
    uint64_t canary_ns, canary_age_ns; /* its period (0: none), and the age of the newest found */
    bool canary_seen;                  /* a replayer looks for it */
};

struct top_ring {
    char name[TDK_NAME_MAX + 1], track[TDK_NAME_MAX + 1], state[24];
    bool rated; /* it was also seen the last time, so there are rates */
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
    bool on_players;               /* the arrow keys move among players, not rings */
    unsigned ring_at, player_at;   /* the chosen one */
    unsigned ring_top, player_top; /* the first one shown, so that the chosen one is visible */
};

enum top_tone { TOP_PLAIN, TOP_TITLE, TOP_HEAD, TOP_WARN, TOP_BAD, TOP_DIM };

struct top_line {
    enum top_tone tone;
    bool chosen;
    char text[TOP_WIDTH_MAX + 1];
};

struct top_screen {
    unsigned width, height; /* as asked for, or as much as fits */
    struct top_line lines[TOP_HEIGHT_MAX];
    unsigned count;
};

/* Sort in the order chosen. The same ring stays chosen. */
void top_sort(struct top_view *view);

/* Draw the screen. `height` is at least 8 and `width` at least TOP_WIDTH_MIN; otherwise it says
 * that there is no room. */
void top_draw(struct top_view *view, struct top_screen *screen, unsigned width, unsigned height);

#endif
