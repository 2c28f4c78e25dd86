/*
 * segments.h - the segment files that a tape's readers have open.
 *
 * Handles are counted: who reads holds one, and some that nobody holds stay open for the next, but
 * not beyond segments_tidy() when their files are deleted.
 * Files are advised RANDOM: what is asked for is read, not what lies around it; a reader that goes
 * straight on says so with handle_expect(). Any thread.
 */
#ifndef TDK_TAPE_SEGMENTS_H
#define TDK_TAPE_SEGMENTS_H

#include <pthread.h>

#include "tape/segment.h"

/* An open file. Number and generation stay; the rest behind the first member is under the lock of
 * segments.c's, and what is atomic is looked at without it. */
struct handle {
    struct segment *segment;
    uint64_t number;
    unsigned generation;
    uint16_t track; /* who scans the blocks of this track has it to itself; 0: for all */
    unsigned holders;
    _Atomic bool is_stale; /* the file may have been replaced: nobody gets this handle any more */
    uint64_t used;         /* when */
    _Atomic bool is_scanned;
    struct handle *next;
};

struct segments {
    const struct folder *folder; /* borrowed */
    const char *lone;            /* path of the only file; NULL: those of the folder */
    pthread_mutex_t lock;
    struct handle *handles;
    unsigned idle; /* that nobody holds */
    uint64_t clock;
};

void segments_init(struct segments *segments, const struct folder *folder, const char *lone);
void segments_close(struct segments *segments); /* nobody holds any more */

/* The segment that a block is in, sealed or not. `scan`: for one block of the track behind the
 * other. What the kernel reads ahead it reckons for each open file, and several tracks that are
 * read in turn through one look to it like no order at all; so the first few tracks that are
 * scanned get one of their own. -ENOENT, TDK_ECORRUPT ... */
int segments_take(struct segments *segments, const struct block_ref *ref, bool scan,
                  struct handle **handle, struct tdk_err *err);

/* Is this the handle of the file that a block is in? */
bool handle_is_of(const struct handle *handle, const struct block_ref *ref);

/* And may it be read through this one? */
bool handle_serves(const struct handle *handle, const struct block_ref *ref, bool scan);
void segments_give(struct segments *segments, struct handle *handle); /* NULL is fine */

/* The file of this number may have been replaced: open it anew for whoever asks next. */
void segments_forget(struct segments *segments, uint64_t number);

/* Close what nobody holds and is deleted: only then the disk has its room back. */
void segments_tidy(struct segments *segments);

/* `size` bytes at `offset`, all of them. TDK_ECORRUPT: the file ends before. */
int handle_read(const struct handle *handle, uint64_t offset, void *bytes, size_t size,
                struct tdk_err *err);

/* The same, if all of it is in memory; false: the disk would have to be asked, or it cannot be had.
 */
bool handle_read_cached(const struct handle *handle, uint64_t offset, void *bytes, size_t size);

/* Is it read straight on from `offset` now, or here and there? Where it is scanned the kernel reads
 * ahead by itself, into large pieces of memory: from those a copy costs a third of what it costs
 * from the single pages that are asked for by handle_expect(). */
void handle_scan(struct handle *handle, uint64_t offset, bool scan);

/* Does the kernel have it in memory? Costs a tenth of handle_expect(). */
bool handle_has(const struct handle *handle, uint64_t offset);

/* This will be read soon: the kernel may begin. */
void handle_expect(const struct handle *handle, uint64_t offset, size_t size);

#endif
