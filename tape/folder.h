/*
 * folder.h - TAPE/ itself: its paths, which tape it is, and who may write to it.
 *
 *   TAPE/  tape.meta  lock  leases  segments/  index/  quarantine/
 *
 * There is one writer. It holds a lock on TAPE/lock as long as it lives, and the lock goes with its
 * holder however that dies. The pid in the file is only a comment. Readers take no lock.
 */
#ifndef TDK_TAPE_FOLDER_H
#define TDK_TAPE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

#define TAPE_PATH_MAX 4096

/* What is advised to whoever may not read a tape, and to whoever may not write to it. */
#define FOLDER_READERS "join its group"
#define FOLDER_WRITERS "only the user that the tape belongs to, and root, may write to it"

struct folder {
    char path[TAPE_PATH_MAX - 64]; /* as given, without '/' at its end */
    char segments[TAPE_PATH_MAX], index[TAPE_PATH_MAX], quarantine[TAPE_PATH_MAX];
    uint8_t tape_id[16];
    uint64_t created_ns;
    uint64_t first_segment; /* from 1; those before it were given up on purpose */
    int lock_fd;            /* -1: we only read */
    bool meta_missing; /* tape.meta is lost: tape_id is of a segment, or zeros when there is none */
    bool is_new, is_root_new; /* the tape was made when it was held; and the folder that it is in */
};

/* Open for reading: creates nothing, locks nothing. -ENOENT, TDK_ENOTAPE, TDK_EVERSION,
 * TDK_ECORRUPT. */
int folder_open(struct folder *folder, const char *path, struct tdk_err *err);

/* Does the path still lead to the tape that was opened there? -ENOENT, TDK_ENOTAPE (it is none, or
 * another one), or why that cannot be said. */
int folder_check(const struct folder *folder, struct tdk_err *err);

/* For writing: made if it is not there and `create`, locked; a lost tape.meta is written anew from
 * a segment (folder->meta_missing stays true: tell it). TDK_EBUSY names the holder. */
int folder_hold(struct folder *folder, const char *path, bool create, struct tdk_err *err);
void folder_close(struct folder *folder); /* gives the lock back */

/* What holding it made is removed again, if nothing was put on it since; the index is closed. Of a
 * tape that was there before nothing goes. */
void folder_discard(struct folder *folder);

/* Does a writer hold the tape now? */
bool folder_is_held(const struct folder *folder);

/* Is it certain that the process with this pid, in its own pid namespace, does not hold the tape?
 * It may hold another copy, which has the same id. */
bool folder_is_not_held_by(const struct folder *folder, uint32_t pid);

/* The holder of the tape tells readers that its index is behind what is on the tape. This needs no
 * room on the disk, and ends with the holder. */
void folder_doubt_index(const struct folder *folder, bool doubt);
bool folder_index_is_doubted(const struct folder *folder);

/*
 * The clean mark, TAPE/index/clean, says that the index was synced whole at a clean close, when
 * `segment` was the tape's last (0: none yet), and what its checksum was. Set it when the index is
 * closed. It is removed, durably, before a writer's first change.
 */
int folder_mark_clean(const struct folder *folder, uint64_t segment, struct tdk_err *err);
int folder_unmark_clean(const struct folder *folder, struct tdk_err *err);

/* True: a valid mark names this segment, and the index is, byte for byte, what it was then. */
bool folder_is_clean(const struct folder *folder, uint64_t segment);

/* The segment that a valid mark names. A reader uses the index even when that segment is gone,
 * because the index shows which ticks are missing. */
bool folder_clean_segment(const struct folder *folder, uint64_t *segment);

/* What a segment's file holds, as the end of its name tells. */
enum segment_stage {
    SEGMENT_SEALED,  /* .seg */
    SEGMENT_OPEN,    /* .open: a recorder is writing it */
    SEGMENT_IMPORT,  /* .import: not part of the tape until the whole import is there */
    SEGMENT_PACKED,  /* .g1.seg: sealed and packed; what is left of generation 0 no longer counts */
    SEGMENT_PACKING, /* .packing: becomes .g1.seg when it is whole; never listed */
};
static inline bool segment_is_sealed(enum segment_stage stage)
{
    return stage == SEGMENT_SEALED || stage == SEGMENT_PACKED;
}

struct segment_name {
    uint64_t number;
    enum segment_stage stage;
};

/* "0000000042.seg". False: no segment's file is called so. */
bool segment_name_parse(const char *name, struct segment_name *segment);

/* The segments that are there, by ascending number; malloc'ed. */
int folder_segments(const struct folder *folder, struct segment_name **names, size_t *count,
                    struct tdk_err *err);

/* The number that the row of segments ends with; 0: there is none. What an unfinished import left
 * behind it is not in the row (yet). */
int folder_row_end(const struct folder *folder, uint64_t *last, struct tdk_err *err);

/* Only the files that folder_segments() passes over: half-packed segments, and those of which there
 * is a packed one. */
int folder_leftovers(const struct folder *folder, struct segment_name **names, size_t *count,
                     struct tdk_err *err);

/* "TAPE/segments/0000000042.seg" */
void folder_segment_path(const struct folder *folder, uint64_t number, enum segment_stage stage,
                         char path[TAPE_PATH_MAX]);

#endif
