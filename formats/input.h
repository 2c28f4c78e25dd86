/*
 * input.h - the bytes of a file or of stdin, unpacked.
 *
 * gzip and zstd are told by content and undone, one member or frame after another; so is a zip of
 * one file. Reads ahead in
 * big pieces; memory is bounded by what is asked for at once. When the file breaks off or is
 * damaged, what is good comes first, then the end with a reason. One thread.
 */
#ifndef TDK_FORMATS_INPUT_H
#define TDK_FORMATS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

/* The window: what is unpacked and not yet consumed. Read by the inline part below, written by
 * input.c. */
struct input {
    const unsigned char *at, *end;
    uint64_t base_offset; /* of the window's first byte among the unpacked ones */
    const unsigned char *base;
};

/* "-" is stdin. TDK_EFORMAT for DBZ, which looks like zstd and is not. */
int input_open(struct input **input, const char *path, struct tdk_err *err);
void input_close(struct input *input); /* NULL is fine */

/* Make at least `want` bytes available from input->at on; fewer only at the end. */
void input_fill(struct input *input, size_t want);

/* How many are available, at least `want` unless the end is near. */
static inline size_t input_peek(struct input *input, size_t want)
{
    if ((size_t)(input->end - input->at) < want)
        input_fill(input, want);
    return (size_t)(input->end - input->at);
}

static inline void input_consume(struct input *input, size_t size)
{
    input->at += size;
}

/* Of the next byte, counted in unpacked bytes. */
static inline uint64_t input_offset(const struct input *input)
{
    return input->base_offset + (uint64_t)(input->at - input->base);
}

/* The next line, without its "\n", borrowed until the next call. 1: a line. 0: the end. -EMSGSIZE:
 * one of more than `max` bytes was skipped. */
int input_line(struct input *input, size_t max, const char **line, size_t *size);

/* Why the bytes ended: 0, the file did; TDK_ETRUNCATED: packed data breaks off; TDK_ECORRUPT;
 * -errno. To be asked when input_peek() gives less than was wanted. */
int input_status(struct input *input, struct tdk_err *err);

/* Bytes of the file read so far and its size; 0: not known. */
void input_progress(struct input *input, uint64_t *done, uint64_t *total);

#endif
