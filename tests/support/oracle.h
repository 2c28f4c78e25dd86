/*
 * oracle.h - a synthetic market on a tape, and in memory what every query of it must answer.
 *
 * It has ticks of several tracks and epochs, with everything that time can do: ties by the hundred,
 * disorder, absurd stamps. The answer is computed in the plainest way: look at every tick, sort
 * nothing, merge by comparing all heads.
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
    unsigned track; /* the track's number in the oracle, by name */
    uint64_t epoch, seq, ts, event_ts;
    uint32_t instrument_id;
    uint8_t type;
    int rtype; /* -1: none */
    uint32_t size;
    unsigned char payload[ORACLE_PAYLOAD];
};

/* On this track, in this epoch, the id means this symbol from `from` up to `to`. */
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
    unsigned disorder;       /* ns by which time may go back */
    unsigned odd;            /* one tick in this many has an absurd time; 0: none */
    uint32_t block_size;
    uint64_t segment_size;
};

/* Make a new folder under /tmp with the tape in it. Asserts that everything works. */
void oracle_make(struct oracle *oracle, uint64_t seed, const struct oracle_plan *plan);
void oracle_remove(struct oracle *oracle); /* removes the folder, too */

uint64_t oracle_random(struct oracle *oracle, uint64_t below);

/* The correct answer to the query, as places in oracle->ticks; malloc'ed. */
size_t *oracle_answer(const struct oracle *oracle, const struct tdk_query *query, size_t *count);

#endif
