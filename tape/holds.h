/*
 * holds.h - segments that are held whatever the policy says, and segments that a mark would keep
 * but that were released.
 *
 *   TAPE/holds   struct holds_head, then the numbers held, then those released, each ascending
 *
 * Written under another name, synced, renamed. Anyone may change it while holding the row
 * (lease.h).
 */
#ifndef TDK_TAPE_HOLDS_H
#define TDK_TAPE_HOLDS_H

#include <assert.h>
#include <stdbool.h>

#include "tape/folder.h"
#include "tape/kept.h"

#define HOLDS_MAGIC UINT64_C(0x31444c4f484b4454) /* "TDKHOLD1" */
#define HOLDS_MAX   (1u << 20)                   /* numbers in it */

struct holds_head {
    struct kept_head kept;
    uint32_t held, released;
    uint8_t zero[24];
};
static_assert(sizeof(struct holds_head) == 64, "on disk");

struct holds {
    uint64_t *held, *released; /* ascending; ours */
    size_t held_count, released_count;
};

enum hold_change {
    HOLD_KEEP,    /* hold from now on */
    HOLD_RELEASE, /* neither a hold nor a mark keeps it any longer */
};

/* Empty when there is no such file. TDK_ECORRUPT ... */
int holds_load(struct holds *holds, const struct folder *folder, struct tdk_err *err);
void holds_close(struct holds *holds);
bool holds_has(const struct holds *holds, uint64_t segment);
bool holds_is_released(const struct holds *holds, uint64_t segment);

/* Change it on the disk, durably. Works while others write to the tape. */
int holds_change(const struct folder *folder, const uint64_t *segments, size_t count,
                 enum hold_change change, struct tdk_err *err);

/* Decode from bytes; pure. */
int holds_decode(struct holds *holds, const void *bytes, size_t size, const uint8_t tape_id[16],
                 struct tdk_err *err);

#endif
