/*
 * stamps.h - the receive times of all frames of a packed block, in their order.
 *
 * Each is stored as its distance from the one before, in 0 to 8 bytes. Two bits say which of four
 * lengths it has, so that in a burst a frame costs two bits, and after a pause as much as needed.
 * Every 128 frames the time and the place in the bytes are stored anew, so that a reader of one
 * instrument's ticks can pass over the rest. docs/tape-format.md has the bytes. Pure; any thread.
 */
#ifndef TDK_TAPE_STAMPS_H
#define TDK_TAPE_STAMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAMPS_STRIDE 128u

/* The most bytes that `count` times can take. */
static inline size_t stamps_bound(uint32_t count)
{
    return 64 + (size_t)count * 8 + (count / STAMPS_STRIDE + 1) * (12 + STAMPS_STRIDE / 4);
}

/* At least one time. Returns how many bytes of `out` were written, a multiple of 8. */
size_t stamps_write(const uint64_t *stamps, uint32_t count, unsigned char *out);

/* Times that are being read, in place. */
struct stamps {
    const unsigned char *bases, *offsets, *codes, *data;
    size_t data_size; /* eight more bytes after it may be read */
    uint32_t count;
    bool is_signed;
    size_t lengths[4]; /* in bytes, for each code */
    uint64_t masks[4];
    size_t stride_max; /* the most bytes that a stride takes */
    bool is_wide; /* stamps_wide.c may read strides; if is_last_long, only those without code 3 */
    bool is_last_long; /* code 3 means more than four bytes */

    /* Tables by a byte of codes; kept while the lengths are the same. */
    bool has_tables;
    unsigned char tables_of[4];      /* the lengths they are for */
    unsigned char shuffles[256][16]; /* puts the bytes of four distances into 32 bits each */
    struct stamps_step {
        uint8_t second, third, fourth; /* where the data of these distances begin */
        uint8_t span;                  /* bytes that all four take */
    } steps[256];
};

/* Open from untrusted bytes. `stamps` is zeroed before the first use. False: these are not `count`
 * times. */
bool stamps_open(struct stamps *stamps, const unsigned char *bytes, size_t size, uint32_t count);

/* Read the times of stride `at` (frames at x 128 and on) into out[]: at most 128. False: they
 * cannot be read. */
bool stamps_read(const struct stamps *stamps, uint32_t at, uint64_t *out);

/* ---- stamps_wide.c ---- */

/* Read a whole stride in which no distance has more than four bytes. 16 bytes from where the last
 * four begin may be read. */
void stamps_read_wide(const struct stamps *stamps, const unsigned char *codes, uint64_t ts,
                      const unsigned char *data, uint64_t *out);

#endif
