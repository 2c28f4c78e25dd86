/*
 * stamps.h - the receive times of all frames of a packed block, in their order.
 *
 * Each is told as its distance from the one before, in 0 to 8 bytes; two bits say which of four
 * lengths, so that a burst costs two bits a frame and a pause what it takes. Every 128 frames the
 * time and the place in the bytes are told anew: a reader of one instrument's ticks passes over the
 * rest. docs/tape-format.md has the bytes. Pure; any thread.
 */
#ifndef TDK_TAPE_STAMPS_H
#define TDK_TAPE_STAMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAMPS_STRIDE 128u

/* Bytes that so many times take at most. */
static inline size_t stamps_bound(uint32_t count)
{
    return 64 + (size_t)count * 8 + (count / STAMPS_STRIDE + 1) * (12 + STAMPS_STRIDE / 4);
}

/* At least one. Returns how many bytes of `out` it took, a multiple of 8. */
size_t stamps_write(const uint64_t *stamps, uint32_t count, unsigned char *out);

/* Times that are being read, in place. */
struct stamps {
    const unsigned char *bases, *offsets, *codes, *data;
    size_t data_size; /* with eight bytes behind it that may be read */
    uint32_t count;
    bool is_signed;
    size_t lengths[4]; /* in bytes, of each code */
    uint64_t masks[4];
    size_t stride_max; /* bytes that a stride takes at most */
    struct stamps_step {
        uint8_t second, third, fourth; /* where the data of these begin */
        uint8_t span;                  /* bytes that all four take */
    } steps[256];                      /* by a byte of codes */
};

/* From untrusted bytes. False: these are no `count` times. */
bool stamps_open(struct stamps *stamps, const unsigned char *bytes, size_t size, uint32_t count);

/* Those of stride `at` (frames at x 128 and on), into out[at x 128...]. False: not to be had. */
bool stamps_read(const struct stamps *stamps, uint32_t at, uint64_t *out);

#endif
