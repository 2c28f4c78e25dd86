/*
 * tapedeck.c - a tape as a contestant of the store bench.
 *
 * Each tick becomes a DBN trade (48 bytes, 72 with the frame's head), written by the blocking
 * writer and read through the public header, as a program outside would. Build it against the
 * bench's tick.h (-I) and name it in TAPEDECK; the bench's README says how it is asked.
 */
#include "tick.h"

#include <tapedeck/dbn.h>
#include <tapedeck/tape.h>

#include "tape/append.h"

#define PRICE_SCALE 100000 /* 1e-4 -> 1e-9 */

static const char *peer_mode(void)
{
    return "append-sealed-synced";
}

static void peer_record(const tick_t *t, size_t n, const char *dir, double *durable_s)
{
    struct tdk_err err;
    struct append *append;
    if (append_open(&append, path_in(dir, "tape"), NULL, &err) < 0 ||
        append_begin(append, "day", TDK_KIND_DBN, &err) < 0)
        DIE("%s", err.text);
    for (size_t i = 0; i < n; i++) {
        const struct tdk_dbn_trades trade = {
            .head = {sizeof trade / 4, TDK_RTYPE_TRADES, 1, t[i].sym, t[i].ts},
            .price = t[i].px * PRICE_SCALE,
            .size = t[i].sz,
            .action = 'T',
            .flags = (uint8_t)t[i].fl,
            .depth = (uint8_t)(t[i].fl >> 8),
            .ts_recv = t[i].ts,
            .sequence = t[i].seq,
        };
        if (append_tick(append, TDK_TYPE_DBN, 0, t[i].ts, &trade, sizeof trade, &err) < 0)
            DIE("%s", err.text);
    }
    if (append_close(append, NULL, &err) < 0)
        DIE("%s", err.text);
    *durable_s = now_s();
}

static void *peer_open(const char *dir)
{
    struct tdk_err err;
    struct tdk_tape *tape;
    if (tdk_tape_open(&tape, path_in(dir, "tape"), &err) < 0)
        DIE("%s", err.text);
    return tape;
}

static void add_run(const struct tdk_run *run, acc_t *acc)
{
    const unsigned char *end = (const unsigned char *)run->frames + run->size;
    for (const struct tdk_frame *f = run->frames; (const unsigned char *)f < end;
         f = tdk_frame_after(f)) {
        const struct tdk_dbn_trades *trade = (const void *)tdk_frame_payload(f);
        acc_row(acc, f->ts, trade->price / PRICE_SCALE, trade->size,
                (uint32_t)(trade->flags | trade->depth << 8));
    }
}

static void peer_query(void *handle, const query_t *q, acc_t *acc)
{
    char id[16];
    const char *symbol = id;
    snprintf(id, sizeof id, "#%" PRId64, q->sym);
    const struct tdk_query query = {.from = q->t0,
                                    .to = q->t1,
                                    .symbols = &symbol,
                                    .symbol_count = q->sym < 0 ? 0 : 1,
                                    .count_only = q->count_only != 0};
    struct tdk_err err;
    struct tdk_cursor *cursor;
    if (tdk_cursor_open(&cursor, handle, &query, &err) < 0)
        DIE("%s", err.text);
    struct tdk_run run;
    int rc;
    while ((rc = tdk_cursor_read(cursor, &run, &err)) == 1) {
        if (q->count_only)
            acc->rows += run.ticks;
        else
            add_run(&run, acc);
    }
    if (rc < 0)
        DIE("%s", err.text);
    tdk_cursor_close(cursor);
}
