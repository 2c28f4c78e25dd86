/*
 * market.h - a market generated from a seed: trades and quotes of some symbols, as DBN records.
 *
 * It resembles a real one: few symbols have most of the ticks (Zipf), prices walk at random on a
 * grid of one cent, spreads open and close, times between events are mostly short. Everything in a
 * record, including its times, depends on the seed alone. Records are valid (dbn.h). Pure; one
 * owner.
 */
#ifndef TDK_CLI_MARKET_H
#define TDK_CLI_MARKET_H

#include <stddef.h>
#include <stdint.h>

#include "cli/random.h"
#include "tapedeck/dbn.h"

#define MARKET_SYMBOLS_MAX 65535u

enum market_kind {
    MARKET_MIXED,  /* one trade for every few changes of a quote */
    MARKET_TRADES, /* rtype 0x00, 48 bytes */
    MARKET_QUOTES, /* rtype 0x01 (mbp-1), 80 bytes */
};

struct market_book; /* of one symbol */

struct market {
    struct random random;
    enum market_kind kind;
    uint32_t symbols;
    struct market_book *books; /* owned */
    uint32_t *alias;           /* owned; Walker's table for picking a symbol by its weight */
    uint32_t *cut;             /* owned */
    uint64_t ts;               /* the market's own clock */
    uint32_t sequence;
};

/* `symbols` from 1 to MARKET_SYMBOLS_MAX. -ENOMEM. */
int market_open(struct market *market, enum market_kind kind, uint32_t symbols, uint64_t seed);
void market_close(struct market *market);

/* Instrument ids are 1 to `symbols`. Their names are "S000" and so on. Returns `name`. */
#define MARKET_NAME 16
char *market_name(char name[MARKET_NAME], uint32_t instrument_id);

/* First ask for the size of the next record: 48 or 80. Then have it written to `record`,
 * 8-aligned. */
uint32_t market_next_size(struct market *market);
void market_next(struct market *market, void *record);

#endif
