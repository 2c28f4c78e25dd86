/*
 * crc32c_inner.h - the several ways: what crc32c.c and crc32c_wide.c share, and what is needed to
 * compare them.
 */
#ifndef TDK_BASE_CRC32C_INNER_H
#define TDK_BASE_CRC32C_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For tests: from now on, behave as if there were no wide registers. */
void crc32c_narrow(void);

/* Use the processor's instruction on three interleaved streams, whatever else the processor has. A
 * limit in `tapedeck bench record` is named after this. */
uint32_t crc32c_instruction(uint32_t crc, const void *bytes, size_t size);

/* ---- crc32c_wide.c ---- */

#define CRC32C_WIDE ((size_t)256) /* bytes taken at a time */

/* Does the processor have what it needs? */
bool crc32c_wide_is_possible(void);

/* `crc` is inverted, as it is while bytes are added. `size` is a multiple of CRC32C_WIDE, not 0. */
uint32_t crc32c_wide(uint32_t crc, const unsigned char *bytes, size_t size);

#endif
