/*
 * crc32c_inner.h - the ways there are: what crc32c.c and crc32c_wide.c share, and what those who
 * compare them need.
 */
#ifndef TDK_BASE_CRC32C_INNER_H
#define TDK_BASE_CRC32C_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For tests: from here on as where there are no wide registers. */
void crc32c_narrow(void);

/* By the processor's instruction, three streams interleaved, whatever else it has: what the limit
 * in `tapedeck bench record` is named after. */
uint32_t crc32c_instruction(uint32_t crc, const void *bytes, size_t size);

/* ---- crc32c_wide.c ---- */

#define CRC32C_WIDE ((size_t)256) /* taken at a time */

/* Has the processor what it takes? */
bool crc32c_wide_is_possible(void);

/* `crc`: inverted, as it is while bytes are added. `size`: a multiple of CRC32C_WIDE, not 0. */
uint32_t crc32c_wide(uint32_t crc, const unsigned char *bytes, size_t size);

#endif
