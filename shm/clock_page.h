/*
 * clock_page.h - the page behind tapedeck/clock.h, as its player writes it.
 *
 *   file  NAME.clock in the rings directory, beside NAME.ring; one page may have several names
 *   offset  size
 *        0     8  magic "TDKCLCK1"
 *        8     4  version 1
 *       12     4  zero
 *       16     8  generation: words[generation % 2] are the current ones
 *       24    56  words[0]
 *       80    56  words[1]
 *   words
 *        0     8  state: enum tdk_clock_state
 *        8     8  floor: tape time is at least this
 *       16     8  until: tape time is at most this, the ts of the next tick
 *       24     8  anchor_ts: the tape time at anchor_mono
 *       32     8  anchor_mono: a time of CLOCK_MONOTONIC
 *       40     8  numerator of the speed; 0: time does not run by itself, it is `floor`
 *       48     8  denominator of the speed
 *
 * The writer fills the words that nobody reads, and then makes them current with one store. So a
 * writer that is interrupted or dies in between holds up nobody. The writer holds a lock on the
 * file. A page that nobody holds is a dead player's, and is ignored. A writer that takes its place,
 * or takes its own page away, holds a lock on the directory meanwhile. There is one writer, on one
 * thread.
 */
#ifndef TDK_SHM_CLOCK_PAGE_H
#define TDK_SHM_CLOCK_PAGE_H

#include "tapedeck/clock.h"

#define CLOCK_PAGE_MAGIC   UINT64_C(0x314b434c434b4454) /* "TDKCLCK1" */
#define CLOCK_PAGE_VERSION 1u

struct clock_words {
    uint64_t state;
    uint64_t floor, until;
    uint64_t anchor_ts, anchor_mono;
    uint64_t numerator, denominator;
};

struct clock_page {
    uint64_t magic;
    uint32_t version, zero;
    uint64_t generation;
    struct clock_words words[2];
};
static_assert(sizeof(struct clock_page) == 136, "shared between processes");

struct clock_writer;

/* Make the page whole under another name and then rename it. It replaces a dead player's page.
 * TDK_EBUSY: another player plays into a ring of this name. */
int clock_writer_open(struct clock_writer **writer, const char *ring, struct tdk_err *err);
void clock_writer_close(struct clock_writer *writer); /* removes the page; NULL is fine */

/* Make the same page the clock of this ring, too. TDK_EBUSY. */
int clock_writer_name(struct clock_writer *writer, const char *ring, struct tdk_err *err);

void clock_writer_set(struct clock_writer *writer, const struct clock_words *words);

/* The tape time that these words give at a moment of CLOCK_MONOTONIC. Pure. */
uint64_t clock_words_at(const struct clock_words *words, uint64_t mono_ns);

#endif
