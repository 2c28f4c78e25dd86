#include "cli/top_gather.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/quantity.h"

#define ASK_NS   (500 * NS_PER_MS)
#define RETRY_NS (3 * NS_PER_S)

/* ---- tapes and rings ---- */

static void view_tape(struct top_view *view, const struct counters_copy *page, uint64_t now_ns)
{
    if (view->tape_count == TOP_TAPES_MAX)
        return;
    struct top_tape *tape = &view->tapes[view->tape_count++];
    *tape = (struct top_tape){
        .silent_ns = counters_silence(page, now_ns),
        .size = page_value(page, "recorder_tape", NULL),
        .segment = page_value(page, "recorder_segment", NULL),
        .disk_free = page_value(page, "recorder_disk_free", NULL),
        .full_ns = page_value(page, "recorder_disk_full_in", NULL),
        .write_ns = page_value(page, "recorder_write_longest", NULL),
        .sync_ns = page_value(page, "recorder_sync_longest", NULL),
        .canary_ns = page_value(page, "recorder_canary_period", NULL),
    };
    tape->canary_seen = tape->canary_ns != 0 && page_canary_age(page, &tape->canary_age_ns);
    snprintf(tape->path, sizeof tape->path, "%s", page->tape);
    snprintf(tape->state, sizeof tape->state, "%s", page_state(page));
}

struct rating {
    struct top_view *view;
    const struct pages *before;
    uint64_t elapsed_ns;
};

static uint64_t rate_of(const struct rating *rating, const struct counters_copy *before,
                        const char *name, const char *ring, uint64_t now)
{
    uint64_t was = page_value(before, name, ring);
    return now > was ? quantity_per_second(now - was, rating->elapsed_ns) : 0;
}

static void view_ring(const struct ring_view *v, const struct counters_copy *page, void *context)
{
    const struct rating *rating = context;
    struct top_view *view = rating->view;
    const struct counters_copy *before =
        rating->elapsed_ns > 0 ? pages_same(rating->before, page) : NULL;
    if (view->ring_count == TOP_RINGS_MAX)
        return;
    struct top_ring *ring = &view->rings[view->ring_count++];
    *ring = (struct top_ring){
        .rated = before != NULL && counters_find(before, "ring_ticks", v->name) != NULL,
        .fill = v->fill,
        .high_water = v->high_water,
        .capacity = page_value(page, "ring_capacity", v->name),
        .wait_ns = page_value(page, "ring_wait", v->name),
        .lost = v->lost_total,
    };
    if (ring->rated) {
        ring->ticks_s = rate_of(rating, before, "ring_ticks", v->name, v->ticks);
        ring->bytes_s = rate_of(rating, before, "ring_taken", v->name, v->bytes);
    }
    snprintf(ring->name, sizeof ring->name, "%s", v->name);
    snprintf(ring->track, sizeof ring->track, "%s", v->track);
    snprintf(ring->state, sizeof ring->state, "%s", v->state);
}

static int gather_pages(struct top_gather *g, struct top_view *view, struct tdk_err *err)
{
    pages_forget(&g->before);
    g->before = g->now;
    g->before_ns = g->at_ns;
    g->now = (struct pages){.writer = "recorder", .quiet = true};
    int rc = pages_read(&g->now, g->ask->tape, err);
    g->at_ns = clock_mono();
    struct rating rating = {.view = view,
                            .before = &g->before,
                            .elapsed_ns = g->before_ns != 0 ? g->at_ns - g->before_ns : 0};
    for (unsigned i = 0; rc == 0 && i < g->now.count; i++) {
        view_tape(view, &g->now.items[i], g->at_ns);
        page_rings(&g->now.items[i], view_ring, &rating);
    }
    return rc;
}

/* ---- players ---- */

/* If none was named, ask the replayer of the only recorder's tape. */
static bool replayer_address(const struct top_gather *g, char *address, size_t room)
{
    const char *tape = g->ask->tape;
    if (ask_by_address(tape, g->ask->address))
        return (size_t)snprintf(address, room, "%s", g->ask->address) < room;
    if (tape == NULL && g->now.count == 1 && g->now.items[0].tape[0] == '/')
        tape = g->now.items[0].tape;
    return tape != NULL && (size_t)snprintf(address, room, "unix:%s/%s", tape, ASK_REPLAYER) < room;
}

static void let_go(struct top_gather *g)
{
    tdk_client_close(g->client);
    g->client = NULL;
    g->retry_ns = clock_mono() + RETRY_NS;
}

/* If a replayer was named, its absence is reported. If we only guessed it, it is not. */
static bool reach(struct top_gather *g, struct top_view *view)
{
    char address[PATH_MAX + 64], token[256];
    struct tdk_client_options options = {.name = "tapedeck top", .timeout_ns = ASK_NS};
    struct tdk_err err;
    if (g->client != NULL)
        return true;
    if (clock_mono() < g->retry_ns || !replayer_address(g, address, sizeof address))
        return false;
    view->message[0] = '\0';
    if (g->ask->token_file != NULL) {
        if (ask_token(g->ask, token, sizeof token, &err) < 0) {
            snprintf(view->message, sizeof view->message, "%.150s", err.text);
            return false;
        }
        options.token = token;
    }
    if (tdk_client_open(&g->client, address, &options, &err) == 0)
        return true;
    let_go(g);
    if (g->ask->address != NULL)
        snprintf(view->message, sizeof view->message, "%.150s", err.text);
    return false;
}

static bool call(struct top_gather *g, struct top_view *view, struct wire_map *result)
{
    struct tdk_err err;
    int rc = client_call(g->client, NULL, NULL, result, &err);
    if (rc == 0)
        return true;
    snprintf(view->message, sizeof view->message, "the replayer: %.140s", err.text);
    if (rc == -EPIPE || rc == -ECONNRESET || rc == -ETIMEDOUT || rc == TDK_EFORMAT)
        let_go(g);
    return false;
}

static void view_player(struct top_view *view, struct wire_map one)
{
    if (view->player_count == TOP_PLAYERS_MAX)
        return;
    struct top_player *player = &view->players[view->player_count++];
    *player = (struct top_player){.to = UINT64_MAX};
    (void)wire_u64(one, "session", &player->number, NULL);
    (void)wire_u64(one, "at", &player->at, NULL);
    (void)wire_u64(one, "from", &player->from, NULL);
    (void)wire_u64(one, "to", &player->to, NULL);
    (void)wire_u64(one, "ticks", &player->ticks, NULL);
    (void)wire_u64(one, "lateness_p99", &player->lateness_p99, NULL);
    (void)wire_string(one, "state", player->state, sizeof player->state, NULL);
    (void)wire_string(one, "into", player->into, sizeof player->into, NULL);
    (void)wire_string(one, "speed", player->speed, sizeof player->speed, NULL);
}

static bool is_open_ended(const struct top_player *player)
{
    return player->from == 0 || player->to == UINT64_MAX;
}

/* A play without a beginning or an end has the tape's, as they are now. */
static void bound_players(struct top_gather *g, struct top_view *view)
{
    struct wire_map tape;
    uint64_t first = 0, last = 0;
    unsigned open_ended = 0;
    for (unsigned i = 0; i < view->player_count; i++)
        open_ended += is_open_ended(&view->players[i]);
    if (open_ended == 0)
        return;
    wire_put_map(client_begin(g->client, "info"), 0);
    if (!call(g, view, &tape) || wire_u64(tape, "first_ts", &first, NULL) != 1 ||
        wire_u64(tape, "last_ts", &last, NULL) != 1)
        return; /* or no tick has a time that can be trusted */
    for (unsigned i = 0; i < view->player_count; i++) {
        struct top_player *player = &view->players[i];
        player->from = player->from == 0 ? first : player->from;
        player->to = player->to == UINT64_MAX ? last : player->to;
    }
}

static void gather_players(struct top_gather *g, struct top_view *view)
{
    struct wire_map result, one;
    struct wire_list list = {0};
    if (!reach(g, view))
        return;
    wire_put_map(client_begin(g->client, "sessions"), 0);
    if (!call(g, view, &result) || wire_list(result, "sessions", &list, NULL) != 1)
        return;
    for (uint32_t i = 0; i < list.count; i++)
        if (wire_item_map(list, i, &one, NULL) == 1)
            view_player(view, one);
    bound_players(g, view);
}

int top_gather(struct top_gather *g, struct top_view *view, struct tdk_err *err)
{
    view->tape_count = view->ring_count = view->player_count = 0;
    view->now_ns = clock_wall();
    int rc = gather_pages(g, view, err);
    if (rc < 0)
        return rc;
    gather_players(g, view);
    return 0;
}

void top_toggle(struct top_gather *g, struct top_view *view, const struct top_player *player)
{
    struct wire_map result;
    bool paused = strcmp(player->state, "paused") == 0;
    if (!reach(g, view))
        return;
    struct text_buffer *params = client_begin(g->client, paused ? "resume" : "pause");
    wire_put_map(params, 1);
    wire_pair_u64(params, "session", player->number);
    if (call(g, view, &result))
        snprintf(view->message, sizeof view->message, "play %" PRIu64 " %s", player->number,
                 paused ? "goes on" : "pauses");
}

void top_gather_close(struct top_gather *g)
{
    tdk_client_close(g->client);
    pages_forget(&g->now);
    pages_forget(&g->before);
}
