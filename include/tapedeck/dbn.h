/*
 * dbn.h - records of the Databento Binary Encoding, and tapedeck's wide ticks, as they lie in a payload.
 *
 * Format: DBN versions 1 to 3. Little-endian, no implicit padding. Prices are i64 in 1e-9, INT64_MAX
 * undefined; times are ns since 1970 in UTC, UINT64_MAX undefined. A payload in a frame is 8-aligned, so
 * these structs may be laid over it once tdk_dbn_check() has passed it. Pure; any thread.
 */
#ifndef TAPEDECK_DBN_H
#define TAPEDECK_DBN_H

#include <stdbool.h>

#include "tapedeck/tick.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tdk_dbn_head {
    uint8_t length; /* of the whole record, in units of 4 bytes */
    uint8_t rtype;  /* enum tdk_rtype */
    uint16_t publisher_id;
    uint32_t instrument_id;
    uint64_t ts_event;
};
static_assert(sizeof(struct tdk_dbn_head) == 16, "a format");

enum tdk_rtype {
    TDK_RTYPE_TRADES = 0x00,
    TDK_RTYPE_MBP_1 = 0x01,
    TDK_RTYPE_MBP_10 = 0x0A,
    TDK_RTYPE_OHLCV = 0x11, /* deprecated */
    TDK_RTYPE_STATUS = 0x12,
    TDK_RTYPE_DEFINITION = 0x13,
    TDK_RTYPE_IMBALANCE = 0x14,
    TDK_RTYPE_ERROR = 0x15,
    TDK_RTYPE_SYMBOL_MAPPING = 0x16,
    TDK_RTYPE_SYSTEM = 0x17,
    TDK_RTYPE_STATISTICS = 0x18,
    TDK_RTYPE_OHLCV_1S = 0x20,
    TDK_RTYPE_OHLCV_1M = 0x21,
    TDK_RTYPE_OHLCV_1H = 0x22,
    TDK_RTYPE_OHLCV_1D = 0x23,
    TDK_RTYPE_OHLCV_EOD = 0x24,
    TDK_RTYPE_MBO = 0xA0,
    TDK_RTYPE_CMBP_1 = 0xB1,
    TDK_RTYPE_CBBO_1S = 0xC0,
    TDK_RTYPE_CBBO_1M = 0xC1,
    TDK_RTYPE_TCBBO = 0xC2,
    TDK_RTYPE_BBO_1S = 0xC3,
    TDK_RTYPE_BBO_1M = 0xC4,
    TDK_RTYPE_WIDE_TRADE = 0xE0, /* private to tapedeck, only in frames of TDK_TYPE_WIDE */
    TDK_RTYPE_WIDE_QUOTE = 0xE1,
};

/* Sizes in 1e-9, for venues that trade fractions. */
struct tdk_wide_trade {
    struct tdk_dbn_head head;
    int64_t price;
    uint64_t size; /* 1e-9; UINT64_MAX undefined */
    uint64_t id;   /* the venue's, 0: none */
    uint64_t sequence;
    char side;     /* 'A', 'B', 'N' as in DBN */
    uint8_t flags; /* as in DBN */
    uint16_t kind; /* 0: a trade; else the track's property "message_type.KIND" names it */
    uint32_t zero;
};
static_assert(sizeof(struct tdk_wide_trade) == 56, "a format");

struct tdk_wide_quote {
    struct tdk_dbn_head head;
    int64_t bid_px, ask_px;
    uint64_t bid_sz, ask_sz; /* 1e-9 */
    uint8_t flags;
    uint8_t zero[7];
};
static_assert(sizeof(struct tdk_wide_quote) == 56, "a format");

/* A payload of TDK_TYPE_DBN or TDK_TYPE_WIDE holds one whole record: its length byte agrees with
 * `size`, its rtype is known and has this size in some version of DBN (8 bytes more with a send time behind
 * it). */
static inline bool tdk_dbn_check(uint8_t type, const void *payload, uint32_t size)
{
    if (size < sizeof(struct tdk_dbn_head) || (size & 3) != 0)
        return false;
    const struct tdk_dbn_head *head = (const struct tdk_dbn_head *)payload;
    if (head->length * 4u != size)
        return false;
    if (type == TDK_TYPE_WIDE)
        return size == 56 &&
               (head->rtype == TDK_RTYPE_WIDE_TRADE || head->rtype == TDK_RTYPE_WIDE_QUOTE);
    switch (head->rtype) {
    case TDK_RTYPE_TRADES:
        return size == 48 || size == 56;
    case TDK_RTYPE_MBP_1:
    case TDK_RTYPE_CMBP_1:
    case TDK_RTYPE_CBBO_1S:
    case TDK_RTYPE_CBBO_1M:
    case TDK_RTYPE_TCBBO:
    case TDK_RTYPE_BBO_1S:
    case TDK_RTYPE_BBO_1M:
        return size == 80 || size == 88;
    case TDK_RTYPE_MBP_10:
        return size == 368 || size == 376;
    case TDK_RTYPE_OHLCV:
    case TDK_RTYPE_OHLCV_1S:
    case TDK_RTYPE_OHLCV_1M:
    case TDK_RTYPE_OHLCV_1H:
    case TDK_RTYPE_OHLCV_1D:
    case TDK_RTYPE_OHLCV_EOD:
    case TDK_RTYPE_MBO:
        return size == 56 || size == 64;
    case TDK_RTYPE_STATUS:
        return size == 40 || size == 48;
    case TDK_RTYPE_DEFINITION:
        return size == 360 || size == 368 || size == 400 || size == 408 || size == 520 ||
               size == 528;
    case TDK_RTYPE_IMBALANCE:
        return size == 112 || size == 120;
    case TDK_RTYPE_ERROR:
    case TDK_RTYPE_SYSTEM:
        return size == 80 || size == 88 || size == 320 || size == 328;
    case TDK_RTYPE_SYMBOL_MAPPING:
        return size == 80 || size == 88 || size == 176 || size == 184;
    case TDK_RTYPE_STATISTICS:
        return size == 64 || size == 72 || size == 80 || size == 88;
    default:
        return false;
    }
}

#ifdef __cplusplus
}
#endif
#endif
