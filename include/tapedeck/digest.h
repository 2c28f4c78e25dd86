/*
 * digest.h - proof that two deliveries were the same: ring, tape, file and wire.
 *
 * A digest is XXH3-128 (seed 0) over each tick in the order delivered. Of a tick it takes: length
 * byte of the track's name, the name, epoch u64, seq u64, ts u64, type u8, size u32, payload
 * without padding; little-endian, with nothing between them. Control frames and prologue are left
 * out, and so are flags and track number. One thread at a time.
 */
#ifndef TAPEDECK_DIGEST_H
#define TAPEDECK_DIGEST_H

#include "tapedeck/err.h"
#include "tapedeck/tick.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tdk_digest; /* ours, by out pointer */

TDK_API int tdk_digest_open(struct tdk_digest **digest); /* -ENOMEM */
TDK_API void tdk_digest_close(struct tdk_digest *digest);

/* Add one tick. Control frames and prologue may be given, too: they are passed over. */
TDK_API void tdk_digest_add(struct tdk_digest *digest, const char *track, uint64_t epoch,
                            const struct tdk_frame *frame);

/* Add all ticks of a contiguous run of `size` bytes of frames; this is faster. */
TDK_API void tdk_digest_run(struct tdk_digest *digest, const char *track, uint64_t epoch,
                            const struct tdk_frame *frames, size_t size);

/* The digest so far: 16 canonical bytes, and the same as 32 hex digits with a NUL. More ticks may
 * be added after it. */
TDK_API void tdk_digest_value(const struct tdk_digest *digest, uint8_t value[16], char hex[33]);
TDK_API uint64_t tdk_digest_ticks(const struct tdk_digest *digest);

#ifdef __cplusplus
}
#endif
#endif
