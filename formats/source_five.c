#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "formats/source_reader.h"

#define LINE_MAX_BYTES 65536 /* five fields; whatever else is in the object is passed over */

/* line -> [SYMBOL] -> [INFO message_type.N] -> tick */

static int tell_symbol(struct source *s, struct source_item *item, struct tdk_err *err)
{
    struct tdk_symbol head = {.instrument_id = s->trade.head.instrument_id, .to = UINT64_MAX};
    size_t size = sizeof head + s->five.symbol_size;
    unsigned char *payload = source_control(s, size, err);
    if (payload == NULL)
        return -ENOMEM;
    memcpy(payload, &head, sizeof head);
    memcpy(payload + sizeof head, s->five.symbol, s->five.symbol_size);
    *item =
        (struct source_item){.type = TDK_TYPE_SYMBOL, .payload = payload, .size = (uint32_t)size};
    return 1;
}

static void tell_kind(struct source *s)
{
    char key[32];
    snprintf(key, sizeof key, "message_type.%u", s->trade.kind);
    source_tell_info(s, key, s->five.message_type, s->five.message_type_size);
}

static int tell_tick(struct source *s, struct source_item *item)
{
    s->five_pending = false;
    *item = (struct source_item){
        .type = TDK_TYPE_WIDE, .ts = s->five.ts, .payload = &s->trade, .size = sizeof s->trade};
    return 1;
}

static void make_trade(struct tdk_wide_trade *trade, const struct five_tick *five, uint32_t id,
                       uint16_t kind)
{
    *trade = (struct tdk_wide_trade){
        .head = {.length = sizeof *trade / 4,
                 .rtype = TDK_RTYPE_WIDE_TRADE,
                 .instrument_id = id,
                 .ts_event = five->ts},
        .price = five->price,
        .size = five->volume,
        .side = 'N',
        .kind = kind,
    };
}

static int too_many(struct source *s, int rc, const char *what, struct tdk_err *err)
{
    if (rc == TDK_EFULL)
        err_say(err, TDK_EVALUE, "more %s than can be numbered", what);
    else
        err_set(err, rc, "number the %s", what);
    return source_bad_line(s, rc == TDK_EFULL ? TDK_EVALUE : rc, err);
}

static int next_item(struct source *s, struct source_item *item, struct tdk_err *err)
{
    const char *line;
    size_t size;
    uint32_t id = 0;
    uint16_t kind = 0;
    if (s->five_pending)
        return tell_tick(s, item);
    int rc = source_line(s, LINE_MAX_BYTES, &line, &size, err);
    if (rc <= 0)
        return rc;
    rc = five_decode(s->decoder, line, size, &s->five, err);
    if (rc < 0)
        return source_bad_line(s, rc, err);
    int new_kind =
        five_names_kind(s->names, s->five.message_type, s->five.message_type_size, &kind);
    if (new_kind < 0)
        return too_many(s, new_kind, "message types", err);
    int new_symbol = five_names_symbol(s->names, s->five.symbol, s->five.symbol_size, &id);
    if (new_symbol < 0 && new_kind == 0)
        return too_many(s, new_symbol, "symbols", err);
    make_trade(&s->trade, &s->five, id, kind);
    if (new_kind > 0)
        tell_kind(s); /* goes out before the tick: source_next() asks for it first */
    s->five_pending = true;
    if (new_symbol > 0)
        return tell_symbol(s, item, err);
    return new_kind > 0 ? source_next_info(s, item, err) : tell_tick(s, item);
}

int source_open_five(struct source *s, struct tdk_err *err)
{
    int rc = five_decoder_open(&s->decoder);
    if (rc == 0 && s->options.names == NULL)
        rc = five_names_open(&s->own_names);
    if (rc < 0)
        return err_set(err, rc, "open %s", s->path);
    s->names = s->options.names != NULL ? s->options.names : s->own_names;
    s->next = next_item;
    return 0;
}
