/*
 * slice_inner.h - what slice.c and slice_packed.c share: another block in the slice, its bytes.
 */
#ifndef TDK_TAPE_SLICE_INNER_H
#define TDK_TAPE_SLICE_INNER_H

#include "tape/pack.h"
#include "tape/slice.h"

/* Another block: its file is open, and there is room for it, which is not touched before something
 * is read into it where that will be `in_parts`. The slice is empty. */
int slice_change(struct slice *slice, const struct block_ref *ref, bool in_parts,
                 struct tdk_err *err);

/* Bytes of the block, from `at` on, to their place. */
int slice_read_bytes(struct slice *slice, size_t at, size_t size, struct tdk_err *err);

/* The same of bytes that the next calls will ask for, and of much that lies between them. */
int slice_fetch_bytes(struct slice *slice, size_t at, size_t size, struct tdk_err *err);

/* The same, if they are in memory. False: nothing was read. */
bool slice_fetch_cached(struct slice *slice, size_t at, size_t size);

/* The block's head, read, checked and compared with the reference, and so many bytes behind it. */
int slice_read_head(struct slice *slice, size_t more, struct tdk_err *err);

/* What it takes to read blocks by columns. */
int slice_open_pack(struct slice *slice, enum pack_use use, struct tdk_err *err);

/* ---- slice_packed.c ---- */

enum packed_need { PACKED_ENTRIES, PACKED_PICKS };

/* At least the directory's entries of a packed block: the state is SLICE_PACKED or SLICE_WHOLE. Of
 * one whose picks will be needed too, all that is stored may have been read with them. */
int slice_begin_packed(struct slice *slice, const struct block_ref *ref, enum packed_need need,
                       struct tdk_err *err);

/* Of one that has parts: the ticks of these instruments, and no others. */
int slice_unpack_picks(struct slice *slice, const struct picks *picks, struct tdk_err *err);

#endif
