/*
 * stub.h - what stays in the tape of a segment that was moved to an annex.
 *
 *     offset   size
 *          0    256   struct segment_head, of STUB_VERSION, with the annex's id
 *        256    256   the same once more, in case the first has rotted
 *        512    ...   a hole where the blocks were
 *        end    ...   table, catalogue, states and foot, where they were
 *
 * So the stub has the segment's name, its size and all that a segment says of itself, in a
 * hundredth of the room: index, catalogue, coverage, recovery and the chain need no other disk.
 * Only readers of blocks go to the annex, where the whole file has the same name. The stub takes
 * the place of the whole file, and the whole file that of the stub, by one rename: there is never a
 * moment with two truths, or with none.
 */
#ifndef TDK_TAPE_STUB_H
#define TDK_TAPE_STUB_H

#include <stdbool.h>

#include "tape/folder.h"
#include "tape/format.h"

#define STUB_HEAD_COPY 256u /* offset of the second head */

static inline bool head_is_stub(const struct segment_head *head)
{
    return head->version == STUB_VERSION;
}

/* True: the segment was moved. A segment that is not there was not. */
bool stub_is_at(const struct folder *folder, uint64_t number, enum segment_stage stage);

/* Read the head of the file at this path, from whichever of its copies is good. -ENOENT,
 * TDK_ECORRUPT. */
int stub_read_head(const char *path, struct segment_head *head, struct tdk_err *err);

/* And open it. -ENOENT: the annex has it no more; TDK_ECORRUPT: it is another. It may be longer or
 * shorter than it was: see segment_check_size(). */
int stub_open_whole(const struct folder *folder, const struct segment_head *head, const char *name,
                    char path[TAPE_PATH_MAX], struct tdk_err *err);

/* Make the stub of a whole, sealed file `whole`, which has this head and foot: at `path`, synced.
 * The caller gives it its name. */
int stub_make(const char *path, int whole, const struct segment_head *head,
              const struct segment_foot *foot, uint64_t size, const uint8_t annex[16],
              struct tdk_err *err);

/* Remove a file of a segment; of a stub the whole one first, for good, unless the annex is that of
 * another copy of the tape. None there: 0. TDK_EAWAY: the annex is not there, or lets nothing go,
 * and the stub stays. */
int stub_remove(const struct folder *folder, uint64_t number, enum segment_stage stage,
                struct tdk_err *err);

#endif
