#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "formats/binance.h"
#include "formats/source_reader.h"

/* message -> [SYMBOL] -> [INFO message_type.N] -> trade or quote */
struct decode {
    struct binance_decoder *binance;
    uint64_t bad;
    union {
        struct tdk_wide_trade trade;
        struct tdk_wide_quote quote;
    };
};

static void tell_trade(struct source *s, uint64_t ts, const struct binance_tick *t, uint32_t id,
                       uint16_t kind)
{
    struct decode *d = s->state;
    d->trade = (struct tdk_wide_trade){
        .head = {.length = sizeof d->trade / 4,
                 .rtype = TDK_RTYPE_WIDE_TRADE,
                 .instrument_id = id,
                 .ts_event = t->ts_event},
        .price = t->price,
        .size = t->size,
        .id = t->id,
        .side = t->side,
        .kind = kind,
    };
    source_queue_tick(s, TDK_TYPE_WIDE, ts, &d->trade, sizeof d->trade);
}

static void tell_quote(struct source *s, uint64_t ts, const struct binance_tick *t, uint32_t id)
{
    struct decode *d = s->state;
    d->quote = (struct tdk_wide_quote){
        .head = {.length = sizeof d->quote / 4,
                 .rtype = TDK_RTYPE_WIDE_QUOTE,
                 .instrument_id = id,
                 .ts_event = t->ts_event},
        .bid_px = t->bid_px,
        .ask_px = t->ask_px,
        .bid_sz = t->bid_sz,
        .ask_sz = t->ask_sz,
    };
    source_queue_tick(s, TDK_TYPE_WIDE, ts, &d->quote, sizeof d->quote);
}

/* A message that cannot be decoded is not lost: it stays the line that it was, and is counted. */
int source_decode(struct source *s, uint64_t ts, const char *message, size_t size,
                  struct source_item *item, struct tdk_err *err)
{
    struct decode *d = s->state;
    struct binance_tick t;
    uint32_t id = 0;
    uint16_t kind = 0;
    int rc = binance_decode(d->binance, message, size, &t, err);
    d->bad += rc == TDK_EVALUE;
    if (rc < 0 || t.kind == BINANCE_OTHER)
        return rc == TDK_EVALUE ? 0 : rc;
    if (t.kind == BINANCE_AGG_TRADE)
        rc = source_number_kind(s, "aggTrade", strlen("aggTrade"), &kind, err);
    if (rc < 0)
        return rc;
    int announced = source_number(s, t.symbol, t.symbol_size, &id, item, err);
    if (announced < 0)
        return announced;
    if (t.kind == BINANCE_QUOTE)
        tell_quote(s, ts, &t, id);
    else
        tell_trade(s, ts, &t, id, kind);
    return announced > 0 ? announced : source_next(s, item, err);
}

static void passed_over(const struct source *s, source_passed_cb *each, void *context)
{
    const struct decode *d = s->state;
    source_tell_count(s, d->bad,
                      "messages are not JSON, or are trades or quotes with something missing or "
                      "wrong; they are kept as lines",
                      true, each, context);
}

static void close_decode(void *state)
{
    struct decode *d = state;
    binance_close(d->binance);
    free(d);
}

int source_open_decode(struct source *s, struct tdk_err *err)
{
    struct decode *d = calloc(1, sizeof *d);
    if (d == NULL)
        return err_set(err, -ENOMEM, "open %s", s->path);
    s->state = d;
    s->close = close_decode;
    s->passed_over = passed_over;
    int rc = binance_open(&d->binance);
    if (rc < 0)
        return err_set(err, rc, "open %s", s->path);
    return source_need_names(s, err);
}
