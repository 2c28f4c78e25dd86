/*
 * seeds.h - runs one case for each of many seeds: as many as time allows, and always those that
 * failed once.
 *
 * $TDK_SEED runs that seed alone (to examine it), $TDK_SEEDS that many, $TDK_SECONDS limits the
 * time.
 */
#ifndef TDK_TESTS_SEEDS_H
#define TDK_TESTS_SEEDS_H

#include "tests/support/check.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* Under a sanitizer the same takes five to ten times as long. So there are fewer rounds; runs
 * without one cover the rest. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SEEDS_SANITIZED true
#endif
#endif
#ifndef SEEDS_SANITIZED
#define SEEDS_SANITIZED false
#endif

/* The first thing that is wrong with a case, in words. */
struct verdict {
    char text[600]; /* empty: nothing */
};

/* Blame the case. Returns false, for the caller to return. */
static inline bool __attribute__((format(printf, 2, 3)))
verdict_blame(struct verdict *verdict, const char *format, ...)
{
    va_list args;
    if (verdict->text[0] != '\0')
        return false;
    va_start(args, format);
    vsnprintf(verdict->text, sizeof verdict->text, format, args);
    va_end(args);
    return false;
}

struct seeds {
    const char *name;
    void (*run)(uint64_t seed, struct verdict *verdict);
    const uint64_t *kept; /* seeds that failed once, ended by 0 */
    unsigned count;       /* unless $TDK_SEEDS says otherwise */
    unsigned seconds;     /* unless $TDK_SECONDS says otherwise */
};

static inline unsigned seeds_number(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static inline void seeds_one(const struct seeds *seeds, uint64_t seed)
{
    struct verdict verdict = {.text = ""};
    seeds->run(seed, &verdict);
    if (verdict.text[0] != '\0')
        fail_msg("%s: seed %llu: %s (again: TDK_SEED=%llu)", seeds->name, (unsigned long long)seed,
                 verdict.text, (unsigned long long)seed);
}

/* Fails the calling test at the first seed that fails. */
static inline void seeds_hold(const struct seeds *seeds)
{
    struct timespec now;
    const char *one = getenv("TDK_SEED");
    if (one != NULL) {
        seeds_one(seeds, strtoull(one, NULL, 10));
        return;
    }
    for (const uint64_t *kept = seeds->kept; *kept != 0; kept++)
        seeds_one(seeds, *kept);
    unsigned count = seeds_number("TDK_SEEDS", seeds->count), done = 0;
    time_t seconds = seeds_number("TDK_SECONDS", seeds->seconds);
    timespec_get(&now, TIME_UTC);
    time_t end = now.tv_sec + seconds;
    for (; done < count && now.tv_sec < end; done++) {
        seeds_one(seeds, 1 + done);
        timespec_get(&now, TIME_UTC);
    }
    print_message("%s: %u seeds held\n", seeds->name, done);
}

/* The control: one of this many seeds must fail. Returns it, else 0. */
static inline unsigned seeds_failing(const struct seeds *seeds, unsigned count)
{
    unsigned failed = 0;
    if (getenv("TDK_SEED") != NULL)
        skip(); /* somebody is examining a single seed */
    for (unsigned i = 0; i < count && failed == 0; i++) {
        struct verdict verdict = {.text = ""};
        seeds->run(1 + i, &verdict);
        failed += verdict.text[0] != '\0';
    }
    return failed;
}

#endif
