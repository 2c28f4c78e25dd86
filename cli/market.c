#include "cli/market.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CENT      INT64_C(10000000)             /* in 1e-9 */
#define FIRST_TS  UINT64_C(1767623400000000000) /* 2026-01-05T14:30:00Z: New York opens */
#define TRADE_IN  5u                            /* one event in this many is a trade */
#define F_LAST    0x80u                         /* DBN: the last record of its event */
#define PUBLISHER 1u

struct market_book {
    int64_t mid;  /* cents */
    int64_t home; /* where it began; it tends back to it */
    uint32_t bid_sz, ask_sz, bid_ct, ask_ct;
    int32_t spread; /* cents, at least 1 */
};

/* Walker's alias table: pick a slot at random, then either the slot's own symbol or the one that
 * shares the slot. The weight of symbol i is 1 / (i + 1). */
static int fill_alias(struct market *m)
{
    uint32_t n = m->symbols, small = 0, large = n;
    double *weight = calloc(n, sizeof *weight), sum = 0;
    uint32_t *stack = calloc(n, sizeof *stack); /* small ones from the front, large from the back */
    if (weight == NULL || stack == NULL) {
        free(weight);
        free(stack);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < n; i++)
        sum += 1.0 / (i + 1);
    for (uint32_t i = 0; i < n; i++) {
        weight[i] = n / (sum * (i + 1));
        stack[weight[i] < 1.0 ? small++ : --large] = i;
        m->alias[i] = i;
        m->cut[i] = UINT32_MAX;
    }
    while (small > 0 && large < n) {
        uint32_t poor = stack[--small], rich = stack[large];
        m->cut[poor] = (uint32_t)(weight[poor] * 4294967295.0);
        m->alias[poor] = rich;
        weight[rich] -= 1.0 - weight[poor];
        if (weight[rich] < 1.0) {
            large++;
            stack[small++] = rich;
        }
    }
    free(weight);
    free(stack);
    return 0;
}

static uint32_t pick(struct market *m)
{
    uint64_t r = random_next(&m->random);
    uint32_t slot = (uint32_t)((r >> 32) * m->symbols >> 32);
    return (uint32_t)r <= m->cut[slot] ? slot : m->alias[slot];
}

static void book_begin(struct market *m, struct market_book *book)
{
    book->home = 1000 + random_below(&m->random, 50000); /* 10.00 to 510.00 */
    book->mid = book->home;
    book->spread = 1 + (int32_t)random_below(&m->random, 3);
    book->bid_sz = book->ask_sz = 100;
    book->bid_ct = book->ask_ct = 1;
}

int market_open(struct market *m, enum market_kind kind, uint32_t symbols, uint64_t seed)
{
    *m = (struct market){
        .random = {.state = seed}, .kind = kind, .symbols = symbols, .ts = FIRST_TS};
    m->books = calloc(symbols, sizeof *m->books);
    m->alias = calloc(symbols, sizeof *m->alias);
    m->cut = calloc(symbols, sizeof *m->cut);
    int rc = -ENOMEM;
    if (m->books != NULL && m->alias != NULL && m->cut != NULL)
        rc = fill_alias(m);
    if (rc < 0) {
        market_close(m);
        return rc;
    }
    for (uint32_t i = 0; i < symbols; i++)
        book_begin(m, &m->books[i]);
    return 0;
}

void market_close(struct market *m)
{
    free(m->books);
    free(m->alias);
    free(m->cut);
    *m = (struct market){.books = NULL};
}

char *market_name(char name[MARKET_NAME], uint32_t instrument_id)
{
    snprintf(name, MARKET_NAME, "S%03u", instrument_id - 1);
    return name;
}

/* Looks at the number that the next event will draw anyway, so it does not change the sequence. */
static bool next_is_trade(const struct market *m)
{
    struct random ahead = m->random;
    return random_below(&ahead, TRADE_IN) == 0;
}

uint32_t market_next_size(struct market *m)
{
    bool trade = m->kind == MARKET_TRADES || (m->kind == MARKET_MIXED && next_is_trade(m));
    return trade ? sizeof(struct tdk_dbn_trades) : sizeof(struct tdk_dbn_mbp_1);
}

/* Advance the time: mostly by microseconds, now and then by milliseconds. */
static void clock_step(struct market *m, uint64_t r)
{
    uint64_t step = r & 0xffff;
    m->ts += (r >> 16 & 0xff) == 0 ? step * 512 : step;
}

/* Move by one cent now and then, more likely towards home, and let the spread vary. */
static void book_step(struct market_book *book, uint64_t r)
{
    uint32_t dice = (uint32_t)r & 0xff;
    int64_t pull = book->mid > book->home ? -1 : 1;
    if (dice < 40)
        book->mid += (r >> 8 & 1) != 0 ? 1 : -1;
    else if (dice < 42)
        book->mid += pull;
    if (book->mid < 10)
        book->mid = 10;
    if (dice >= 248)
        book->spread = 1 + (int32_t)(r >> 9 & 3);
    uint32_t size = 1 + (uint32_t)(r >> 16 & 0x3ff);
    if ((r >> 11 & 1) != 0) {
        book->bid_sz = size;
        book->bid_ct = 1 + size / 128;
    } else {
        book->ask_sz = size;
        book->ask_ct = 1 + size / 128;
    }
}

static struct tdk_dbn_head head_of(const struct market *m, uint32_t symbol, uint8_t rtype,
                                   size_t size)
{
    return (struct tdk_dbn_head){.length = (uint8_t)(size / 4),
                                 .rtype = rtype,
                                 .publisher_id = PUBLISHER,
                                 .instrument_id = symbol + 1,
                                 .ts_event = m->ts};
}

static void write_trade(struct market *m, uint32_t symbol, uint64_t r, void *record)
{
    const struct market_book *book = &m->books[symbol];
    bool buyer = (r >> 40 & 1) != 0; /* the one who began the trade pays the spread */
    struct tdk_dbn_trades trade = {
        .head = head_of(m, symbol, TDK_RTYPE_TRADES, sizeof trade),
        .price = (buyer ? book->mid + book->spread : book->mid) * CENT,
        .size = 1 + (uint32_t)(r >> 41 & 0x7f),
        .action = 'T',
        .side = buyer ? 'B' : 'A',
        .flags = F_LAST,
        .ts_recv = m->ts + 1500 + (r >> 48 & 0x3ff),
        .ts_in_delta = 1200,
        .sequence = m->sequence,
    };
    memcpy(record, &trade, sizeof trade);
}

static void write_quote(struct market *m, uint32_t symbol, uint64_t r, void *record)
{
    const struct market_book *book = &m->books[symbol];
    bool bid = (r >> 11 & 1) != 0;
    int64_t bid_px = book->mid * CENT, ask_px = (book->mid + book->spread) * CENT;
    struct tdk_dbn_mbp_1 quote = {
        .head = head_of(m, symbol, TDK_RTYPE_MBP_1, sizeof quote),
        .price = bid ? bid_px : ask_px,
        .size = bid ? book->bid_sz : book->ask_sz,
        .action = 'M',
        .side = bid ? 'B' : 'A',
        .flags = F_LAST,
        .ts_recv = m->ts + 1500 + (r >> 48 & 0x3ff),
        .ts_in_delta = 1200,
        .sequence = m->sequence,
        .levels = {{bid_px, ask_px, book->bid_sz, book->ask_sz, book->bid_ct, book->ask_ct}},
    };
    memcpy(record, &quote, sizeof quote);
}

void market_next(struct market *m, void *record)
{
    bool trade = market_next_size(m) == sizeof(struct tdk_dbn_trades);
    uint64_t r = random_next(&m->random); /* the number that next_is_trade() looked at */
    uint32_t symbol = pick(m);
    clock_step(m, random_next(&m->random));
    book_step(&m->books[symbol], r);
    m->sequence++;
    if (trade)
        write_trade(m, symbol, r, record);
    else
        write_quote(m, symbol, r, record);
}
