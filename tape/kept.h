/*
 * kept.h - what the small files of a tape beside its segments have in common: retired, holds,
 * annexes, the mark of a clean end.
 *
 * Each begins with what is below and is written anew as a whole, aside, synced and renamed. A
 * reader believes none of it before kept_check().
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

/* TAPE/NAME as it is, malloc'ed. 0 and *bytes NULL: there is none. TDK_ECORRUPT: it is no file, or
 * larger than `max`. */
int kept_read(const struct folder *folder, const char *name, size_t max, void **bytes, size_t *size,
              struct tdk_err *err);

/* Is it one, unchanged, and this tape's? `what`: its name in a failure. TDK_ECORRUPT (also one of
 * less than `head_size` bytes), TDK_EVERSION, TDK_EFOREIGN. Pure. */
int kept_check(const void *bytes, size_t size, size_t head_size, uint64_t magic,
               const uint8_t tape_id[16], const char *what, struct tdk_err *err);

/* The head of bytes that are complete otherwise, 8-aligned. Pure. */
void kept_sign(void *bytes, size_t size, uint64_t magic, const uint8_t tape_id[16]);

#endif
