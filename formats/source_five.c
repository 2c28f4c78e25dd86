
#include "base/err.h"
#include "formats/source_reader.h"

#define LINE_MAX_BYTES 65536 /* for five fields, and other keys that are ignored */

/* line -> [SYMBOL] -> [INFO message_type.N] -> tick */

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

static int next_item(struct source *s, struct source_item *item, struct tdk_err *err)
{
    const char *line;
    size_t size;
    struct five_tick five;
    uint32_t id = 0;
    uint16_t kind = 0;
    int rc = source_line(s, LINE_MAX_BYTES, &line, &size, err);
    if (rc <= 0)
        return rc;
    rc = five_decode(s->decoder, line, size, &five, err);
    if (rc < 0)
        return source_bad_line(s, rc, err);
    rc = source_number_kind(s, five.message_type, five.message_type_size, &kind, err);
    if (rc < 0)
        return rc;
    int new_symbol = source_number(s, five.symbol, five.symbol_size, &id, item, err);
    if (new_symbol < 0)
        return new_symbol;
    make_trade(&s->trade, &five, id, kind);
    source_queue_tick(s, TDK_TYPE_WIDE, five.ts, &s->trade, sizeof s->trade);
    return new_symbol > 0 ? new_symbol : source_next(s, item, err);
}

int source_open_five(struct source *s, struct tdk_err *err)
{
    int rc = five_decoder_open(&s->decoder);
    if (rc < 0)
        return err_set(err, rc, "open %s", s->path);
    s->next = next_item;
    s->rtype = TDK_RTYPE_WIDE_TRADE;
    return source_need_names(s, err);
}
