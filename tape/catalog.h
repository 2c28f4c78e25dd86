/*
 * catalog.h - what a writer knows of its tape's tracks: names and numbers, epochs, properties,
 * symbols.
 *
 * The catalogue is the truth in memory while a tape is written. It learns from what goes into
 * blocks. It is stored into the index and into the footer of each segment, so that a segment can be
 * read without either. Pure but for malloc; one thread at a time.
 */
#ifndef TDK_TAPE_CATALOG_H
#define TDK_TAPE_CATALOG_H

#include <stddef.h>

#include "index/index.h"
#include "tape/block.h"

struct catalog;

int catalog_open(struct catalog **catalog, struct tdk_err *err);
void catalog_close(struct catalog *catalog); /* NULL is fine */

/* ---- tracks ---- */

/* The number of a track by its name; the track is made if it is new. TDK_ENAME, TDK_EFULL (65535
 * tracks). */
int catalog_track(struct catalog *catalog, const char *name, enum tdk_kind kind, uint16_t *number,
                  struct tdk_err *err);
uint16_t catalog_find(const struct catalog *catalog, const char *name);   /* 0: there is none */
const char *catalog_name(const struct catalog *catalog, uint16_t number); /* NULL: there is none */

/* Add a track whose name is lost for now. It is called lost-NUMBER until a footer or a frame names
 * it. */
int catalog_guess_track(struct catalog *catalog, uint16_t number, struct tdk_err *err);

/* ---- epochs: what is on the tape, told by its blocks ---- */

/* The track's highest epoch ever, including segments that are gone; 0: none. New epochs are above
 * it. */
uint64_t catalog_last_epoch(const struct catalog *catalog, uint16_t track);

/* NULL: not known. Borrowed until the next call that changes the catalogue. */
const struct epoch_ref *catalog_epoch(const struct catalog *catalog, uint16_t track,
                                      uint64_t epoch);

/* The epoch of a track that a ring calls `ring_epoch`, as far as it is on the tape. When there are
 * several, the last one. NULL and borrowed: as above. */
const struct epoch_ref *catalog_ring_epoch(const struct catalog *catalog, uint16_t track,
                                           const uint8_t ring_uuid[16], uint64_t ring_epoch);

/* A block is on the tape for good: add it to the counts and bounds of its epoch. Blocks come in
 * file order. What was noted already (BLOCK_REWRITTEN) is not counted twice. */
int catalog_note(struct catalog *catalog, const struct block_ref *ref, struct tdk_err *err);

/* Segments were deleted: `left` is what remains of an epoch, as the index already has it. When
 * nothing remains (last_seq 0), the ring's name for the epoch stays known, and its counts begin
 * anew. */
void catalog_recount(struct catalog *catalog, const struct epoch_ref *left);

/* Learn names, epochs, properties, symbols and marks from a block's frames. Only blocks flagged
 * BLOCK_HAS_CONTROL or BLOCK_HAS_SYMBOLS have any; for others this returns at once. */
int catalog_learn(struct catalog *catalog, const struct block_view *view, struct tdk_err *err);

/* A TRACK frame alone, of a block that has rotted behind it. */
int catalog_learn_track(struct catalog *catalog, const struct tdk_frame *frame,
                        struct tdk_err *err);

/* How many names and parts of properties blocks told that were more than an epoch may have (2M
 * names, 128 MiB of properties): they are in the blocks, and nobody finds them by name. */
uint64_t catalog_refused(const struct catalog *catalog);

/* ---- leaving memory, and coming back ---- */

/* Store what changed since the last time, as puts between index_begin() and index_commit(). */
int catalog_store(struct catalog *catalog, struct index *index, struct tdk_err *err);

/* Load all tracks and epochs, and what belongs to each track's last epoch, into an empty
 * catalogue. */
int catalog_load(struct catalog *catalog, struct index *index, struct tdk_err *err);

/* Drop properties and symbols of epochs that are over: not their track's last, no block noted since
 * the previous call, everything stored. A tape of thousands of imports must not fill the memory of
 * the writer that adds one more. Call this when a segment is sealed. */
void catalog_forget(struct catalog *catalog);

/* Encode for a footer: all tracks; the epochs that `refs` belong to, with properties and symbols as
 * far as there is room (CATALOG_MAX); and the marks of their segment. malloc'ed. */
int catalog_encode(struct catalog *catalog, const struct block_ref *refs, size_t count,
                   void **bytes, size_t *size, struct tdk_err *err);

/* Add what a footer says. Counts are not taken from it: they come from catalog_note(). 1: the
 * footer did not hold everything that its blocks say. */
int catalog_decode(struct catalog *catalog, const void *bytes, size_t size, struct tdk_err *err);

#endif
