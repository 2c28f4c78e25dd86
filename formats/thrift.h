/*
 * thrift.h - writes Thrift's compact protocol, as far as Parquet's footer and page heads need it.
 *
 * Fields are written in the order of their numbers. Everything goes to the end of a text buffer,
 * which remembers if memory ran out. One thread.
 */
#ifndef TDK_FORMATS_THRIFT_H
#define TDK_FORMATS_THRIFT_H

#include "base/text_buffer.h"

#define THRIFT_DEPTH 8 /* structs inside structs */

struct thrift {
    struct text_buffer *out; /* borrowed */
    int16_t last[THRIFT_DEPTH];
    unsigned depth;
};

enum thrift_type { THRIFT_I32 = 5, THRIFT_BINARY = 8, THRIFT_STRUCT = 12 };

/* varint: LEB128, the lowest seven bits first. zigzag: the same, with the sign in the lowest
 * bit. */
void thrift_varint(struct text_buffer *out, uint64_t value);
void thrift_zigzag(struct text_buffer *out, int64_t value);

/* Begin a struct that stands by itself; thrift_end() closes it. */
struct thrift thrift_begin(struct text_buffer *out);
void thrift_end(struct thrift *t);

void thrift_bool(struct thrift *t, int16_t field, bool value);
void thrift_byte(struct thrift *t, int16_t field, int8_t value);
void thrift_i32(struct thrift *t, int16_t field, int32_t value);
void thrift_i64(struct thrift *t, int16_t field, int64_t value);
void thrift_binary(struct thrift *t, int16_t field, const void *bytes, size_t size);
void thrift_string(struct thrift *t, int16_t field, const char *string);
void thrift_struct(struct thrift *t, int16_t field); /* until thrift_end() */
void thrift_empty(struct thrift *t, int16_t field);  /* a struct with nothing in it */

/* Write the head of a list. Its elements follow: thrift_zigzag() for an i32,
 * thrift_element_string(), or thrift_element() ... thrift_end() for a struct. */
void thrift_list(struct thrift *t, int16_t field, enum thrift_type type, size_t count);
void thrift_element(struct thrift *t);
void thrift_element_string(struct thrift *t, const char *string);

#endif
