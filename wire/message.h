/*
 * message.h - the messages of the protocol: three kinds, and maps to read values from and write
 * them to.
 *
 *   request       [0, id, method, params]
 *   response      [1, id, error, result]
 *   notification  [2, method, params]
 *
 * Decoding takes the bytes of one whole message, as frame.h found it, so that its memory has a
 * limit: a message of the largest size may take some 24 times its bytes while it is read, in memory
 * that the decoder keeps. Values are views into that memory and into the bytes. Encoding appends to
 * a text buffer, and fails only when there is no memory (text_error()).
 *
 * No I/O; one owner at a time.
 */
#ifndef TDK_WIRE_MESSAGE_H
#define TDK_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text_buffer.h"
#include "tapedeck/err.h"

/* ---- reading ---- */

/* Bytes of a text or a blob, without a NUL at the end. */
struct wire_text {
    const char *bytes;
    uint32_t size;
};

/* A map or a list, borrowed from the decoder until its next message. All zeros is an empty one. */
struct wire_map {
    const void *pairs;
    uint32_t count;
};

struct wire_list {
    const void *items;
    uint32_t count;
};

enum wire_kind { WIRE_REQUEST = 0, WIRE_RESPONSE = 1, WIRE_NOTIFICATION = 2 };

struct wire_message {
    enum wire_kind kind;
    uint64_t id;             /* of a request or response */
    bool has_id;             /* false: a response to a message that could not be read */
    struct wire_text method; /* of a request or notification */
    struct wire_map params;  /* of a request or notification; for a response, its result */
    bool failed;             /* a response with this error: */
    struct wire_map error;
};

struct wire_decoder;
int wire_decoder_open(struct wire_decoder **decoder); /* -ENOMEM */
void wire_decoder_close(struct wire_decoder *decoder);

/* Decode one whole message. TDK_EFORMAT: it is no message, and err says why. -ENOMEM. */
int wire_decode(struct wire_decoder *decoder, const void *bytes, size_t size,
                struct wire_message *message, struct tdk_err *err);

/* Read the value of a key. 1: it is *value. 0: there is none, or it is nil; *value is untouched.
 * TDK_EVALUE: it is of another kind, and err names the key. If a key is there twice, the first
 * counts. */
int wire_u64(struct wire_map map, const char *key, uint64_t *value, struct tdk_err *err);
int wire_bool(struct wire_map map, const char *key, bool *value, struct tdk_err *err);
int wire_text(struct wire_map map, const char *key, struct wire_text *value, struct tdk_err *err);
int wire_bytes(struct wire_map map, const char *key, struct wire_text *value, struct tdk_err *err);
int wire_list(struct wire_map map, const char *key, struct wire_list *value, struct tdk_err *err);
int wire_map(struct wire_map map, const char *key, struct wire_map *value, struct tdk_err *err);

/* The same for a text, copied to `value` and ended with a NUL. Also TDK_EVALUE: it has more than
 * room - 1 bytes, or a NUL inside. */
int wire_string(struct wire_map map, const char *key, char *value, size_t room,
                struct tdk_err *err);

/* The same for an item of a list; `at` must be inside the list (assert). 1; 0: it is nil;
 * TDK_EVALUE. */
int wire_item_u64(struct wire_list list, uint32_t at, uint64_t *value, struct tdk_err *err);
int wire_item_text(struct wire_list list, uint32_t at, struct wire_text *value,
                   struct tdk_err *err);
int wire_item_list(struct wire_list list, uint32_t at, struct wire_list *value,
                   struct tdk_err *err);
int wire_item_map(struct wire_list list, uint32_t at, struct wire_map *value, struct tdk_err *err);

/* For values of an answer, where a mistake is the other side's. `rc` is what one of the functions
 * above has returned. A value of another kind becomes TDK_EFORMAT; so does a missing one with
 * wire_must(), while wire_may() allows it. Otherwise `rc` is returned as it is. */
int wire_must(int rc, const char *key, struct tdk_err *err);
int wire_may(int rc, struct tdk_err *err);

static inline bool wire_text_is(struct wire_text text, const char *word)
{
    return strlen(word) == text.size && memcmp(text.bytes, word, text.size) == 0;
}

/* To list what a map has: the key at a place, empty if it is not a text; and the map as JSON, in
 * which the value of the key `hidden` (NULL: none) is replaced by "...". */
struct wire_text wire_key_at(struct wire_map map, uint32_t at);
void wire_json(struct text_buffer *out, struct wire_map map, const char *hidden);

/* ---- writing ---- */

void wire_put_nil(struct text_buffer *out);
void wire_put_bool(struct text_buffer *out, bool value);
void wire_put_u64(struct text_buffer *out, uint64_t value);
void wire_put_string(struct text_buffer *out, const char *value);
void wire_put_bytes(struct text_buffer *out, const void *bytes, size_t size);

/* Put a string that may have bytes from outside. Each byte that is not UTF-8 becomes a '?', because
 * otherwise a reader would refuse the whole message. */
void wire_put_words(struct text_buffer *out, const char *words);
void wire_put_map(struct text_buffer *out, uint32_t pairs);
void wire_put_list(struct text_buffer *out, uint32_t items);

/* Put a pair of a map. */
static inline void wire_pair_u64(struct text_buffer *out, const char *key, uint64_t value)
{
    wire_put_string(out, key);
    wire_put_u64(out, value);
}

static inline void wire_pair_string(struct text_buffer *out, const char *key, const char *value)
{
    wire_put_string(out, key);
    wire_put_string(out, value);
}

static inline void wire_pair_bool(struct text_buffer *out, const char *key, bool value)
{
    wire_put_string(out, key);
    wire_put_bool(out, value);
}

/* Put a list or map whose length is known only at its end. Close it with what open returned. */
size_t wire_open_list(struct text_buffer *out);
void wire_close_list(struct text_buffer *out, size_t opened, uint32_t items);
size_t wire_open_map(struct text_buffer *out);
void wire_close_map(struct text_buffer *out, size_t opened, uint32_t pairs);

/* [2, "data", {stream, n, frames}] up to the frames. It has always WIRE_DATA_HEAD bytes. So if the
 * frames lie aligned after it, they are also aligned for a reader that reads the message into
 * aligned memory. */
#define WIRE_DATA_HEAD 48
void wire_data_head(char head[WIRE_DATA_HEAD], uint64_t stream, uint64_t ticks, uint32_t size);

/* Begin a message. Its params or its result follow. */
void wire_begin_request(struct text_buffer *out, uint64_t id, const char *method);
void wire_begin_result(struct text_buffer *out, uint64_t id);
void wire_begin_notification(struct text_buffer *out, const char *method);

/* Put a whole response that is an error. `id` NULL: it answers what could not be read. */
void wire_put_failure(struct text_buffer *out, const uint64_t *id, const struct tdk_err *err,
                      uint64_t retry_after_ns);

/* Put only the map {code, name, message, retry_after?}. */
void wire_put_error(struct text_buffer *out, const struct tdk_err *err, uint64_t retry_after_ns);

/* Turn an error map back into an err. False: it is no such map. */
bool wire_get_error(struct wire_map error, struct tdk_err *err);

/* The name of a code on the wire: "ENOENT", "ECORRUPT". Static. "EUNKNOWN": it is no code of ours.
 */
const char *wire_error_name(int code);

/* The code on the wire for one of ours: -ENOENT for anything that was not found, -EINVAL for a
 * value that is not allowed. */
int wire_error_code(int code);

#endif
