/*
 * moment.h - points in time as people write them, absolute or relative to a clock or a tape; and
 * RFC 3339 back.
 *
 *   1700000000123456789            ns since 1970-01-01T00:00:00Z
 *   2026-11-20T09:30:00.5+01:00    RFC 3339 with its zone, up to 9 digits
 *   2026-11-20                     the start of that UTC day
 *   now  now-5m  start+10m  end    relative to the clock, or to the tape's own times
 *
 * Reading has two steps: parse the words, then resolve them. So what is badly written is refused
 * before a tape is opened. Nothing is guessed. TDK_EVALUE: a time has no zone and no zone was
 * named, or its zone does not have that time, or has it twice. Parsing a time in a named zone asks
 * libc through TZ: call it only from main's thread, before others run. The rest is pure.
 */
#ifndef TDK_BASE_MOMENT_H
#define TDK_BASE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "tapedeck/err.h"

enum moment_anchor {
    MOMENT_UNSET = 0, /* not given */
    MOMENT_ABSOLUTE,
    MOMENT_NOW,
    MOMENT_START, /* the tape's lowest ts */
    MOMENT_END,   /* the tape's highest ts + 1 */
};

struct moment {
    const char *text; /* as written, borrowed; NULL: not given */
    enum moment_anchor anchor;
    bool before; /* subtract `ns` from the anchor instead of adding it */
    uint64_t ns; /* absolute, or the distance from the anchor */
};

/* `zone` is for times that have none: "Europe/Berlin", "UTC", "+01:00". NULL: such times are
 * refused. */
int moment_parse(const char *text, const char *zone, struct moment *moment, struct tdk_err *err);

/* 0 if this host knows `zone`, otherwise TDK_EVALUE. */
int moment_check_zone(const char *zone, struct tdk_err *err);

/* What the anchors mean: ns since 1970. */
struct moment_bounds {
    uint64_t now, start, end;
};

/* `unset` if no moment was given. The result is clamped to what a u64 holds: a range that begins
 * before 1970 begins at 0. */
uint64_t moment_resolve(const struct moment *moment, const struct moment_bounds *bounds,
                        uint64_t unset);

/* Must the tape be known to resolve it? */
static inline bool moment_needs_tape(const struct moment *moment)
{
    return moment->anchor == MOMENT_START || moment->anchor == MOMENT_END;
}

/* "2026-11-20T09:30:00.000000000Z". UINT64_MAX is "undefined". Returns `text`. */
#define MOMENT_TEXT 32
char *moment_text(char text[MOMENT_TEXT], uint64_t ns);

#endif
