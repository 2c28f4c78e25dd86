/* encode.c - the writing half of message.h: msgpack appended to a text buffer. */
#include <msgpack.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "wire/message.h"

static int append(void *data, const char *bytes, size_t size)
{
    text_add(data, bytes, size);
    return 0; /* the buffer remembers if something could not be added */
}

static msgpack_packer packer(struct text_buffer *out)
{
    msgpack_packer p;
    msgpack_packer_init(&p, out, append);
    return p;
}

void wire_put_nil(struct text_buffer *out)
{
    msgpack_packer p = packer(out);
    msgpack_pack_nil(&p);
}

void wire_put_bool(struct text_buffer *out, bool value)
{
    msgpack_packer p = packer(out);
    if (value)
        msgpack_pack_true(&p);
    else
        msgpack_pack_false(&p);
}

void wire_put_u64(struct text_buffer *out, uint64_t value)
{
    msgpack_packer p = packer(out);
    msgpack_pack_uint64(&p, value);
}

static void put_i64(struct text_buffer *out, int64_t value)
{
    msgpack_packer p = packer(out);
    msgpack_pack_int64(&p, value);
}

static void put_text(struct text_buffer *out, const char *bytes, size_t size)
{
    msgpack_packer p = packer(out);
    msgpack_pack_str_with_body(&p, bytes, size);
}

void wire_put_string(struct text_buffer *out, const char *value)
{
    put_text(out, value, strlen(value));
}

void wire_put_bytes(struct text_buffer *out, const void *bytes, size_t size)
{
    msgpack_packer p = packer(out);
    msgpack_pack_bin_with_body(&p, bytes, size);
}

void wire_put_map(struct text_buffer *out, uint32_t pairs)
{
    msgpack_packer p = packer(out);
    msgpack_pack_map(&p, pairs);
}

void wire_put_list(struct text_buffer *out, uint32_t items)
{
    msgpack_packer p = packer(out);
    msgpack_pack_array(&p, items);
}

/* ---- lists and maps whose length is known later: always the form with 16 bits ---- */

#define LATER_SIZE 3u

static size_t open_later(struct text_buffer *out, char kind)
{
    size_t at = out->size;
    text_add(out, (char[LATER_SIZE]){kind, 0, 0}, LATER_SIZE);
    return at;
}

static void close_later(struct text_buffer *out, size_t at, uint32_t count)
{
    if (text_error(out) == 0)
        store_be16(out->bytes + at + 1, (uint16_t)count);
}

size_t wire_open_list(struct text_buffer *out)
{
    return open_later(out, (char)0xdc);
}

void wire_close_list(struct text_buffer *out, size_t opened, uint32_t items)
{
    close_later(out, opened, items);
}

size_t wire_open_map(struct text_buffer *out)
{
    return open_later(out, (char)0xde);
}

void wire_close_map(struct text_buffer *out, size_t opened, uint32_t pairs)
{
    close_later(out, opened, pairs);
}

/* ---- messages ---- */

void wire_begin_request(struct text_buffer *out, uint64_t id, const char *method)
{
    wire_put_list(out, 4);
    wire_put_u64(out, WIRE_REQUEST);
    wire_put_u64(out, id);
    wire_put_string(out, method);
}

void wire_begin_result(struct text_buffer *out, uint64_t id)
{
    wire_put_list(out, 4);
    wire_put_u64(out, WIRE_RESPONSE);
    wire_put_u64(out, id);
    wire_put_nil(out);
}

void wire_begin_notification(struct text_buffer *out, const char *method)
{
    wire_put_list(out, 3);
    wire_put_u64(out, WIRE_NOTIFICATION);
    wire_put_string(out, method);
}

void wire_put_words(struct text_buffer *out, const char *words)
{
    size_t size = strlen(words);
    put_text(out, words, size);
    if (text_error(out) < 0)
        return;
    char *at = out->bytes + out->size - size;
    for (size_t good; (good = utf8_span(at, size)) < size; at[good] = '?')
        ;
}

void wire_data_head(char head[WIRE_DATA_HEAD], uint64_t stream, uint64_t ticks, uint32_t size)
{
    /* Numbers have their longest form, and one name has a longer form than it needs. */
    static const char form[] = "\x93\x02\xa4"
                               "data\x83\xd9\x06"
                               "stream\xcf--------\xa1n\xcf--------\xa6"
                               "frames\xc6----";
    static_assert(sizeof form == WIRE_DATA_HEAD + 1, "a multiple of 8");
    memcpy(head, form, WIRE_DATA_HEAD);
    store_be64(head + 17, stream);
    store_be64(head + 28, ticks);
    store_u32(head + 44, __builtin_bswap32(size));
}

void wire_put_error(struct text_buffer *out, const struct tdk_err *err, uint64_t retry_after_ns)
{
    int code = wire_error_code(err->code);
    wire_put_map(out, retry_after_ns != 0 ? 4 : 3);
    wire_put_string(out, "code");
    put_i64(out, code);
    wire_pair_string(out, "name", wire_error_name(code));
    wire_put_string(out, "message");
    wire_put_words(out, err->text);
    if (retry_after_ns != 0)
        wire_pair_u64(out, "retry_after", retry_after_ns);
}

void wire_put_failure(struct text_buffer *out, const uint64_t *id, const struct tdk_err *err,
                      uint64_t retry_after_ns)
{
    wire_put_list(out, 4);
    wire_put_u64(out, WIRE_RESPONSE);
    if (id != NULL)
        wire_put_u64(out, *id);
    else
        wire_put_nil(out);
    wire_put_error(out, err, retry_after_ns);
    wire_put_nil(out);
}
