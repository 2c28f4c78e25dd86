/*
 * input_private.h - a file on its way into the window; only for input*.c.
 */
#ifndef TDK_FORMATS_INPUT_PRIVATE_H
#define TDK_FORMATS_INPUT_PRIVATE_H

#include <zlib.h>
#include <zstd.h>

#include "formats/input.h"

/* The size of a read, and of the window unless more is asked for at once. */
#define INPUT_CHUNK ((size_t)1 << 20)

enum packing { PLAIN, GZIP, ZSTD, ZIP };

/* The member of a zip that is being read. */
struct zip_member {
    uint16_t flags, method;
    uint32_t crc, seen_crc; /* as the zip says; of what was decompressed so far */
    uint64_t left;          /* stored: bytes still to come */
};

struct input_file {
    struct input window; /* over `buffer` */
    unsigned char *buffer;
    size_t room;
    char *path;
    int fd;
    enum packing packing;
    bool raw_ended;     /* read() has returned 0 or failed */
    bool inside;        /* a gzip member, zstd frame or file of a zip has begun and not yet ended */
    bool inflating;     /* `gzip` is open */
    bool ended;         /* nothing more will come into the window */
    int status;         /* why it has ended: 0 or a code */
    const char *reason; /* in the words of the library that found it; NULL: the code says enough */
    uint64_t raw_read, raw_total;
    unsigned char *raw; /* INPUT_CHUNK bytes: read and not yet decompressed */
    size_t raw_at, raw_size;
    z_stream gzip;
    ZSTD_DCtx *zstd;
    struct zip_member zip;
};

/* Make some raw bytes available at raw + raw_at. False: there are none left. */
bool input_raw(struct input_file *f);

/* Make at least `size` contiguous raw bytes available. False: there are not that many. */
bool input_raw_want(struct input_file *f, size_t size);

/* End the input, for this reason. */
void input_fail(struct input_file *f, int status, const char *reason);

/* Call inflate() once into `out`. Returns how many bytes came. *ended: the compressed data has
 * ended. */
size_t input_inflate(struct input_file *f, unsigned char *out, size_t room, bool *ended);

/* Do one step of decompressing a zip of one file. Returns how many bytes came to `out`. */
size_t input_step_zip(struct input_file *f, unsigned char *out, size_t room);

#endif
