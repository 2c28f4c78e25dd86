#include "cli/bar.h"

#define NANO UINT64_C(1000000000)

void bar_init(struct bar *bar)
{
    const int64_t none = TDK_PRICE_UNDEFINED;
    *bar = (struct bar){
        .open = none, .high = none, .low = none, .close = none, .bid = none, .ask = none};
}

static void add_volume(struct bar *bar, uint64_t whole, uint64_t nano)
{
    nano += bar->volume_nano;
    if (__builtin_add_overflow(bar->volume, whole, &bar->volume) ||
        __builtin_add_overflow(bar->volume, nano / NANO, &bar->volume))
        bar->volume = UINT64_MAX;
    bar->volume_nano = nano % NANO;
}

static void add_prices(struct bar *bar, int64_t open, int64_t high, int64_t low, int64_t close)
{
    bool first = bar->trades == 0;
    bar->open = first ? open : bar->open;
    bar->high = first || high > bar->high ? high : bar->high;
    bar->low = first || low < bar->low ? low : bar->low;
    bar->close = close;
    bar->trades++;
}

static void add_price(struct bar *bar, int64_t price)
{
    if (price != TDK_PRICE_UNDEFINED)
        add_prices(bar, price, price, price, price);
}

static void add_trade(struct bar *bar, int64_t price, uint32_t size)
{
    add_price(bar, price);
    add_volume(bar, size != UINT32_MAX ? size : 0, 0); /* not set */
}

static void add_quote(struct bar *bar, int64_t bid, int64_t ask)
{
    bar->bid = bid;
    bar->ask = ask;
}

static void add_ohlcv(struct bar *bar, const struct tdk_dbn_ohlcv *record)
{
    const int64_t none = TDK_PRICE_UNDEFINED;
    if (record->open == none || record->high == none || record->low == none ||
        record->close == none)
        return;
    add_prices(bar, record->open, record->high, record->low, record->close);
    add_volume(bar, record->volume, 0);
}

static void add_wide(struct bar *bar, const struct tdk_dbn_head *head)
{
    if (head->rtype == TDK_RTYPE_WIDE_TRADE) {
        const struct tdk_wide_trade *trade = (const struct tdk_wide_trade *)head;
        uint64_t size = trade->size != UINT64_MAX ? trade->size : 0;
        add_price(bar, trade->price);
        add_volume(bar, size / NANO, size % NANO);
    } else {
        const struct tdk_wide_quote *quote = (const struct tdk_wide_quote *)head;
        add_quote(bar, quote->bid_px, quote->ask_px);
    }
}

/* Add the best level of a book, and the trade if the record is about one. Records of one and of ten
 * levels, of one venue and of several, are alike up to the first level's prices. */
static void add_book(struct bar *bar, const struct tdk_dbn_mbp_1 *record)
{
    if (record->action == 'T')
        add_trade(bar, record->price, record->size);
    add_quote(bar, record->levels[0].bid_px, record->levels[0].ask_px);
}

static void add_dbn(struct bar *bar, const struct tdk_dbn_head *head)
{
    const struct tdk_dbn_trades *trade = (const struct tdk_dbn_trades *)head;
    const struct tdk_dbn_mbo *order = (const struct tdk_dbn_mbo *)head;
    const struct tdk_dbn_bbo *quote = (const struct tdk_dbn_bbo *)head;
    switch (head->rtype) {
    case TDK_RTYPE_TRADES:
        add_trade(bar, trade->price, trade->size);
        break;
    case TDK_RTYPE_MBP_1:
    case TDK_RTYPE_MBP_10:
    case TDK_RTYPE_CMBP_1:
    case TDK_RTYPE_TCBBO:
        add_book(bar, (const struct tdk_dbn_mbp_1 *)head);
        break;
    case TDK_RTYPE_MBO:
        if (order->action == 'T')
            add_trade(bar, order->price, order->size);
        break;
    case TDK_RTYPE_BBO_1S:
    case TDK_RTYPE_BBO_1M:
    case TDK_RTYPE_CBBO_1S:
    case TDK_RTYPE_CBBO_1M:
        add_quote(bar, quote->levels[0].bid_px, quote->levels[0].ask_px);
        break;
    case TDK_RTYPE_OHLCV:
    case TDK_RTYPE_OHLCV_1S:
    case TDK_RTYPE_OHLCV_1M:
    case TDK_RTYPE_OHLCV_1H:
    case TDK_RTYPE_OHLCV_1D:
    case TDK_RTYPE_OHLCV_EOD:
        add_ohlcv(bar, (const struct tdk_dbn_ohlcv *)head);
        break;
    default:
        break;
    }
}

void bar_add(struct bar *bar, const struct tdk_frame *frame)
{
    const struct tdk_dbn_head *head = (const struct tdk_dbn_head *)(frame + 1);
    if (frame->type >= TDK_TYPE_CONTROL || frame->type == TDK_TYPE_PADDING)
        return;
    bar->ticks++;
    if (frame->type > TDK_TYPE_WIDE || !tdk_dbn_check(frame->type, head, frame->size))
        return;
    if (frame->type == TDK_TYPE_WIDE)
        add_wide(bar, head);
    else
        add_dbn(bar, head);
}
