/*
 * binance.h - trades, and best bid and ask, from Binance's websocket messages.
 *
 *   {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,
 *    "p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}
 *
 * A message may come with or without the "stream" around it, from spot, USD-M or COIN-M. Decimals
 * are read digit by digit. Most messages are flat objects and are read in place; others go through
 * json-c. One thread.
 */
#ifndef TDK_FORMATS_BINANCE_H
#define TDK_FORMATS_BINANCE_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

enum binance_kind {
    BINANCE_OTHER,     /* neither a trade nor a quote: depth, klines, answers to requests */
    BINANCE_TRADE,     /* "trade" */
    BINANCE_AGG_TRADE, /* "aggTrade": the trades of one order at one price */
    BINANCE_QUOTE,     /* "bookTicker" */
};

struct binance_tick {
    enum binance_kind kind;
    const char *symbol; /* borrowed until the next call, and only while the message exists */
    size_t symbol_size;
    uint64_t ts_event; /* ns, of the transaction, else of sending; UINT64_MAX: unknown */
    int64_t price, bid_px, ask_px;
    uint64_t size, id, bid_sz, ask_sz;
    char side; /* of the taker: 'A' sold, 'B' bought */
};

struct binance_decoder;

int binance_open(struct binance_decoder **decoder);
void binance_close(struct binance_decoder *decoder);

/* TDK_EVALUE: not JSON, or a trade or quote in which something is missing or wrong. */
int binance_decode(struct binance_decoder *decoder, const char *bytes, size_t size,
                   struct binance_tick *tick, struct tdk_err *err);

#endif
