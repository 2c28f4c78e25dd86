/*
 * digest.h - proof that two deliveries were the same: ring, tape, file and wire.
 *
 * XXH3-128 (seed 0) over, for each tick in the order delivered: length byte of the track's name,
 * the name, epoch u64, seq u64, ts u64, type u8, size u32, payload without padding; little-endian,
 * nothing between them. Control frames and prologue are not in it; flags and track number neither.
 * One thread at a time.
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

/* One tick. Control frames and prologue may be given too: they are passed over here. */
TDK_API void tdk_digest_add(struct tdk_digest *digest, const char *track, uint64_t epoch,
                            const struct tdk_frame *frame);

/* All ticks of a contiguous run of `size` bytes of frames, the fast way. */
TDK_API void tdk_digest_run(struct tdk_digest *digest, const char *track, uint64_t epoch,
                            const struct tdk_frame *frames, size_t size);

/* 16 canonical bytes, and the same as 32 hex digits with a NUL. The digest can go on. */
TDK_API void tdk_digest_value(const struct tdk_digest *digest, uint8_t value[16], char hex[33]);
TDK_API uint64_t tdk_digest_ticks(const struct tdk_digest *digest);

#ifdef __cplusplus
}
#endif
#endif
