/*
 * crc32c_inner.h - what crc32c.c and crc32c_wide.c share: the way of wide registers.
 */
#ifndef TDK_BASE_CRC32C_INNER_H
#define TDK_BASE_CRC32C_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For tests: from here on as where there are no wide registers. */
void crc32c_narrow(void);

/* ---- crc32c_wide.c ---- */

#define CRC32C_WIDE ((size_t)256) /* taken at a time */

/* Has the processor what it takes? */
bool crc32c_wide_is_possible(void);

/* `crc`: inverted, as it is while bytes are added. `size`: a multiple of CRC32C_WIDE, not 0. */
uint32_t crc32c_wide(uint32_t crc, const unsigned char *bytes, size_t size);

#endif
