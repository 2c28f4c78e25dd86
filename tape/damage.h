/*
 * damage.h - what is wrong with a tape, as a rebuild or a recovery meets it: counted, and told in
 * words.
 */
#ifndef TDK_TAPE_DAMAGE_H
#define TDK_TAPE_DAMAGE_H

#include <stdint.h>

#include "tape/retired.h"

/* By count. `found` receives every case in words, if it is not NULL. */
struct damage {
    uint64_t blocks;  /* bad stretches in what was synced */
    uint64_t heads;   /* segment heads that fail their checksum; nothing else is lost with a head */
    uint64_t footers; /* of sealed segments that are bad; these segments are scanned instead */
    uint64_t segments; /* segments missing from the sequence, foreign, or unreadable */
    uint64_t torn;     /* bytes after the last good block: never acknowledged, so not damage */
    void (*found)(const char *text, void *context);
    void *context;
};

/* Report one case. `damage` may be NULL. */
void damage_tell(struct damage *damage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Report that files first to last are missing from the sequence of segments. */
void damage_tell_missing(struct damage *damage, uint64_t first, uint64_t last);

/* The same without those that were retired (NULL: none was). Returns how many are missing. */
uint64_t damage_tell_absent(struct damage *damage, const struct retired *retired, uint64_t first,
                            uint64_t last);

/* The sum of all but torn. */
uint64_t damage_count(const struct damage *damage);

#endif
