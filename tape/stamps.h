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
    bool is_wide;      /* stamps_wide.c may read strides, those without code 3 if it is long: */
    bool is_last_long; /* of code 3 are more than four bytes */

    /* By a byte of codes; kept while the lengths are the same. */
    bool has_tables;
    unsigned char tables_of[4];      /* lengths */
    unsigned char shuffles[256][16]; /* the bytes of four distances, each into 32 bits */
    struct stamps_step {
        uint8_t second, third, fourth; /* where the data of these begin */
        uint8_t span;                  /* bytes that all four take */
    } steps[256];
};

/* From untrusted bytes. Zeroed before the first time. False: these are no `count` times. */
bool stamps_open(struct stamps *stamps, const unsigned char *bytes, size_t size, uint32_t count);

/* Those of stride `at` (frames at x 128 and on), into out[]; no more than 128. False: not to be
 * had.
 */
bool stamps_read(const struct stamps *stamps, uint32_t at, uint64_t *out);

/* ---- stamps_wide.c ---- */

/* A whole stride, of which no distance has more than four bytes; 16 bytes from where the last four
 * begin may be read. */
void stamps_read_wide(const struct stamps *stamps, const unsigned char *codes, uint64_t ts,
                      const unsigned char *data, uint64_t *out);

#endif
