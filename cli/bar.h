/*
 * bar.h - the ticks of an interval as one bar: prices, volume, the last quote.
 *
 * A price is a trade's. It comes from trades, from a book's records whose action is a trade, from
 * bars that were recorded as such, and from wide trades. Prices and sizes are exact, in 1e-9. Pure;
 * any thread.
 */
#ifndef TDK_CLI_BAR_H
#define TDK_CLI_BAR_H

#include "tapedeck/dbn.h"

struct bar {
    uint64_t ticks, trades;         /* trades: ticks that have a price, including bars */
    int64_t open, high, low, close; /* no trade: TDK_PRICE_UNDEFINED */
    int64_t bid, ask;               /* the last ones; none: TDK_PRICE_UNDEFINED */
    uint64_t volume, volume_nano;   /* whole units, and 1e-9 besides; stops at 2^64-1 */
};

void bar_init(struct bar *bar);

/* Add one tick, whose payload follows its frame. What is no record of DBN or ours is only
 * counted. */
void bar_add(struct bar *bar, const struct tdk_frame *frame);

#endif
