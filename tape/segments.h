/*
 * segments.h - the segment files that a tape's readers have open.
 *
 * Handles are counted: a reader holds one. Some that nobody holds stay open for the next reader,
 * but if their file is deleted, only until segments_tidy().
 *
 * Files are advised RANDOM: the kernel reads what is asked for, and not what lies around it. A
 * reader that goes straight on says so with handle_scan() or handle_expect(). Any thread.
 */
#ifndef TDK_TAPE_SEGMENTS_H
#define TDK_TAPE_SEGMENTS_H

#include <pthread.h>

#include "tape/segment.h"

/* An open file. Number and generation never change. The other members after the first are under the
 * lock of struct segments; atomic ones are also read without it. */
struct handle {
    struct segment *segment;
    uint64_t number;
    unsigned generation;
    uint16_t track; /* only for the scan of this track; 0: for all */
    unsigned holders;
    _Atomic bool is_stale; /* the file may have been replaced: nobody gets this handle any more */
    uint64_t used;         /* when it was used last */
    _Atomic bool is_scanned;
    struct handle *next;
};

struct segments {
    const struct folder *folder; /* borrowed */
    const char *lone;            /* path of the only file; NULL: those of the folder */
    pthread_mutex_t lock;
    struct handle *handles;
    unsigned idle; /* handles that nobody holds */
    uint64_t clock;
};

void segments_init(struct segments *segments, const struct folder *folder, const char *lone);
void segments_close(struct segments *segments); /* when nobody holds a handle any more */

/* Get a handle on the segment that a block is in, sealed or not. `scan`: the track's blocks will be
 * read one behind the other. The kernel decides for each open file how far to read ahead; several
 * tracks that are read in turn through one file look like no order at all to it. So the first few
 * tracks that are scanned get an open file of their own. -ENOENT, TDK_ECORRUPT ... */
int segments_take(struct segments *segments, const struct block_ref *ref, bool scan,
                  struct handle **handle, struct tdk_err *err);

/* Is this a handle of the file that a block is in? */
bool handle_is_of(const struct handle *handle, const struct block_ref *ref);

/* And may the block be read through it? */
bool handle_serves(const struct handle *handle, const struct block_ref *ref, bool scan);

void segments_give(struct segments *segments, struct handle *handle); /* NULL is fine */

/* The file of this segment may have been replaced: open it anew for the next reader. */
void segments_forget(struct segments *segments, uint64_t number);

/* Close deleted files that nobody holds: only then does the disk get their room back. */
void segments_tidy(struct segments *segments);

/* Read all of `size` bytes at `offset`. TDK_ECORRUPT: the file ends before that. */
int handle_read(const struct handle *handle, uint64_t offset, void *bytes, size_t size,
                struct tdk_err *err);

/* The same, if all of it is in the page cache. False: it is not, or it cannot be read. */
bool handle_read_cached(const struct handle *handle, uint64_t offset, void *bytes, size_t size);

/* Say whether the file will be read straight on from `offset`, or here and there. In a scan the
 * kernel reads ahead by itself, into large pieces of memory; copying from those costs a third of
 * what it costs from the single pages that handle_expect() asks for. */
void handle_scan(struct handle *handle, uint64_t offset, bool scan);

/* Is this place in the page cache? Costs a tenth of handle_expect(). */
bool handle_has(const struct handle *handle, uint64_t offset);

/* This will be read soon: let the kernel begin. */
void handle_expect(const struct handle *handle, uint64_t offset, size_t size);

#endif
