/*
 * mark.h - moments that somebody wanted to find again: MARK frames, and those a catalogue has
 * learned.
 *
 * A MARK frame's payload is the name; if a time before it is to be kept with it, a NUL and the ns
 * (u64) follow. Names are data from feeds: control bytes and what is longer than 64 is left out of
 * what is listed. Pure but for malloc; one thread at a time.
 */
#ifndef TDK_TAPE_MARK_H
#define TDK_TAPE_MARK_H

#include <stdbool.h>

#include "index/index.h"
#include "tapedeck/tick.h"

#define MARK_NAME_MAX    64u
#define MARK_PAYLOAD_MAX (MARK_NAME_MAX + 1 + sizeof(uint64_t))

/* The payload of a mark's frame; its size. `back` 0: only the name. The name has at most
 * MARK_NAME_MAX bytes, the rest is cut. */
size_t mark_encode(unsigned char payload[MARK_PAYLOAD_MAX], const char *name, uint64_t back);

/* What a MARK frame says. False: it has no name. */
bool mark_decode(const struct tdk_frame *frame, uint64_t epoch, struct mark_ref *mark);

/* ---- what is not stored and not in a footer yet ---- */

struct mark_item {
    struct mark_ref ref;
    uint64_t segment; /* whose footer is to tell it; 0: it came from one */
    bool stored;      /* the index has it */
    struct mark_item *next;
};
struct marks {
    struct mark_item *first, *last;
    size_t count;
};

/* 0 or -ENOMEM; beyond what a feed may make us keep it is passed over. */
int marks_add(struct marks *marks, const struct mark_ref *ref, uint64_t segment);
void marks_close(struct marks *marks);

/* All that are not stored go into the index's batch. */
int marks_store(struct marks *marks, struct index *index, struct tdk_err *err);

/* A footer is made for this segment (0: none is): what is stored, and in a footer for so long that
 * nobody makes that one again, is forgotten. */
void marks_forget(struct marks *marks, uint64_t segment);

#endif
