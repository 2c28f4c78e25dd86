/*
 * crc32c.h - CRC-32C (Castagnoli), the checksum of everything on a tape.
 *
 * Pure; any thread. It uses wide registers where the processor has them (AVX-512 with VPCLMULQDQ),
 * otherwise the processor's CRC instruction (SSE 4.2, ARMv8 CRC) on three interleaved streams,
 * otherwise a table. Source of the parameters: RFC 3720, appendix B.4.
 */
#ifndef TDK_BASE_CRC32C_H
#define TDK_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of `size` bytes. `crc` is the CRC of the bytes before them, 0 at the beginning. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);

/* The same without the processor's help. The fast ways are tested against it. */
uint32_t crc32c_plain(uint32_t crc, const void *bytes, size_t size);

/* The CRC of each `chunk` bytes by itself, four side by side. The last chunk may be shorter. `crcs`
 * has room for all of them. */
void crc32c_chunks(const void *bytes, size_t size, size_t chunk, uint32_t *crcs);

#endif
