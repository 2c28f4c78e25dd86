#include "formats/thrift.h"

#include <assert.h>

/* Types in a field's head, besides those in the header file. */
enum { TYPE_TRUE = 1, TYPE_FALSE = 2, TYPE_BYTE = 3, TYPE_I64 = 6, TYPE_LIST = 9 };

void thrift_varint(struct text_buffer *out, uint64_t value)
{
    char bytes[10];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[size++] = (char)(value | 0x80);
    bytes[size++] = (char)value;
    text_add(out, bytes, size);
}

void thrift_zigzag(struct text_buffer *out, int64_t value)
{
    thrift_varint(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

struct thrift thrift_begin(struct text_buffer *out)
{
    return (struct thrift){.out = out};
}

void thrift_element(struct thrift *t)
{
    assert(t->depth + 1 < THRIFT_DEPTH);
    t->last[++t->depth] = 0;
}

void thrift_end(struct thrift *t)
{
    text_add_char(t->out, 0);
    if (t->depth > 0)
        t->depth--;
}

static void head(struct thrift *t, int16_t field, int type)
{
    int16_t *last = &t->last[t->depth];
    int step = field - *last;
    assert(step > 0);
    if (step <= 15) {
        text_add_char(t->out, (char)(step << 4 | type));
    } else {
        text_add_char(t->out, (char)type);
        thrift_zigzag(t->out, field);
    }
    *last = field;
}

void thrift_bool(struct thrift *t, int16_t field, bool value)
{
    head(t, field, value ? TYPE_TRUE : TYPE_FALSE);
}

void thrift_byte(struct thrift *t, int16_t field, int8_t value)
{
    head(t, field, TYPE_BYTE);
    text_add_char(t->out, (char)value);
}

void thrift_i32(struct thrift *t, int16_t field, int32_t value)
{
    head(t, field, THRIFT_I32);
    thrift_zigzag(t->out, value);
}

void thrift_i64(struct thrift *t, int16_t field, int64_t value)
{
    head(t, field, TYPE_I64);
    thrift_zigzag(t->out, value);
}

static void put_bytes(struct thrift *t, const void *bytes, size_t size)
{
    thrift_varint(t->out, size);
    text_add(t->out, bytes, size);
}

void thrift_binary(struct thrift *t, int16_t field, const void *bytes, size_t size)
{
    head(t, field, THRIFT_BINARY);
    put_bytes(t, bytes, size);
}

void thrift_string(struct thrift *t, int16_t field, const char *string)
{
    thrift_binary(t, field, string, strlen(string));
}

void thrift_element_string(struct thrift *t, const char *string)
{
    put_bytes(t, string, strlen(string));
}

void thrift_struct(struct thrift *t, int16_t field)
{
    head(t, field, THRIFT_STRUCT);
    thrift_element(t);
}

void thrift_empty(struct thrift *t, int16_t field)
{
    thrift_struct(t, field);
    thrift_end(t);
}

void thrift_list(struct thrift *t, int16_t field, enum thrift_type type, size_t count)
{
    head(t, field, TYPE_LIST);
    if (count < 15) {
        text_add_char(t->out, (char)(count << 4 | type));
    } else {
        text_add_char(t->out, (char)(0xF0 | type));
        thrift_varint(t->out, count);
    }
}
