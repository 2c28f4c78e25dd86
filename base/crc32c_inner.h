/*
 * crc32c_inner.h - what crc32c.c and crc32c_wide.c share: powers of x, and the way of wide
 * registers.
 *
 * Polynomials modulo that of CRC-32C are 32 bits, reflected: bit 31 is x^0.
 */
#ifndef TDK_BASE_CRC32C_INNER_H
#define TDK_BASE_CRC32C_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* x^n: what a CRC is multiplied by when n zero bits follow. */
uint32_t crc32c_power(size_t n);

/* For tests: from here on as where there are no wide registers. */
void crc32c_narrow(void);

/* ---- crc32c_wide.c ---- */

#define CRC32C_WIDE ((size_t)256) /* taken at a time */

/* Has the processor what it takes? Once, before the first use. */
bool crc32c_wide_prepare(void);

/* `crc`: inverted, as it is while bytes are added. `size`: a multiple of CRC32C_WIDE, not 0. */
uint32_t crc32c_wide(uint32_t crc, const unsigned char *bytes, size_t size);

#endif
