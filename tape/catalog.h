/*
 * catalog.h - what a writer knows of its tape's tracks: names and numbers, epochs, properties,
 * symbols.
 *
 * The truth in memory while a tape is written. It learns from what goes into blocks, is stored into
 * the index, and into the footer of each segment, so that a segment alone can be read without
 * either. Pure but for malloc; one thread at a time.
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

/* A track's number by its name, made if it is new. TDK_ENAME, TDK_EFULL (65535 of them). */
int catalog_track(struct catalog *catalog, const char *name, enum tdk_kind kind, uint16_t *number,
                  struct tdk_err *err);
uint16_t catalog_find(const struct catalog *catalog, const char *name);   /* 0: there is none */
const char *catalog_name(const struct catalog *catalog, uint16_t number); /* NULL: there is none */

/* A track whose name is lost for now: it is called lost-NUMBER until a footer or frame names it. */
int catalog_guess_track(struct catalog *catalog, uint16_t number, struct tdk_err *err);

/* ---- epochs: what is on the tape, told by its blocks ---- */

/* The track's highest epoch ever, also of segments that are gone; 0: none. New ones are above. */
uint64_t catalog_last_epoch(const struct catalog *catalog, uint16_t track);

/* NULL: not known. Borrowed until the next call that changes the catalogue. */
const struct epoch_ref *catalog_epoch(const struct catalog *catalog, uint16_t track,
                                      uint64_t epoch);

/* That epoch of a track which a ring calls `ring_epoch`, as far as it is on the tape; the last, if
 * it is there as several. NULL, borrowed: as above. */
const struct epoch_ref *catalog_ring_epoch(const struct catalog *catalog, uint16_t track,
                                           const uint8_t ring_uuid[16], uint64_t ring_epoch);

/* A block is on the tape, for good: counts and bounds of its epoch. In file order; what was noted
 * already (BLOCK_REWRITTEN) is not counted twice. */
int catalog_note(struct catalog *catalog, const struct block_ref *ref, struct tdk_err *err);

/* Segments were deleted: this is what is left of an epoch, in the index already. Nothing at all
 * (last_seq 0): what it was called stays known, its counts begin anew. */
void catalog_recount(struct catalog *catalog, const struct epoch_ref *left);

/* Names, epochs, properties, symbols and marks from a block's frames. Only blocks flagged
 * BLOCK_HAS_CONTROL or BLOCK_HAS_SYMBOLS have any; others return at once. */
int catalog_learn(struct catalog *catalog, const struct block_view *view, struct tdk_err *err);

/* A TRACK frame alone, of a block that has rotted behind it. */
int catalog_learn_track(struct catalog *catalog, const struct tdk_frame *frame,
                        struct tdk_err *err);

/* How many names and parts of properties blocks told that were more than an epoch may have (2M
 * names, 128 MiB of properties): they are in the blocks, and nobody finds them by name. */
uint64_t catalog_refused(const struct catalog *catalog);

/* ---- leaving memory, and coming back ---- */

/* What changed since the last time, as puts between index_begin() and index_commit(). */
int catalog_store(struct catalog *catalog, struct index *index, struct tdk_err *err);

/* All tracks and epochs, and what belongs to each track's last epoch. Into an empty catalogue. */
int catalog_load(struct catalog *catalog, struct index *index, struct tdk_err *err);

/* Drop properties and symbols of epochs that are over (not their track's last, no block noted since
 * the call before, all stored): a tape of thousands of imports must not fill the memory of who
 * writes one more. To be called when a segment is sealed. */
void catalog_forget(struct catalog *catalog);

/* For a footer: all tracks; and the epochs that `refs` tell of, with properties and symbols, as far
 * as there is room (CATALOG_MAX); and the marks of their segment. malloc'ed. */
int catalog_encode(struct catalog *catalog, const struct block_ref *refs, size_t count,
                   void **bytes, size_t *size, struct tdk_err *err);

/* What a footer tells, added. Counts are not taken from it: they come by catalog_note(). 1: it did
 * not hold all that its blocks tell. */
int catalog_decode(struct catalog *catalog, const void *bytes, size_t size, struct tdk_err *err);

#endif
