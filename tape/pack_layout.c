/* pack_layout.c - which fields the frames of a class have. */

#include "tape/pack.h"
#include "tapedeck/dbn.h"

/* Sizes of a record's fields after its head. 'L' is a level of a book, 'l' a level consolidated
 * from several venues. A record that is not listed is treated as eight-byte words. */
struct known {
    uint8_t type, rtype;
    uint16_t size;
    const char *fields;
};

#define TRADE "841111844"

static const struct known known[] = {
    {TDK_TYPE_DBN, TDK_RTYPE_TRADES, 48, TRADE},
    {TDK_TYPE_DBN, TDK_RTYPE_MBP_1, 80, TRADE "L"},
    {TDK_TYPE_DBN, TDK_RTYPE_MBP_10, 368, TRADE "LLLLLLLLLL"},
    {TDK_TYPE_DBN, TDK_RTYPE_MBO, 56, "8841111844"},
    {TDK_TYPE_DBN, TDK_RTYPE_BBO_1S, 80, TRADE "L"},
    {TDK_TYPE_DBN, TDK_RTYPE_BBO_1M, 80, TRADE "L"},
    {TDK_TYPE_DBN, TDK_RTYPE_CMBP_1, 80, TRADE "l"},
    {TDK_TYPE_DBN, TDK_RTYPE_TCBBO, 80, TRADE "l"},
    {TDK_TYPE_DBN, TDK_RTYPE_CBBO_1S, 80, TRADE "l"},
    {TDK_TYPE_DBN, TDK_RTYPE_CBBO_1M, 80, TRADE "l"},
    {TDK_TYPE_DBN, TDK_RTYPE_OHLCV, 56, "88888"},
    {TDK_TYPE_DBN, TDK_RTYPE_OHLCV_1S, 56, "88888"},
    {TDK_TYPE_DBN, TDK_RTYPE_OHLCV_1M, 56, "88888"},
    {TDK_TYPE_DBN, TDK_RTYPE_OHLCV_1H, 56, "88888"},
    {TDK_TYPE_DBN, TDK_RTYPE_OHLCV_1D, 56, "88888"},
    {TDK_TYPE_DBN, TDK_RTYPE_OHLCV_EOD, 56, "88888"},
    {TDK_TYPE_DBN, TDK_RTYPE_STATUS, 40, "82221111111111"},
    {TDK_TYPE_DBN, TDK_RTYPE_IMBALANCE, 112, "888888888444411111111"},
    {TDK_TYPE_DBN, TDK_RTYPE_STATISTICS, 64, "8884442211111111"},
    {TDK_TYPE_DBN, TDK_RTYPE_STATISTICS, 80, "8888442211222222222"},
    {TDK_TYPE_WIDE, TDK_RTYPE_WIDE_TRADE, 56, "88881124"},
    {TDK_TYPE_WIDE, TDK_RTYPE_WIDE_QUOTE, 56, "888811114"},
};

struct filler {
    struct pack_layout *layout;
    size_t at, end; /* in the frame */
};

static void add(struct filler *f, unsigned size)
{
    f->layout->fields[f->layout->count++] =
        (struct pack_field){.offset = (uint16_t)f->at, .size = (uint8_t)size};
    f->at += size;
}

static void add_all(struct filler *f, const char *fields)
{
    for (; *fields != '\0'; fields++)
        if (*fields == 'L')
            add_all(f, "884444");
        else if (*fields == 'l')
            add_all(f, "88442222");
        else
            add(f, (unsigned)(*fields - '0'));
}

/* NULL: no such record. A send time may follow the record. */
static const char *fields_of(const struct pack_class *class)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].type == class->type && known[i].rtype == class->rtype &&
            (known[i].size == class->size || known[i].size + 8u == class->size))
            return known[i].fields;
    return NULL;
}

void pack_layout(const struct pack_class *class, struct pack_layout *layout)
{
    struct filler f = {.layout = layout, .at = sizeof(struct tdk_frame)};
    f.end = f.at + class->size;
    layout->count = 3;
    layout->fields[PACK_FIELD_TS] = (struct pack_field){offsetof(struct tdk_frame, ts), 8, true};
    layout->fields[PACK_FIELD_SEQ] = (struct pack_field){offsetof(struct tdk_frame, seq), 8, true};
    layout->fields[PACK_FIELD_FLAGS] =
        (struct pack_field){offsetof(struct tdk_frame, flags), 1, false};
    if (class->record) {
        add_all(&f, "11248");
        layout->fields[6].is_known = true;
        const char *fields = fields_of(class);
        if (fields != NULL)
            add_all(&f, fields);
    }
    for (unsigned size = 8; size > 0; size /= 2)
        while (f.end - f.at >= size)
            add(&f, size);
}
