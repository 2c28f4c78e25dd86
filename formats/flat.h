/*
 * flat.h - writes FlatBuffers, as far as Arrow's messages need it.
 *
 * A buffer grows from its end to its beginning: what is pointed to is written before what points to
 * it. Places are given as distances from the end. The buffer remembers if memory ran out. One
 * thread.
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
    uint32_t fields[FLAT_FIELDS_MAX]; /* of the open table: where each value is; 0: none */
    unsigned field_count;
    size_t table; /* where the open table ends */
    bool failed;
};

/* A zeroed one is empty. */
void flat_close(struct flat *flat);
void flat_clear(struct flat *flat);

/* Each returns the place of what it wrote, for flat_place(). */
uint32_t flat_string(struct flat *flat, const char *string);
uint32_t flat_places(struct flat *flat, const uint32_t *places,
                     size_t count); /* a vector of them */
uint32_t flat_pairs(struct flat *flat, const int64_t (*pairs)[2], size_t count); /* of structs */

/* A table: begin it, add its fields by number in any order, end it. Nothing else may come in
 * between. */
void flat_begin(struct flat *flat);
void flat_number(struct flat *flat, unsigned field, int64_t value, size_t width);
void flat_place(struct flat *flat, unsigned field, uint32_t place);
uint32_t flat_end(struct flat *flat);

/* Write the root, and make the size a multiple of 8. The bytes are valid until clear. NULL: no
 * memory. */
const char *flat_finish(struct flat *flat, uint32_t root, size_t *size);

#endif
