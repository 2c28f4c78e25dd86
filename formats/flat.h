/*
 * flat.h - writing FlatBuffers, as far as Arrow's messages need it.
 *
 * A buffer grows from its end to its beginning: what is pointed to is written before what points to
 * it. Places are told as distances from the end. It remembers if memory ran out. One thread.
 */
#ifndef TDK_FORMATS_FLAT_H
#define TDK_FORMATS_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLAT_FIELDS_MAX 8

struct flat {
    char *bytes; /* owned; the last `size` of `room` bytes are the buffer */
    size_t size, room;
    uint32_t fields[FLAT_FIELDS_MAX]; /* of the open table: where each value is; 0: not there */
    unsigned field_count;
    size_t table; /* where the open table ends */
    bool failed;
};

/* All zeros is an empty one. */
void flat_close(struct flat *flat);
void flat_clear(struct flat *flat);

/* Each returns where it is, for flat_place(). */
uint32_t flat_string(struct flat *flat, const char *string);
uint32_t flat_places(struct flat *flat, const uint32_t *places,
                     size_t count); /* a vector of them */
uint32_t flat_pairs(struct flat *flat, const int64_t (*pairs)[2], size_t count); /* of structs */

/* A table: its fields by number, any order, then the end. Nothing else in between. */
void flat_begin(struct flat *flat);
void flat_number(struct flat *flat, unsigned field, int64_t value, size_t width);
void flat_place(struct flat *flat, unsigned field, uint32_t place);
uint32_t flat_end(struct flat *flat);

/* The root, and a size that is a multiple of 8. NULL: no memory. The bytes until clear. */
const char *flat_finish(struct flat *flat, uint32_t root, size_t *size);

#endif
