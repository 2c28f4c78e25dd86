/*
 * kept.h - what the small files of a tape beside its segments have in common: retired, holds,
 * annexes, the clean mark.
 *
 * Each begins with the head below. It is written anew as a whole under another name, synced and
 * renamed. A reader believes none of it before kept_check().
 */
#ifndef TDK_TAPE_KEPT_H
#define TDK_TAPE_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "tape/folder.h"

struct kept_head {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* CRC-32C of the whole file with crc = 0 */
    uint8_t tape_id[16];
};

/* Read TAPE/NAME as it is, malloc'ed. 0 and *bytes NULL: there is none. TDK_ECORRUPT: it is not a
 * file, or is larger than `max`. */
int kept_read(const struct folder *folder, const char *name, size_t max, void **bytes, size_t *size,
              struct tdk_err *err);

/* Is this such a file, unchanged, and of this tape? `what` is its name in an error. TDK_ECORRUPT
 * (also when it has less than `head_size` bytes), TDK_EVERSION, TDK_EFOREIGN. Pure. */
int kept_check(const void *bytes, size_t size, size_t head_size, uint64_t magic,
               const uint8_t tape_id[16], const char *what, struct tdk_err *err);

/* Fill in the head of bytes that are otherwise complete, 8-aligned. Pure. */
void kept_sign(void *bytes, size_t size, uint64_t magic, const uint8_t tape_id[16]);

#endif
