/*
 * input.h - the bytes of a file or of stdin, decompressed.
 *
 * gzip and zstd are recognised by content and decompressed, one member or frame after another. So
 * is a zip that contains one file. It reads ahead in big pieces; memory is limited by how much is
 * asked for at once. If the file breaks off or is damaged, the good part comes first, then the end
 * with a reason. One thread.
 */
#ifndef TDK_FORMATS_INPUT_H
#define TDK_FORMATS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

/* The window: what is decompressed and not yet consumed. The inline functions below read it,
 * input.c writes it. */
struct input {
    const unsigned char *at, *end;
    uint64_t base_offset; /* of the window's first byte, in decompressed bytes */
    const unsigned char *base;
};

/* "-" is stdin. TDK_EFORMAT for DBZ, which looks like zstd but is not. */
int input_open(struct input **input, const char *path, struct tdk_err *err);
void input_close(struct input *input); /* NULL is fine */

/* Make at least `want` bytes available from input->at on. There are fewer only at the end. */
void input_fill(struct input *input, size_t want);

/* How many bytes are available: at least `want`, unless the end is near. */
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

/* The offset of the next byte, in decompressed bytes. */
static inline uint64_t input_offset(const struct input *input)
{
    return input->base_offset + (uint64_t)(input->at - input->base);
}

/* The next line, without its "\n", borrowed until the next call. 1: a line. 0: the end. -EMSGSIZE:
 * a line of more than `max` bytes was skipped. */
int input_line(struct input *input, size_t max, const char **line, size_t *size);

/* Why the bytes ended. 0: the file ended. TDK_ETRUNCATED: compressed data breaks off. TDK_ECORRUPT;
 * -errno. Call it when input_peek() gives less than was wanted. */
int input_status(struct input *input, struct tdk_err *err);

/* How many bytes of the file have been read, and its size; 0: not known. */
void input_progress(struct input *input, uint64_t *done, uint64_t *total);

#endif
