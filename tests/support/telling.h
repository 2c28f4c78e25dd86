/*
 * telling.h - what a tape tells, for tests: its ticks and their digest, its gaps, and what verify
 * finds. What fails, fails the test it runs in.
 */
#ifndef TDK_TESTS_TELLING_H
#define TDK_TESTS_TELLING_H

#include "tests/support/asking.h"

#include <string.h>

#include "tape/verify.h"
#include "tapedeck/digest.h"
#include "tests/support/taping.h"

/* ---- its ticks ---- */

struct told {
    uint64_t ticks;
    unsigned damages;
    char digest[33];
};

/* Damage on the way must be told with the words of `why`; NULL: there may be none. */
static inline struct told telling_ticks(struct tdk_tape *tape, bool reverse, const char *why)
{
    const struct tdk_query all = {.to = UINT64_MAX, .reverse = reverse};
    struct tdk_cursor *cursor = asking_cursor(tape, &all);
    struct tdk_digest *digest;
    struct tdk_err err;
    struct tdk_run run;
    struct told told = {.ticks = 0};
    int rc;
    assert_int_equal(tdk_digest_open(&digest), 0);
    while ((rc = tdk_cursor_read(cursor, &run, &err)) == 1 || (rc == TDK_ECORRUPT && why != NULL)) {
        if (rc == 1) {
            tdk_digest_run(digest, run.track, run.epoch, run.frames, run.size);
            told.ticks += run.ticks;
            continue;
        }
        told.damages++;
        assert_non_null(strstr(err.text, why));
    }
    taping_ok(rc, &err);
    uint8_t value[16];
    tdk_digest_value(digest, value, told.digest);
    tdk_cursor_close(cursor);
    tdk_digest_close(digest);
    return told;
}

/* Backwards there must be as many. */
static inline struct told telling_all(const char *path, const char *why)
{
    struct tdk_tape *tape = asking_open(path);
    struct told told = telling_ticks(tape, false, why);
    assert_int_equal(telling_ticks(tape, true, why).ticks, told.ticks);
    tdk_tape_close(tape);
    return told;
}

/* ---- its gaps ---- */

struct told_gaps {
    uint64_t ticks, lost, damaged, retired, away;
    uint64_t missing; /* by its gaps, of which there are so many */
    unsigned gaps;
    uint64_t segments; /* that are not there, or lost their end */
};

/* A struct tdk_coverage_walk's; `context` is a struct told_gaps. */
static inline int telling_on_gap(const struct tdk_gap *gap, void *context)
{
    struct told_gaps *told = context;
    assert_true(gap->away == (gap->reason == TDK_LOSS_AWAY));
    assert_true(gap->retired == (gap->reason == TDK_LOSS_RETIRED));
    assert_true(gap->damaged + gap->retired + gap->away <= 1);
    told->gaps++;
    told->missing += gap->count;
    return 0;
}

static inline int telling_on_lost(const struct tdk_lost_segments *lost, void *context)
{
    struct told_gaps *told = context;
    told->segments += lost->last - lost->first + 1;
    return 0;
}

static inline int telling_on_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct told_gaps *told = context;
    told->ticks += epoch->ticks;
    told->lost += epoch->lost;
    told->damaged += epoch->damaged;
    told->retired += epoch->retired;
    told->away += epoch->away;
    return 0;
}

static inline struct told_gaps telling_gaps(const char *path)
{
    struct tdk_tape *tape = asking_open(path);
    struct tdk_err err;
    struct told_gaps told = {.ticks = 0};
    const struct tdk_query all = {.to = UINT64_MAX};
    const struct tdk_coverage_walk walk = {.lost = telling_on_lost,
                                           .gap = telling_on_gap,
                                           .epoch = telling_on_epoch,
                                           .context = &told};
    taping_ok(tdk_tape_coverage(tape, &all, &walk, &err), &err);
    tdk_tape_close(tape);
    assert_int_equal(told.lost + told.damaged + told.retired + told.away, told.missing);
    return told;
}

/* ---- what verify finds ---- */

static inline void telling_on_finding(const struct verify_finding *finding, void *context)
{
    (void)context;
    print_message("%s\n", finding->what);
}

static inline struct verify_totals telling_verify(const char *path)
{
    struct tdk_err err;
    struct verify_totals totals;
    const struct verify_options options = {.threads = 1, .finding = telling_on_finding};
    taping_ok(tape_verify(path, &options, &totals, &err), &err);
    return totals;
}

static inline void telling_whole(const char *path)
{
    struct verify_totals totals = telling_verify(path);
    assert_int_equal(totals.findings + totals.away, 0);
}

#endif
