/*
 * input_private.h - a file on its way into the window; for input*.c alone.
 */
#ifndef TDK_FORMATS_INPUT_PRIVATE_H
#define TDK_FORMATS_INPUT_PRIVATE_H

#include <zlib.h>
#include <zstd.h>

#include "formats/input.h"

/* A read, and the window unless more is asked for at once. */
#define INPUT_CHUNK ((size_t)1 << 20)

enum packing { PLAIN, GZIP, ZSTD, ZIP };

/* The member of a zip that is being read. */
struct zip_member {
    uint16_t flags, method;
    uint32_t crc, seen_crc; /* as told; of what was unpacked so far */
    uint64_t left;          /* stored: bytes that are to come */
};

struct input_file {
    struct input window; /* over `buffer` */
    unsigned char *buffer;
    size_t room;
    char *path;
    int fd;
    enum packing packing;
    bool raw_ended;     /* read() has said so */
    bool inside;        /* a gzip member, zstd frame or file of a zip has begun and not ended */
    bool inflating;     /* `gzip` is open */
    bool ended;         /* nothing more will come into the window */
    int status;         /* why, when `ended`: 0 or a code */
    const char *reason; /* in words of the library that found it; NULL: the code says it */
    uint64_t raw_read, raw_total;
    unsigned char *raw; /* INPUT_CHUNK bytes: what is read and not yet unpacked */
    size_t raw_at, raw_size;
    z_stream gzip;
    ZSTD_DCtx *zstd;
    struct zip_member zip;
};

/* Some raw bytes at raw + raw_at; false: there are none left. */
bool input_raw(struct input_file *f);

/* At least `size` of them, one after the other; false: there are not so many. */
bool input_raw_want(struct input_file *f, size_t size);

/* The window's end is near, and why. */
void input_fail(struct input_file *f, int status, const char *reason);

/* One call of inflate() into `out`; how many bytes came. *ended: it is at the end of its data. */
size_t input_inflate(struct input_file *f, unsigned char *out, size_t room, bool *ended);

/* One step of unpacking a zip of one file; how many bytes came to `out`. */
size_t input_step_zip(struct input_file *f, unsigned char *out, size_t room);

#endif
