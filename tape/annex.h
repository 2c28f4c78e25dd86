/*
 * annex.h - the other directories of a tape, to which sealed segments have been moved.
 *
 *   TAPE/annexes      struct annexes_head, then for each annex a struct annexes_item and its path
 *   ANNEX/annex.meta  struct annex_meta: which annex of which tape it is
 *
 * What stays of a moved segment (stub.h) names its annex by a random number, and only TAPE/annexes
 * knows under which path that is: a disk that is mounted elsewhere is one small file to write. The
 * same number is in the annex itself, so that another disk under that path is not taken for it.
 *
 * A copy of the tape has its number and its annexes, and reads from them. But their files are those
 * of the tape that moved them there: `home` says which, and nothing else takes one away.
 */
#ifndef TDK_TAPE_ANNEX_H
#define TDK_TAPE_ANNEX_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tape/folder.h"
#include "tape/kept.h"

#define ANNEXES_MAGIC UINT64_C(0x3153584e414b4454) /* "TDKANXS1" */
#define ANNEX_MAGIC   UINT64_C(0x31584e4e414b4454) /* "TDKANNX1" */

#define ANNEXES_MAX      64u          /* annexes of a tape */
#define ANNEX_PATH_MAX   3968u        /* bytes of a path; a segment's name still fits behind it */
#define ANNEXES_SIZE_MAX (512u << 10) /* bytes of TAPE/annexes; a reader refuses more */

struct annexes_head {
    struct kept_head kept;
    uint32_t count;
    uint8_t zero[28];
};

/* The path follows, without a terminating zero, then zeros up to a multiple of 8. */
struct annexes_item {
    uint8_t id[16];
    uint32_t path_size;
    uint32_t zero;
};

struct annex_meta {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* CRC-32C of this struct with crc = 0 */
    uint8_t tape_id[16];
    uint8_t id[16];
    uint64_t created_ns;
    uint64_t home; /* the folder that the tape is in; 0: not told, and any copy's is as good */
};
static_assert(sizeof(struct annexes_head) == 64 && sizeof(struct annexes_item) == 24 &&
                  sizeof(struct annex_meta) == 64,
              "on disk");

struct annex {
    uint8_t id[16];
    char *path; /* absolute; ours */
};
struct annexes {
    struct annex *items; /* ours */
    size_t count;
};

/* Load the annexes of the tape; empty when it has none. TDK_ECORRUPT, TDK_EVERSION,
 * TDK_EFOREIGN. */
int annexes_load(struct annexes *annexes, const struct folder *folder, struct tdk_err *err);
int annexes_save(const struct annexes *annexes, const struct folder *folder, struct tdk_err *err);
void annexes_close(struct annexes *annexes); /* fine on all zeros, and twice */

/* Decode from bytes and encode to bytes, malloc'ed; pure. On failure `annexes` is empty. */
int annexes_decode(struct annexes *annexes, const void *bytes, size_t size,
                   const uint8_t tape_id[16], struct tdk_err *err);
int annexes_encode(const struct annexes *annexes, const uint8_t tape_id[16], void **bytes,
                   size_t *size, struct tdk_err *err);

/* NULL: the tape has no such annex. */
const struct annex *annexes_find(const struct annexes *annexes, const uint8_t id[16]);

/* Record that this annex is under this path now. TDK_EFULL. */
int annexes_put(struct annexes *annexes, const uint8_t id[16], const char *path,
                struct tdk_err *err);

/* Read which annex a directory says it is. -ENOENT: it is no annex. TDK_ECORRUPT, TDK_EVERSION. */
int annex_read_meta(const char *path, struct annex_meta *meta, struct tdk_err *err);
int annex_write_meta(const char *path, const struct folder *folder, const uint8_t id[16],
                     struct tdk_err *err);

/* May this folder of a tape take files from it? False: it is that of another copy of the tape, or
 * nobody can tell. What is no annex yet may become ours. */
bool annex_is_ours(const char *path, const struct folder *folder);

/* From now on it may, and no other. `fd` is its annex.meta, which the caller has locked. */
int annex_adopt(const char *path, int fd, const struct folder *folder, struct tdk_err *err);

/* Is it where it should be? 0; TDK_EAWAY says what is there instead. */
int annex_check(const struct annex *annex, const uint8_t tape_id[16], struct tdk_err *err);

#endif
