/*
 * quantity.h - sizes, durations, counts, rates and speeds: from the text that people write, and
 * back.
 *
 * Every overflow is checked and nothing is guessed. If a text is not wholly a quantity, that is
 * TDK_EVALUE, and err says what would have been one. Results are untouched on failure. Pure; any
 * thread. Points in time are in moment.h.
 */
#ifndef TDK_BASE_QUANTITY_H
#define TDK_BASE_QUANTITY_H

#include <stdint.h>

#include "tapedeck/err.h"

/* "1000000": decimal digits and nothing else. */
int quantity_count(const char *text, uint64_t *count, struct tdk_err *err);

/* "64K" "1M" "2G" "1T", or plain bytes; powers of 1024. */
int quantity_size(const char *text, uint64_t *bytes, struct tdk_err *err);

/* "250ms" "1s" "5m" "1h" "2d", "10us", "1500ns", "0.5s". "0" needs no unit; everything else
 * does. */
int quantity_duration(const char *text, uint64_t *ns, struct tdk_err *err);

/* "1000" or "1000/s", at least 1. "max" is 0: as fast as possible. */
int quantity_rate(const char *text, uint64_t *per_second, struct tdk_err *err);

enum speed_kind {
    SPEED_MAX,        /* "max": as fast as possible */
    SPEED_SCALED,     /* "1x" "0.5x" "10x": numerator / denominator seconds of tape a second */
    SPEED_PER_SECOND, /* "1000/s": numerator ticks a second */
};

struct speed {
    enum speed_kind kind;
    uint64_t numerator, denominator; /* in lowest terms; 0 and 0 for max, N and 1 for N/s */
};

int quantity_speed(const char *text, struct speed *speed, struct tdk_err *err);

/* Twice and half as fast; half of max is 1x. A speed stays as it is where the result would
 * overflow, or be less than 0.000000001x or 1/s: every speed can be written. */
struct speed speed_faster(struct speed speed);
struct speed speed_slower(struct speed speed);

/* ---- back to text, for people; each fits QUANTITY_TEXT bytes and returns `text` ---- */
#define QUANTITY_TEXT 32

char *quantity_size_text(char text[QUANTITY_TEXT], uint64_t bytes); /* "64M" "1.5G" "873" */
char *quantity_count_text(char text[QUANTITY_TEXT],
                          uint64_t count); /* "873" "1.5M" "2.1G", by 1000 */
char *quantity_duration_text(char text[QUANTITY_TEXT], uint64_t ns); /* "873ns" "1.25ms" "2h05m" */
char *quantity_speed_text(char text[QUANTITY_TEXT], const struct speed *speed);

/* The word that goes with a count: 1 tick was, 2 ticks were. */
static inline const char *quantity_word(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

/* `count` in `ns` as a count a second. 0 if no time has passed. */
uint64_t quantity_per_second(uint64_t count, uint64_t ns);

#endif
