/*
 * mark.h - moments that somebody wanted to find again: MARK frames, and the marks that a catalogue
 * has learned.
 *
 * A MARK frame's payload is the name. If time before the mark is to be kept with it, a NUL and the
 * ns (u64) follow. Names are data from feeds: control bytes, and everything after 64 bytes, are
 * left out of listings. Pure but for malloc; one thread at a time.
 */
#ifndef TDK_TAPE_MARK_H
#define TDK_TAPE_MARK_H

#include <stdbool.h>

#include "index/index.h"
#include "tapedeck/tick.h"

#define MARK_NAME_MAX    64u
#define MARK_PAYLOAD_MAX (MARK_NAME_MAX + 1 + sizeof(uint64_t))

/* Encode the payload of a MARK frame. Returns its size. `back` 0: only the name. A name is cut
 * after MARK_NAME_MAX bytes. */
size_t mark_encode(unsigned char payload[MARK_PAYLOAD_MAX], const char *name, uint64_t back);

/* Decode a MARK frame. False: it has no name. */
bool mark_decode(const struct tdk_frame *frame, uint64_t epoch, struct mark_ref *mark);

/* ---- what is not stored and not in a footer yet ---- */

struct mark_item {
    struct mark_ref ref;
    uint64_t segment; /* whose footer is to list it; 0: it came from a footer */
    bool stored;      /* the index has it */
    struct mark_item *next;
};
struct marks {
    struct mark_item *first, *last;
    size_t count;
};

/* 0 or -ENOMEM. Marks beyond what a feed may make us keep are passed over. */
int marks_add(struct marks *marks, const struct mark_ref *ref, uint64_t segment);
void marks_close(struct marks *marks);

/* Put all that are not stored yet into the index's batch. */
int marks_store(struct marks *marks, struct index *index, struct tdk_err *err);

/* A footer was made for this segment (0: for none). Forget the marks that are stored and whose
 * footer is so old that it is never made again. */
void marks_forget(struct marks *marks, uint64_t segment);

#endif
