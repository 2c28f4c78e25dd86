/*
 * oracle.h - a made-up market on a tape, and in memory what every query of it must answer.
 *
 * Ticks of several tracks and epochs with all that time can do: ties by the hundred, disorder,
 * absurd stamps. The answer is worked out in the plainest way: look at every tick, sort nothing,
 * merge by comparing all heads.
 */
#ifndef TDK_TESTS_ORACLE_H
#define TDK_TESTS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/tape.h"
#include "tests/support/dice.h"

enum { ORACLE_PAYLOAD = 96 };

struct oracle_tick {
    unsigned track; /* number in the oracle, by name */
    uint64_t epoch, seq, ts, event_ts;
    uint32_t instrument_id;
    uint8_t type;
    int rtype; /* -1: none */
    uint32_t size;
    unsigned char payload[ORACLE_PAYLOAD];
};

/* On one track in one epoch, from `from` up to `to`, the id means this. */
struct oracle_symbol {
    unsigned track;
    uint64_t epoch;
    uint32_t instrument_id;
    uint64_t from, to;
    char symbol[24];
};

struct oracle {
    struct dice dice;
    char path[64];
    const char *names[8]; /* bytewise ascending */
    unsigned tracks;
    struct oracle_tick *ticks; /* by track, epoch, seq */
    size_t count, room;
    struct oracle_symbol *symbols;
    size_t symbol_count, symbol_room;
};

struct oracle_plan {
    unsigned tracks, epochs; /* of each track */
    unsigned ticks;          /* of each epoch */
    unsigned disorder;       /* ns that time may go back */
    unsigned odd;            /* one in so many is stamped absurdly; 0: none */
    uint32_t block_size;
    uint64_t segment_size;
};

/* A fresh folder under /tmp, and the tape in it. Asserts that all works. */
void oracle_make(struct oracle *oracle, uint64_t seed, const struct oracle_plan *plan);
void oracle_remove(struct oracle *oracle); /* the folder too */

uint64_t oracle_random(struct oracle *oracle, uint64_t below);

/* What the query must answer: places in oracle->ticks, malloc'ed. */
size_t *oracle_answer(const struct oracle *oracle, const struct tdk_query *query, size_t *count);

#endif
