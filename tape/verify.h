/*
 * verify.h - is every byte of a tape what was written, and is all of it there?
 *
 * Reads every segment once, whole, and checks: the checksum of each head, block, table, catalogue
 * and foot; each block's frames against its head and its directory; the chains (block numbers, the
 * digest of the segment before, counts in footers, the seqs of each epoch without a hole); and,
 * where the index would be trusted, that it says exactly what the segments say. Nothing is changed.
 * Independent of the cursor: it shares none of its code.
 *
 * Segments are read by several threads. The callbacks come from the caller's own thread, findings
 * in segment order.
 */
#ifndef TDK_TAPE_VERIFY_H
#define TDK_TAPE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

/* One thing that is not as it should be. */
struct verify_finding {
    uint64_t segment; /* number; 0 and no path: the tape as a whole, or its index */
    uint64_t offset;  /* in the file; UINT64_MAX: the file as a whole */
    int code;         /* TDK_ECORRUPT, TDK_EFOREIGN, TDK_EHOLE, ...; -ENOENT: missing segments */
    const char *what; /* one line that names segment and offset too */
};

struct verify_totals {
    uint64_t findings;
    /* Segments that were moved and whose disk is not there. Only their foot was looked at; that is
     * no finding. */
    uint64_t away;
    uint64_t bad_blocks; /* blocks that a footer lists and that cannot be read: one finding each */
    uint64_t segments, blocks, ticks, bytes; /* looked at so far */
    uint64_t bytes_total;                    /* of all segments */
};

struct verify_options {
    unsigned threads; /* 0: one for each processor */
    void (*finding)(const struct verify_finding *finding, void *context); /* NULL: not reported */
    void (*away)(uint64_t segment, const char *why, void *context);       /* NULL: likewise */
    /* The tape's index is not compared: the caller may not read it, or not now. NULL: likewise. */
    void (*unread)(const char *why, void *context);
    void (*progress)(const struct verify_totals *totals, void *context); /* a few times a second */
    void *context;
};

/* PATH is a tape's directory or one segment file. 0: it was read to its end, whatever was found;
 * totals->findings says how much. Negative: the tape could not be looked at at all. */
int tape_verify(const char *path, const struct verify_options *options,
                struct verify_totals *totals, struct tdk_err *err);

#endif
