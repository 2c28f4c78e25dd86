/*
 * slice_inner.h - what slice.c and slice_packed.c share: putting another block into the slice, and
 * reading its bytes.
 */
#ifndef TDK_TAPE_SLICE_INNER_H
#define TDK_TAPE_SLICE_INNER_H

#include "tape/pack.h"
#include "tape/slice.h"

/* Change to another block: its file is opened, and there is room for it. If it will be read
 * `in_parts`, that memory is not touched before something is read into it. The slice is empty
 * then. */
int slice_change(struct slice *slice, const struct block_ref *ref, bool in_parts,
                 struct tdk_err *err);

/* Read bytes of the block, from `at` on, to their place. */
int slice_read_bytes(struct slice *slice, size_t at, size_t size, struct tdk_err *err);

/* The same for bytes that the next calls will ask for, together with most of what lies between
 * them. */
int slice_fetch_bytes(struct slice *slice, size_t at, size_t size, struct tdk_err *err);

/* The same if they are in memory. False: nothing was read. */
bool slice_fetch_cached(struct slice *slice, size_t at, size_t size);

/* Read the block's head, check it and compare it with the reference; also read `more` bytes after
 * it. */
int slice_read_head(struct slice *slice, size_t more, struct tdk_err *err);

/* Make the slice's pack, for reading blocks by columns. */
int slice_open_pack(struct slice *slice, enum pack_use use, struct tdk_err *err);

/* ---- slice_packed.c ---- */

enum packed_need { PACKED_ENTRIES, PACKED_PICKS };

/* Have at least the directory's entries of a packed block: the state is SLICE_PACKED or SLICE_WHOLE
 * then. If picks will be needed too, everything that is stored may have been read along. */
int slice_begin_packed(struct slice *slice, const struct block_ref *ref, enum packed_need need,
                       struct tdk_err *err);

/* For a block that has parts: unpack the ticks of these instruments, and no others. */
int slice_unpack_picks(struct slice *slice, const struct picks *picks, struct tdk_err *err);

#endif
