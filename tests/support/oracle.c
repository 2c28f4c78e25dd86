#include "tests/support/oracle.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tape/append.h"
#include "tapedeck/dbn.h"
#include "tests/support/folder.h"

uint64_t oracle_random(struct oracle *oracle, uint64_t below)
{
    return dice_next(&oracle->dice) % below;
}

/* ---- ticks ---- */

static void make_record(struct oracle *oracle, struct oracle_tick *tick, uint8_t rtype,
                        uint32_t size)
{
    tick->size = size;
    tick->rtype = rtype;
    tick->instrument_id = 1 + (uint32_t)oracle_random(oracle, 12);
    bool undefined = oracle_random(oracle, 10) == 0;
    uint64_t event = tick->ts - oracle_random(oracle, 500);
    struct tdk_dbn_head head = {.length = (uint8_t)(size / 4),
                                .rtype = rtype,
                                .publisher_id = 1,
                                .instrument_id = tick->instrument_id,
                                .ts_event = undefined ? TDK_TS_UNDEFINED : event};
    tick->event_ts = undefined ? tick->ts : event;
    memcpy(tick->payload, &head, sizeof head);
    if (rtype == TDK_RTYPE_TRADES || rtype == TDK_RTYPE_MBP_1)
        store_u64(tick->payload + 32, tick->ts); /* ts_recv */
}

static void make_payload(struct oracle *oracle, struct oracle_tick *tick)
{
    for (size_t i = 0; i < sizeof tick->payload; i++)
        tick->payload[i] = (unsigned char)oracle_random(oracle, 256);
    tick->event_ts = tick->ts;
    tick->rtype = -1;
    switch (oracle_random(oracle, 8)) {
    case 0:
        tick->type = TDK_TYPE_OPAQUE;
        tick->size = (uint32_t)oracle_random(oracle, ORACLE_PAYLOAD + 1);
        return;
    case 1:
        tick->type = TDK_TYPE_WIDE;
        make_record(oracle, tick, TDK_RTYPE_WIDE_TRADE, sizeof(struct tdk_wide_trade));
        return;
    case 2:
        tick->type = TDK_TYPE_DBN;
        make_record(oracle, tick, TDK_RTYPE_MBP_1, 80);
        return;
    case 3: /* not the record that its length byte claims */
        tick->type = TDK_TYPE_DBN;
        tick->size = 20;
        tick->payload[0] = 99;
        return;
    default:
        tick->type = TDK_TYPE_DBN;
        make_record(oracle, tick, TDK_RTYPE_TRADES, 48);
    }
}

static struct oracle_tick *add_tick(struct oracle *oracle)
{
    if (oracle->count == oracle->room) {
        oracle->room = oracle->room == 0 ? 1024 : 2 * oracle->room;
        oracle->ticks = realloc(oracle->ticks, oracle->room * sizeof *oracle->ticks);
        assert_non_null(oracle->ticks);
    }
    struct oracle_tick *tick = &oracle->ticks[oracle->count++];
    memset(tick, 0, sizeof *tick);
    return tick;
}

/* ---- symbols ---- */

static void add_symbol(struct oracle *oracle, struct append *append,
                       const struct oracle_symbol *symbol)
{
    if (oracle->symbol_count == oracle->symbol_room) {
        oracle->symbol_room = oracle->symbol_room == 0 ? 64 : 2 * oracle->symbol_room;
        oracle->symbols = realloc(oracle->symbols, oracle->symbol_room * sizeof *oracle->symbols);
        assert_non_null(oracle->symbols);
    }
    oracle->symbols[oracle->symbol_count++] = *symbol;

    struct {
        struct tdk_symbol head;
        char symbol[24];
    } payload = {{symbol->instrument_id, 0, symbol->from, symbol->to}, ""};
    size_t length = strlen(symbol->symbol);
    memcpy(payload.symbol, symbol->symbol, length);
    assert_int_equal(append_control(append, TDK_TYPE_SYMBOL, &payload,
                                    (uint32_t)(sizeof payload.head + length), NULL),
                     0);
}

/* Half of the ids have one meaning for ever, half change in the middle. Some names are on every
 * track. Some ids change their name from epoch to epoch. */
static void name_instruments(struct oracle *oracle, struct append *append, unsigned track,
                             unsigned epoch_number, uint64_t middle)
{
    for (uint32_t id = 1; id <= 10; id++) { /* 11 and 12 have no name */
        struct oracle_symbol symbol = {
            .track = track, .epoch = append_epoch(append), .instrument_id = id, .to = UINT64_MAX};
        if (id % 2 == 0) {
            snprintf(symbol.symbol, sizeof symbol.symbol, "S%u", (id + epoch_number) % 10);
            add_symbol(oracle, append, &symbol);
            continue;
        }
        symbol.to = middle;
        snprintf(symbol.symbol, sizeof symbol.symbol, "BTC-USD%s", id == 1 ? "" : "T");
        add_symbol(oracle, append, &symbol);
        symbol.from = middle;
        symbol.to = UINT64_MAX;
        snprintf(symbol.symbol, sizeof symbol.symbol, "Q%u", id);
        add_symbol(oracle, append, &symbol);
    }
}

/* ---- the tape ---- */

static uint64_t next_ts(struct oracle *oracle, const struct oracle_plan *plan, uint64_t *clock)
{
    if (plan->odd != 0 && oracle_random(oracle, plan->odd) == 0)
        return oracle_random(oracle, 2) == 0 ? UINT64_MAX : UINT64_C(9000000000000000000);
    if (oracle_random(oracle, 3) != 0) /* otherwise a tie */
        *clock += oracle_random(oracle, 40);
    uint64_t back = plan->disorder != 0 && oracle_random(oracle, 5) == 0
                        ? oracle_random(oracle, plan->disorder)
                        : 0;
    return *clock - back;
}

static void make_epoch(struct oracle *oracle, struct append *append, const struct oracle_plan *plan,
                       unsigned track, unsigned epoch_number)
{
    struct tdk_err err;
    if (append_begin(append, oracle->names[track], TDK_KIND_MIXED, &err) != 0)
        fail_msg("%s", err.text);
    /* The epochs of a disordered market overlap in time. */
    uint64_t clock =
        1000000 + (uint64_t)plan->ticks * epoch_number * (plan->disorder != 0 ? 8 : 30);
    name_instruments(oracle, append, track, epoch_number, clock + plan->ticks * 6);
    for (unsigned i = 0; i < plan->ticks; i++) {
        struct oracle_tick *tick = add_tick(oracle);
        tick->track = track;
        tick->epoch = append_epoch(append);
        tick->seq = i + 1;
        tick->ts = next_ts(oracle, plan, &clock);
        make_payload(oracle, tick);
        if (append_tick(append, tick->type, 0, tick->ts, tick->payload, tick->size, &err) != 0)
            fail_msg("%s", err.text);
    }
}

void oracle_make(struct oracle *oracle, uint64_t seed, const struct oracle_plan *plan)
{
    static const char *const names[] = {"A", "A-b", "Z", "a", "binance", "binance.eu", "c", "d"};
    *oracle = (struct oracle){.dice = {seed}, .tracks = plan->tracks};
    memcpy(oracle->names, names, sizeof names);
    snprintf(oracle->path, sizeof oracle->path, "/tmp/tapedeck-oracle-XXXXXX");
    assert_non_null(mkdtemp(oracle->path));

    struct tdk_err err;
    struct append *append;
    const struct append_options options = {
        .block_size = plan->block_size, .payload_max = 1024, .segment_size = plan->segment_size};
    if (append_open(&append, oracle->path, &options, &err) != 0)
        fail_msg("%s", err.text);
    for (unsigned track = 0; track < plan->tracks; track++)
        for (unsigned epoch = 0; epoch < plan->epochs; epoch++)
            make_epoch(oracle, append, plan, track, epoch);
    if (append_close(append, NULL, &err) != 0)
        fail_msg("%s", err.text);
}

void oracle_remove(struct oracle *oracle)
{
    folder_remove(oracle->path);
    free(oracle->ticks);
    free(oracle->symbols);
}

/* ---- the answer ---- */

static bool has_track(const struct oracle *oracle, const struct tdk_query *query,
                      const struct oracle_tick *tick)
{
    for (size_t i = 0; i < query->track_count; i++)
        if (strcmp(query->tracks[i], oracle->names[tick->track]) == 0)
            return true;
    return query->track_count == 0;
}

static bool has_type(const struct tdk_query *query, const struct oracle_tick *tick)
{
    for (size_t i = 0; i < query->type_count; i++)
        if (query->types[i].type == tick->type &&
            (query->types[i].rtype == -1 || query->types[i].rtype == tick->rtype))
            return true;
    return query->type_count == 0;
}

static bool is_called(const struct oracle *oracle, const struct oracle_tick *tick,
                      const char *pattern)
{
    if (tick->rtype < 0)
        return false;
    char id[16];
    snprintf(id, sizeof id, "#%u", tick->instrument_id);
    if (strcmp(id, pattern) == 0)
        return true;
    /* Mappings hold by index time. A record without one of its own has the frame's, or its
     * event's. */
    bool event = tick->type == TDK_TYPE_DBN && tick->rtype != TDK_RTYPE_TRADES &&
                 tick->rtype != TDK_RTYPE_MBP_1;
    uint64_t ts = event ? tick->event_ts : tick->ts;
    for (size_t i = 0; i < oracle->symbol_count; i++) {
        const struct oracle_symbol *s = &oracle->symbols[i];
        if (s->track == tick->track && s->epoch == tick->epoch &&
            s->instrument_id == tick->instrument_id && ts >= s->from &&
            (ts < s->to || s->to == UINT64_MAX) && fnmatch(pattern, s->symbol, 0) == 0)
            return true;
    }
    return false;
}

static bool has_symbol(const struct oracle *oracle, const struct tdk_query *query,
                       const struct oracle_tick *tick)
{
    for (size_t i = 0; i < query->symbol_count; i++)
        if (is_called(oracle, tick, query->symbols[i]))
            return true;
    return query->symbol_count == 0;
}

static bool passes(const struct oracle *oracle, const struct tdk_query *query,
                   const struct oracle_tick *tick)
{
    uint64_t ts = query->axis == TDK_AXIS_EVENT ? tick->event_ts : tick->ts;
    return ts >= query->from && (ts < query->to || query->to == UINT64_MAX) &&
           has_track(oracle, query, tick) && has_type(query, tick) &&
           has_symbol(oracle, query, tick);
}

/* The next tick of this track that passes the query, from `at` on. */
static size_t next_of_track(const struct oracle *oracle, const struct tdk_query *query,
                            unsigned track, size_t at)
{
    while (at < oracle->count &&
           (oracle->ticks[at].track != track || !passes(oracle, query, &oracle->ticks[at])))
        at++;
    return at;
}

size_t *oracle_answer(const struct oracle *oracle, const struct tdk_query *query, size_t *count)
{
    size_t heads[8];
    size_t *answer = malloc((oracle->count + 1) * sizeof *answer);
    assert_non_null(answer);
    for (unsigned track = 0; track < oracle->tracks; track++)
        heads[track] = next_of_track(oracle, query, track, 0);
    for (*count = 0;; ++*count) {
        unsigned first = oracle->tracks;
        for (unsigned track = 0; track < oracle->tracks; track++)
            if (heads[track] < oracle->count &&
                (first == oracle->tracks ||
                 oracle->ticks[heads[track]].ts < oracle->ticks[heads[first]].ts))
                first = track; /* on a tie the lower name stays, because it came first */
        if (first == oracle->tracks)
            break;
        answer[*count] = heads[first];
        heads[first] = next_of_track(oracle, query, first, heads[first] + 1);
    }
    for (size_t i = 0; query->reverse && i < *count / 2; i++) {
        size_t other = answer[*count - 1 - i];
        answer[*count - 1 - i] = answer[i];
        answer[i] = other;
    }
    if (query->limit != 0 && *count > query->limit)
        *count = query->limit;
    return answer;
}
