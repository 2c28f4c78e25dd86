#include "wire/message.h"

#include <assert.h>
#include <errno.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define ZONE_SIZE ((size_t)64 << 10) /* enough for most messages: nothing is allocated for them */

struct wire_decoder {
    msgpack_zone zone;
};

int wire_decoder_open(struct wire_decoder **out)
{
    struct wire_decoder *d = malloc(sizeof *d);
    if (d == NULL)
        return -ENOMEM;
    if (!msgpack_zone_init(&d->zone, ZONE_SIZE)) {
        free(d);
        return -ENOMEM;
    }
    *out = d;
    return 0;
}

void wire_decoder_close(struct wire_decoder *d)
{
    if (d == NULL)
        return;
    msgpack_zone_destroy(&d->zone);
    free(d);
}

/* ---- whole messages ---- */

static int take_id(const msgpack_object *o, struct wire_message *m, struct tdk_err *err)
{
    m->has_id = o->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
    m->id = m->has_id ? o->via.u64 : 0;
    if (!m->has_id && !(m->kind == WIRE_RESPONSE && o->type == MSGPACK_OBJECT_NIL))
        return err_say(err, TDK_EFORMAT, "not a message: its id is not a number from 0 on");
    return 0;
}

/* A method and its params, which may be nil. */
static int take_call(const msgpack_object *o, struct wire_message *m, struct tdk_err *err)
{
    if (o[0].type != MSGPACK_OBJECT_STR)
        return err_say(err, TDK_EFORMAT, "not a message: its method is not a text");
    if (o[1].type != MSGPACK_OBJECT_MAP && o[1].type != MSGPACK_OBJECT_NIL)
        return err_say(err, TDK_EFORMAT, "not a message: its params are not a map");
    m->method = (struct wire_text){o[0].via.str.ptr, o[0].via.str.size};
    if (o[1].type == MSGPACK_OBJECT_MAP)
        m->params = (struct wire_map){o[1].via.map.ptr, o[1].via.map.size};
    return 0;
}

static int take_result(const msgpack_object *o, struct wire_message *m, struct tdk_err *err)
{
    m->failed = o[0].type == MSGPACK_OBJECT_MAP;
    if (m->failed)
        m->error = (struct wire_map){o[0].via.map.ptr, o[0].via.map.size};
    else if (o[0].type != MSGPACK_OBJECT_NIL)
        return err_say(err, TDK_EFORMAT, "not a message: its error is neither nil nor a map");
    if (o[1].type == MSGPACK_OBJECT_MAP)
        m->params = (struct wire_map){o[1].via.map.ptr, o[1].via.map.size};
    else if (!m->failed)
        return err_say(err, TDK_EFORMAT, "not a message: its result is not a map");
    return 0;
}

static int take_message(const msgpack_object *o, uint32_t count, struct wire_message *m,
                        struct tdk_err *err)
{
    uint64_t kind = count > 0 && o[0].type == MSGPACK_OBJECT_POSITIVE_INTEGER ? o[0].via.u64 : 3;
    if (kind > WIRE_NOTIFICATION || count != (kind == WIRE_NOTIFICATION ? 3u : 4u))
        return err_say(
            err, TDK_EFORMAT,
            "not a message: neither [0, id, method, params] nor [1, id, error, result] nor "
            "[2, method, params]");
    memset(m, 0, sizeof *m);
    m->kind = (enum wire_kind)kind;
    if (kind == WIRE_NOTIFICATION)
        return take_call(&o[1], m, err);
    int rc = take_id(&o[1], m, err);
    if (rc < 0)
        return rc;
    return kind == WIRE_REQUEST ? take_call(&o[2], m, err) : take_result(&o[2], m, err);
}

int wire_decode(struct wire_decoder *d, const void *bytes, size_t size, struct wire_message *m,
                struct tdk_err *err)
{
    msgpack_object o;
    size_t at = 0;
    msgpack_zone_clear(&d->zone);
    msgpack_unpack_return rc = msgpack_unpack(bytes, size, &at, &d->zone, &o);
    if (rc == MSGPACK_UNPACK_NOMEM_ERROR)
        return err_set(err, -ENOMEM, "decode a message of %zu bytes", size);
    if (rc != MSGPACK_UNPACK_SUCCESS || at != size)
        return err_say(err, TDK_EFORMAT, "not a message: not one whole piece of msgpack");
    if (o.type != MSGPACK_OBJECT_ARRAY)
        return err_say(err, TDK_EFORMAT, "not a message: not an array");
    return take_message(o.via.array.ptr, o.via.array.size, m, err);
}

/* ---- values ---- */

static const msgpack_object *find(struct wire_map map, const char *key)
{
    const msgpack_object_kv *pairs = map.pairs;
    size_t size = strlen(key);
    for (uint32_t i = 0; i < map.count; i++) {
        const msgpack_object *k = &pairs[i].key;
        if (k->type == MSGPACK_OBJECT_STR && k->via.str.size == size &&
            memcmp(k->via.str.ptr, key, size) == 0)
            return pairs[i].val.type != MSGPACK_OBJECT_NIL ? &pairs[i].val : NULL;
    }
    return NULL;
}

static int refuse(const char *key, const char *wanted, struct tdk_err *err)
{
    return err_say(err, TDK_EVALUE, "%s: not %s", key, wanted);
}

int wire_u64(struct wire_map map, const char *key, uint64_t *value, struct tdk_err *err)
{
    const msgpack_object *o = find(map, key);
    if (o == NULL)
        return 0;
    if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return refuse(key, "an integer from 0 on", err);
    *value = o->via.u64;
    return 1;
}

int wire_bool(struct wire_map map, const char *key, bool *value, struct tdk_err *err)
{
    const msgpack_object *o = find(map, key);
    if (o == NULL)
        return 0;
    if (o->type != MSGPACK_OBJECT_BOOLEAN)
        return refuse(key, "true or false", err);
    *value = o->via.boolean;
    return 1;
}

static int take_text(const msgpack_object *o, const char *key, struct wire_text *value,
                     struct tdk_err *err)
{
    if (o == NULL || o->type == MSGPACK_OBJECT_NIL)
        return 0;
    if (o->type != MSGPACK_OBJECT_STR)
        return refuse(key, "a text", err);
    *value = (struct wire_text){o->via.str.ptr, o->via.str.size};
    return 1;
}

static int take_list(const msgpack_object *o, const char *key, struct wire_list *value,
                     struct tdk_err *err)
{
    if (o == NULL || o->type == MSGPACK_OBJECT_NIL)
        return 0;
    if (o->type != MSGPACK_OBJECT_ARRAY)
        return refuse(key, "a list", err);
    *value = (struct wire_list){o->via.array.ptr, o->via.array.size};
    return 1;
}

static int take_map(const msgpack_object *o, const char *key, struct wire_map *value,
                    struct tdk_err *err)
{
    if (o == NULL || o->type == MSGPACK_OBJECT_NIL)
        return 0;
    if (o->type != MSGPACK_OBJECT_MAP)
        return refuse(key, "a map", err);
    *value = (struct wire_map){o->via.map.ptr, o->via.map.size};
    return 1;
}

int wire_text(struct wire_map map, const char *key, struct wire_text *value, struct tdk_err *err)
{
    return take_text(find(map, key), key, value, err);
}

int wire_bytes(struct wire_map map, const char *key, struct wire_text *value, struct tdk_err *err)
{
    const msgpack_object *o = find(map, key);
    if (o == NULL)
        return 0;
    if (o->type != MSGPACK_OBJECT_BIN)
        return refuse(key, "bytes", err);
    *value = (struct wire_text){o->via.bin.ptr, o->via.bin.size};
    return 1;
}

int wire_list(struct wire_map map, const char *key, struct wire_list *value, struct tdk_err *err)
{
    return take_list(find(map, key), key, value, err);
}

int wire_map(struct wire_map map, const char *key, struct wire_map *value, struct tdk_err *err)
{
    return take_map(find(map, key), key, value, err);
}

int wire_string(struct wire_map map, const char *key, char *value, size_t room, struct tdk_err *err)
{
    struct wire_text text = {"", 0};
    int rc = wire_text(map, key, &text, err);
    if (rc <= 0)
        return rc;
    if (text.size >= room)
        return err_say(err, TDK_EVALUE, "%s: %u bytes, and at most %zu are accepted", key,
                       text.size, room - 1);
    if (memchr(text.bytes, '\0', text.size) != NULL)
        return err_say(err, TDK_EVALUE, "%s: it has a NUL in it", key);
    memcpy(value, text.bytes, text.size);
    value[text.size] = '\0';
    return 1;
}

int wire_may(int rc, struct tdk_err *err)
{
    if (rc >= 0)
        return rc;
    if (err != NULL)
        err->code = TDK_EFORMAT;
    return err_wrap(err, TDK_EFORMAT, "a broken answer");
}

int wire_must(int rc, const char *key, struct tdk_err *err)
{
    if (rc == 0)
        return err_say(err, TDK_EFORMAT, "a broken answer: it has no %s", key);
    return wire_may(rc, err);
}

static const msgpack_object *item(struct wire_list list, uint32_t at)
{
    assert(at < list.count);
    return (const msgpack_object *)list.items + at;
}

int wire_item_u64(struct wire_list list, uint32_t at, uint64_t *value, struct tdk_err *err)
{
    const msgpack_object *o = item(list, at);
    if (o->type == MSGPACK_OBJECT_NIL)
        return 0;
    if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return refuse("an item", "an integer from 0 on", err);
    *value = o->via.u64;
    return 1;
}

int wire_item_text(struct wire_list list, uint32_t at, struct wire_text *value, struct tdk_err *err)
{
    return take_text(item(list, at), "an item", value, err);
}

int wire_item_list(struct wire_list list, uint32_t at, struct wire_list *value, struct tdk_err *err)
{
    return take_list(item(list, at), "an item", value, err);
}

int wire_item_map(struct wire_list list, uint32_t at, struct wire_map *value, struct tdk_err *err)
{
    return take_map(item(list, at), "an item", value, err);
}

struct wire_text wire_key_at(struct wire_map map, uint32_t at)
{
    assert(at < map.count);
    const msgpack_object *k = &((const msgpack_object_kv *)map.pairs)[at].key;
    if (k->type != MSGPACK_OBJECT_STR)
        return (struct wire_text){"", 0};
    return (struct wire_text){k->via.str.ptr, k->via.str.size};
}

/* ---- as JSON ---- */

/* The depth is bounded by the limits of frame.h. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void json_value(struct text_buffer *out, const msgpack_object *o, const char *hidden)
{
    switch (o->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        text_add_string(out, o->via.boolean ? "true" : "false");
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        text_add_u64(out, o->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        text_add_i64(out, o->via.i64);
        break;
    case MSGPACK_OBJECT_STR:
        text_add_json(out, o->via.str.ptr, o->via.str.size);
        break;
    case MSGPACK_OBJECT_ARRAY:
        text_add_char(out, '[');
        for (uint32_t i = 0; i < o->via.array.size; i++) {
            text_add_string(out, i > 0 ? "," : "");
            json_value(out, &o->via.array.ptr[i], hidden);
        }
        text_add_char(out, ']');
        break;
    case MSGPACK_OBJECT_MAP:
        wire_json(out, (struct wire_map){o->via.map.ptr, o->via.map.size}, hidden);
        break;
    case MSGPACK_OBJECT_BIN:
        text_add_format(out, "\"%u bytes\"", o->via.bin.size);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
    case MSGPACK_OBJECT_EXT:
    case MSGPACK_OBJECT_NIL:
    default:
        text_add_string(out, "null"); /* our messages never have these */
        break;
    }
}

/* NOLINTNEXTLINE(misc-no-recursion) */
void wire_json(struct text_buffer *out, struct wire_map map, const char *hidden)
{
    const msgpack_object_kv *pairs = map.pairs;
    text_add_char(out, '{');
    for (uint32_t i = 0; i < map.count; i++) {
        struct wire_text key = wire_key_at(map, i);
        text_add_string(out, i > 0 ? "," : "");
        text_add_json(out, key.bytes, key.size);
        text_add_char(out, ':');
        if (hidden != NULL && wire_text_is(key, hidden))
            text_add_string(out, "\"...\"");
        else
            json_value(out, &pairs[i].val, hidden);
    }
    text_add_char(out, '}');
}

bool wire_get_error(struct wire_map error, struct tdk_err *err)
{
    const msgpack_object *code = find(error, "code"); /* a code of ours, so it is below 0 */
    struct wire_text text = {"", 0};
    if (code == NULL || code->type != MSGPACK_OBJECT_NEGATIVE_INTEGER || code->via.i64 < INT32_MIN)
        return false;
    if (wire_text(error, "message", &text, NULL) <= 0)
        return false;
    err_say(err, (int)code->via.i64, "%.*s", (int)(text.size < 480 ? text.size : 480), text.bytes);
    return true;
}
