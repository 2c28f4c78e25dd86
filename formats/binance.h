/*
 * binance.h - trades and best bid and ask out of Binance's websocket messages.
 *
 *   {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,
 *    "p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}
 *
 * With or without the "stream" around it; spot, USD-M and COIN-M. Decimals are read digit by digit.
 * Most messages are flat objects and are read in place; others go through json-c. One thread.
 */
#ifndef TDK_FORMATS_BINANCE_H
#define TDK_FORMATS_BINANCE_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

enum binance_kind {
    BINANCE_OTHER,     /* no trade and no quote: depth, klines, answers to requests */
    BINANCE_TRADE,     /* "trade" */
    BINANCE_AGG_TRADE, /* "aggTrade": trades of one order at one price */
    BINANCE_QUOTE,     /* "bookTicker" */
};

struct binance_tick {
    enum binance_kind kind;
    const char *symbol; /* borrowed until the next call, while the message is there */
    size_t symbol_size;
    uint64_t ts_event; /* ns: of the transaction, else of sending; UINT64_MAX: neither is told */
    int64_t price, bid_px, ask_px;
    uint64_t size, id, bid_sz, ask_sz;
    char side; /* of whoever took: 'A' sold, 'B' bought */
};

struct binance_decoder;

int binance_open(struct binance_decoder **decoder);
void binance_close(struct binance_decoder *decoder);

/* TDK_EVALUE: no JSON, or a trade or quote in which something is missing or wrong. */
int binance_decode(struct binance_decoder *decoder, const char *bytes, size_t size,
                   struct binance_tick *tick, struct tdk_err *err);

#endif
