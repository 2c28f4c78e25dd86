#include "cli/top_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/quantity.h"
#include "shm/counters.h"

enum {
    HEIGHT_MIN = 8,
    PLAYERS_SHOWN = 6, /* at least, if there are that many */
    FIRST_MAX = 60,    /* widest that the first column gets */
    CELLS_MAX = 8,
    NARROW = 80,
    FILL_WARN = 80,
    FILL_BAD = 95,
};
#define LATE_NS     (10 * NS_PER_S) /* as `tapedeck check` warns */
#define LATE_BAD_NS (60 * NS_PER_S)

/* ---- cells and lines ---- */

struct top_column {
    const char *title;
    unsigned width; /* at 80 columns; on a wider screen the first grows */
    bool right;
};

/* Foreign text. If it is too long it is cut at its left, because the end of a path says more. */
static void clean(char *to, size_t room, const char *from, bool keep_end)
{
    size_t size = strlen(from);
    if (size >= room && keep_end)
        from += size - (room - 1);
    snprintf(to, room, "%s", from);
    for (char *c = to; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?';
    if (size >= room && room > 2)
        to[keep_end ? 0 : room - 2] = '~';
}

static struct top_line *add_line(struct top_screen *screen, enum top_tone tone)
{
    static struct top_line beyond;
    struct top_line *line =
        screen->count < screen->height ? &screen->lines[screen->count++] : &beyond;
    *line = (struct top_line){.tone = tone};
    return line;
}

/* Put `left` at the left, and `right` at the right if there is room for both. */
static struct top_line *add_words(struct top_screen *screen, enum top_tone tone, const char *left,
                                  const char *right)
{
    struct top_line *line = add_line(screen, tone);
    size_t width = screen->width, used = strlen(right);
    clean(line->text, width + 1, left, false);
    size_t size = strlen(line->text);
    if (used > 0 && size + 2 + used <= width) {
        memset(line->text + size, ' ', width - size - used);
        memcpy(line->text + width - used, right, used + 1);
    }
    return line;
}

static struct top_line *add_cells(struct top_screen *screen, enum top_tone tone,
                                  const struct top_column *columns, const char *const *cells,
                                  unsigned count)
{
    struct top_line *line = add_line(screen, tone);
    unsigned wider = screen->width > NARROW ? screen->width - NARROW : 0;
    size_t at = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned width = columns[i].width + (i == 0 ? wider : 0);
        char cell[TOP_WIDTH_MAX + 1];
        width = i == 0 && width > FIRST_MAX ? FIRST_MAX : width;
        clean(cell, width + 1, cells[i], i == 0 && cells[i][0] == '/');
        if (at + width >= sizeof line->text)
            break;
        at += (size_t)snprintf(line->text + at, sizeof line->text - at,
                               columns[i].right ? "%s%*s" : "%s%-*s", i > 0 ? " " : "", (int)width,
                               cell);
    }
    line->text[screen->width] = '\0';
    return line;
}

static void add_head(struct top_screen *screen, const struct top_column *columns, unsigned count)
{
    const char *titles[CELLS_MAX];
    for (unsigned i = 0; i < count; i++)
        titles[i] = columns[i].title;
    add_cells(screen, TOP_HEAD, columns, titles, count);
}

struct cells {
    char text[CELLS_MAX][TOP_WIDTH_MAX];
    const char *at[CELLS_MAX];
    unsigned count;
};

static char *next_cell(struct cells *cells)
{
    char *text = cells->text[cells->count];
    cells->at[cells->count++] = text;
    return text;
}

static void cell(struct cells *cells, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void cell(struct cells *cells, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(next_cell(cells), TOP_WIDTH_MAX, format, args);
    va_end(args);
}

/* 0 means none. */
static void cell_duration(struct cells *cells, uint64_t ns)
{
    char *text = next_cell(cells);
    if (ns == 0)
        snprintf(text, TOP_WIDTH_MAX, "-");
    else
        quantity_duration_text(text, ns);
}

static void cell_rate(struct cells *cells, const struct top_ring *ring, uint64_t per_second,
                      char *as_text(char text[QUANTITY_TEXT], uint64_t number))
{
    char *text = next_cell(cells);
    if (ring->rated)
        as_text(text, per_second);
    else
        snprintf(text, TOP_WIDTH_MAX, "-");
}

static void cell_percent(struct cells *cells, uint64_t part, uint64_t whole)
{
    if (whole == 0)
        cell(cells, "-");
    else
        cell(cells, "%.0f%%", 100.0 * (double)part / (double)whole);
}

static void cell_moment(struct cells *cells, uint64_t ns)
{
    time_t seconds = (time_t)(ns / NS_PER_S);
    struct tm parts;
    char *text = next_cell(cells);
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, TOP_WIDTH_MAX, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        snprintf(text, TOP_WIDTH_MAX, "-");
}

/* ---- order ---- */

static uint64_t weight(const struct top_ring *ring, enum top_order order)
{
    switch (order) {
    case TOP_BY_TICKS:
        return ring->ticks_s;
    case TOP_BY_FILL:
        return ring->capacity > 0 ? ring->fill * 10000 / ring->capacity : 0;
    case TOP_BY_LAG:
        return ring->wait_ns;
    case TOP_BY_LOST:
        return ring->lost;
    case TOP_BY_NAME:
    case TOP_ORDERS:
    default:
        return 0;
    }
}

/* Names in ascending order, numbers in descending order. */
static int compare(const void *left, const void *right, void *context)
{
    const struct top_view *view = context;
    const struct top_ring *a = left, *b = right;
    uint64_t of_a = weight(a, view->order), of_b = weight(b, view->order);
    int order = of_a != of_b ? (of_a > of_b ? -1 : 1) : strcmp(a->name, b->name);
    return view->reversed ? -order : order;
}

void top_sort(struct top_view *view)
{
    char chosen[TDK_NAME_MAX + 1] = "";
    if (view->ring_at < view->ring_count)
        memcpy(chosen, view->rings[view->ring_at].name, sizeof chosen);
    qsort_r(view->rings, view->ring_count, sizeof view->rings[0], compare, view);
    for (unsigned i = 0; i < view->ring_count; i++)
        if (strcmp(view->rings[i].name, chosen) == 0)
            view->ring_at = i;
}

static const char *top_order_text(enum top_order order)
{
    static const char *const words[] = {"name", "ticks", "fill", "lag", "lost"};
    return words[order];
}

/* ---- tapes ---- */

static const struct top_column tape_columns[] = {
    {"TAPE", 18, false}, {"STATE", 18, false}, {"SIZE", 6, true},  {"SEGM", 5, true},
    {"FREE", 6, true},   {"FULL IN", 7, true}, {"WRITE", 6, true}, {"SYNC", 7, true}};

static void draw_tape(struct top_screen *screen, const struct top_tape *tape)
{
    struct cells c = {.count = 0};
    bool silent = tape->silent_ns > COUNTERS_SILENT_NS, well = strcmp(tape->state, "ok") == 0;
    cell(&c, "%s", tape->path);
    if (silent)
        cell(&c, "hangs for %" PRIu64 " s", tape->silent_ns / NS_PER_S);
    else
        cell(&c, "%s", tape->state);
    quantity_size_text(next_cell(&c), tape->size);
    cell(&c, "%" PRIu64, tape->segment);
    quantity_size_text(next_cell(&c), tape->disk_free);
    cell_duration(&c, tape->full_ns);
    cell_duration(&c, tape->write_ns);
    cell_duration(&c, tape->sync_ns);
    add_cells(screen, silent || !well ? TOP_BAD : TOP_PLAIN, tape_columns, c.at, c.count);
}

/* A tape's canary has a line of its own, because few tapes have one. */
static void draw_canary(struct top_screen *screen, const struct top_tape *tape)
{
    char words[TOP_WIDTH_MAX], period[QUANTITY_TEXT], age[QUANTITY_TEXT];
    uint64_t late_ns =
        tape->canary_age_ns > tape->canary_ns ? tape->canary_age_ns - tape->canary_ns : 0;
    enum top_tone tone = late_ns >= LATE_BAD_NS ? TOP_BAD
                         : late_ns >= LATE_NS   ? TOP_WARN
                                                : TOP_PLAIN;
    quantity_duration_text(period, tape->canary_ns);
    if (tape->canary_seen)
        snprintf(words, sizeof words, "  canary each %s: what can be queried is %s old", period,
                 quantity_duration_text(age, tape->canary_age_ns / NS_PER_MS * NS_PER_MS));
    else
        snprintf(words, sizeof words, "  canary each %s: no replayer looks for it", period);
    add_words(screen, tape->canary_seen ? tone : TOP_DIM, words, "");
}

static void draw_tapes(struct top_screen *screen, const struct top_view *view)
{
    add_head(screen, tape_columns, sizeof tape_columns / sizeof tape_columns[0]);
    for (unsigned i = 0; i < view->tape_count; i++) {
        draw_tape(screen, &view->tapes[i]);
        if (view->tapes[i].canary_ns != 0)
            draw_canary(screen, &view->tapes[i]);
    }
    if (view->tape_count == 0)
        add_words(screen, TOP_WARN, "no recorder runs", "");
}

/* ---- rings ---- */

static const struct top_column ring_columns[] = {
    {"RING", 18, false}, {"STATE", 18, false}, {"TICKS/S", 7, true}, {"BYTES/S", 7, true},
    {"FILL", 4, true},   {"HIGH", 4, true},    {"LAG", 7, true},     {"LOST", 7, true}};

static enum top_tone ring_tone(const struct top_ring *ring)
{
    uint64_t percent = ring->capacity > 0 ? ring->fill * 100 / ring->capacity : 0;
    if (strncmp(ring->state, "quarantined", 11) == 0 || strncmp(ring->state, "refused", 7) == 0 ||
        percent >= FILL_BAD)
        return TOP_BAD;
    if (strcmp(ring->state, "ok") != 0 || percent >= FILL_WARN || ring->lost > 0)
        return TOP_WARN;
    return TOP_PLAIN;
}

static struct top_line *draw_ring(struct top_screen *screen, const struct top_ring *ring)
{
    struct cells c = {.count = 0};
    if (strcmp(ring->name, ring->track) == 0 || ring->track[0] == '\0')
        cell(&c, "%s", ring->name);
    else
        cell(&c, "%s=%s", ring->name, ring->track);
    cell(&c, "%s", ring->state);
    cell_rate(&c, ring, ring->ticks_s, quantity_count_text);
    cell_rate(&c, ring, ring->bytes_s, quantity_size_text);
    cell_percent(&c, ring->fill, ring->capacity);
    cell_percent(&c, ring->high_water, ring->capacity);
    cell_duration(&c, ring->wait_ns);
    quantity_count_text(next_cell(&c), ring->lost);
    return add_cells(screen, ring_tone(ring), ring_columns, c.at, c.count);
}

/* The first line shown, so that the chosen one is visible. */
static unsigned window(unsigned top, unsigned chosen, unsigned count, unsigned room)
{
    if (chosen < top)
        top = chosen;
    else if (room > 0 && chosen >= top + room)
        top = chosen - room + 1;
    return top + room > count ? (count > room ? count - room : 0) : top;
}

static void clamp(unsigned *at, unsigned count)
{
    if (*at >= count)
        *at = count > 0 ? count - 1 : 0;
}

static void draw_rings(struct top_screen *screen, struct top_view *view, unsigned room)
{
    add_head(screen, ring_columns, sizeof ring_columns / sizeof ring_columns[0]);
    view->ring_top = window(view->ring_top, view->ring_at, view->ring_count, room);
    for (unsigned i = view->ring_top; i < view->ring_count && i < view->ring_top + room; i++)
        draw_ring(screen, &view->rings[i])->chosen = !view->on_players && i == view->ring_at;
}

/* ---- players ---- */

static const struct top_column player_columns[] = {
    {"PLAYER", 18, false}, {"STATE", 9, false}, {"AT", 19, false}, {"DONE", 4, true},
    {"SPEED", 8, true},    {"LATE99", 7, true}, {"TICKS", 9, true}};

static void cell_done(struct cells *c, const struct top_player *player)
{
    bool known = player->to > player->from && player->to != UINT64_MAX;
    uint64_t at = player->at < player->from ? player->from : player->at;
    at = at > player->to ? player->to : at;
    cell_percent(c, known ? at - player->from : 0, known ? player->to - player->from : 0);
}

static struct top_line *draw_player(struct top_screen *screen, const struct top_player *player)
{
    struct cells c = {.count = 0};
    cell(&c, "%" PRIu64 " > %s", player->number, player->into);
    cell(&c, "%s", player->state);
    cell_moment(&c, player->at);
    cell_done(&c, player);
    cell(&c, "%s", player->speed);
    cell_duration(&c, player->lateness_p99);
    quantity_count_text(next_cell(&c), player->ticks);
    bool waits = strcmp(player->state, "stalled") == 0;
    return add_cells(screen, waits ? TOP_WARN : TOP_PLAIN, player_columns, c.at, c.count);
}

static void draw_players(struct top_screen *screen, struct top_view *view, unsigned room)
{
    add_head(screen, player_columns, sizeof player_columns / sizeof player_columns[0]);
    view->player_top = window(view->player_top, view->player_at, view->player_count, room);
    for (unsigned i = view->player_top; i < view->player_count && i < view->player_top + room; i++)
        draw_player(screen, &view->players[i])->chosen = view->on_players && i == view->player_at;
}

/* ---- the screen ---- */

static void draw_title(struct top_screen *screen, const struct top_view *view)
{
    char left[TOP_WIDTH_MAX], right[48], ticks[QUANTITY_TEXT], bytes[QUANTITY_TEXT],
        lost[QUANTITY_TEXT];
    struct cells now = {.count = 0};
    uint64_t all_ticks = 0, all_bytes = 0, all_lost = 0;
    for (unsigned i = 0; i < view->ring_count; i++) {
        all_ticks += view->rings[i].ticks_s;
        all_bytes += view->rings[i].bytes_s;
        all_lost += view->rings[i].lost;
    }
    snprintf(left, sizeof left, "tapedeck  %u %s  %s ticks/s  %s/s  %s lost", view->ring_count,
             quantity_word(view->ring_count, "ring", "rings"),
             quantity_count_text(ticks, all_ticks), quantity_size_text(bytes, all_bytes),
             quantity_count_text(lost, all_lost));
    cell_moment(&now, view->now_ns);
    snprintf(right, sizeof right, "%.40s UTC", now.text[0]);
    add_words(screen, TOP_TITLE, left, right);
}

static void draw_foot(struct top_screen *screen, const struct top_view *view)
{
    char order[TOP_WIDTH_MAX];
    while (screen->count + 1 < screen->height)
        add_line(screen, TOP_PLAIN);
    if (view->message[0] != '\0') {
        add_words(screen, TOP_WARN, view->message, "");
        return;
    }
    snprintf(order, sizeof order, "by %s%s", top_order_text(view->order),
             view->reversed ? ", reversed" : "");
    add_words(screen, TOP_DIM,
              view->player_count > 0 ? "q quit  s sort  r reverse  tab, arrows choose  space pause"
                                     : "q quit  s sort  r reverse  arrows scroll",
              order);
}

/* Players get what they need, up to a few lines. Rings get the rest. Players also get what rings
 * leave. */
static void share(const struct top_view *view, unsigned room, unsigned *rings, unsigned *players)
{
    unsigned wanted = view->player_count > 0 ? view->player_count + 1 : 0;
    unsigned least = wanted > PLAYERS_SHOWN + 1 ? PLAYERS_SHOWN + 1 : wanted;
    unsigned spare = room > view->ring_count ? room - view->ring_count : 0;
    *players = wanted < spare ? wanted : spare > least ? spare : least;
    *players = *players > room / 2 && *players > spare ? room / 2 : *players;
    *rings = room - *players;
}

void top_draw(struct top_view *view, struct top_screen *screen, unsigned width, unsigned height)
{
    unsigned rings, players;
    screen->width = width > TOP_WIDTH_MAX ? TOP_WIDTH_MAX : width;
    screen->height = height > TOP_HEIGHT_MAX ? TOP_HEIGHT_MAX : height;
    screen->count = 0;
    clamp(&view->ring_at, view->ring_count);
    clamp(&view->player_at, view->player_count);
    view->on_players = view->on_players && view->player_count > 0;
    if (width < TOP_WIDTH_MIN || height < HEIGHT_MIN) {
        add_words(screen, TOP_WARN, "too small", "");
        return;
    }
    draw_title(screen, view);
    draw_tapes(screen, view);
    unsigned used = screen->count + 2; /* the head of the rings, and the last line */
    share(view, screen->height > used ? screen->height - used : 0, &rings, &players);
    draw_rings(screen, view, rings);
    if (players > 1)
        draw_players(screen, view, players - 1);
    draw_foot(screen, view);
}
