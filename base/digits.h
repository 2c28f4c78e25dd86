/*
 * digits.h - numbers and times as text, straight into the caller's memory; and a number back.
 *
 * For text that comes in hundreds of megabytes: no printf, no locale, nothing allocated. Each that
 * writes puts at most DIGITS_MAX bytes at `at`, no NUL, and returns the end of what it wrote. Pure;
 * any thread.
 */
#ifndef TDK_BASE_DIGITS_H
#define TDK_BASE_DIGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGITS_MAX ((size_t)32)

char *digits_u64(char *at, uint64_t value);
char *digits_i64(char *at, int64_t value);

/* Units of 1e-9, with all nine places: "3720.250000000", "-0.000100000". */
char *digits_nano(char *at, int64_t value);
char *digits_nano_u64(char *at, uint64_t value);

/* The same without zeros at the end: "3720.25", "-0.0001", "50000". It is the shortest text that is
 * exact. */
char *digits_short(char *at, int64_t value);
char *digits_short_u64(char *at, uint64_t value);

/* RFC 3339 with all nine digits: "2020-12-28T13:00:00.099150057Z". */
char *digits_time(char *at, uint64_t ns);

/* Are these `size` bytes a number below 2^32 in decimal digits, and nothing else? */
bool digits_read_u32(const char *text, size_t size, uint32_t *value);

#endif
