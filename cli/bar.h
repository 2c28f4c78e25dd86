/*
 * bar.h - ticks of an interval as one bar: prices, volume, the last quote.
 *
 * A price is a trade's: of trades, of a book's records whose action is a trade, of bars that came
 * as records, of wide trades. Prices and sizes are exact, in 1e-9. Pure; any thread.
 */
#ifndef TDK_CLI_BAR_H
#define TDK_CLI_BAR_H

#include "tapedeck/dbn.h"

struct bar {
    uint64_t ticks, trades;         /* trades: ticks that bear a price, a bar among them */
    int64_t open, high, low, close; /* no trade: TDK_PRICE_UNDEFINED */
    int64_t bid, ask;               /* the last; none: TDK_PRICE_UNDEFINED */
    uint64_t volume, volume_nano;   /* whole ones, and 1e-9 beside them: 2^64-1 at most, no more */
};

void bar_init(struct bar *bar);

/* One tick whose payload lies behind its frame; what is no record of DBN or ours is only counted.
 */
void bar_add(struct bar *bar, const struct tdk_frame *frame);

#endif
