/*
 * moment.h - points in time: what people write, relative to a clock or a tape, and RFC 3339 back.
 *
 *   1700000000123456789            ns since 1970-01-01T00:00:00Z
 *   2026-11-20T09:30:00.5+01:00    RFC 3339 with its zone, up to 9 digits
 *   2026-11-20                     that UTC day's start
 *   now  now-5m  start+10m  end    relative to the clock, or to the tape's own times
 *
 * Reading has two steps, so that what is badly written is refused before a tape is opened: parse
 * the words, then resolve them. Nothing is guessed: a time without zone is TDK_EVALUE unless a zone
 * was named, and so is one that its zone does not have, or has twice. Parsing a time in a named
 * zone asks libc through TZ: from main's thread only, before others run. The rest is pure.
 */
#ifndef TDK_BASE_MOMENT_H
#define TDK_BASE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "tapedeck/err.h"

enum moment_anchor {
    MOMENT_UNSET = 0, /* nobody said anything */
    MOMENT_ABSOLUTE,
    MOMENT_NOW,
    MOMENT_START, /* the tape's lowest ts */
    MOMENT_END,   /* the tape's highest ts + 1 */
};

struct moment {
    const char *text; /* as written, borrowed; NULL: nobody said anything */
    enum moment_anchor anchor;
    bool before; /* subtract `ns` from the anchor instead of adding it */
    uint64_t ns; /* absolute, or the distance from the anchor */
};

/* `zone`: "Europe/Berlin", "UTC", "+01:00" for times that bear none; NULL: those are refused. */
int moment_parse(const char *text, const char *zone, struct moment *moment, struct tdk_err *err);

/* 0 if `zone` can be had on this host, else TDK_EVALUE. */
int moment_check_zone(const char *zone, struct tdk_err *err);

/* What the anchors mean: ns since 1970. */
struct moment_bounds {
    uint64_t now, start, end;
};

/* `unset` when nobody said anything. Clamped to what a u64 holds: a range that begins before 1970
 * begins at 0. */
uint64_t moment_resolve(const struct moment *moment, const struct moment_bounds *bounds,
                        uint64_t unset);

/* Does it need to know the tape? */
static inline bool moment_needs_tape(const struct moment *moment)
{
    return moment->anchor == MOMENT_START || moment->anchor == MOMENT_END;
}

/* "2026-11-20T09:30:00.000000000Z"; UINT64_MAX is "undefined". Returns `text`. */
#define MOMENT_TEXT 32
char *moment_text(char text[MOMENT_TEXT], uint64_t ns);

#endif
