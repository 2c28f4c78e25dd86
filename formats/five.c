#include "formats/five.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

/* json-c keeps the text of a number that has a point or an exponent; one without is an integer, and
 * where json-c would saturate it, it is far beyond our limits. So each value can be read digit by
 * digit. */
struct five_decoder {
    struct json_tokener *tokener;
    struct json_object *object; /* the last line's: the strings handed out are its */
};

int five_decoder_open(struct five_decoder **decoder)
{
    struct five_decoder *d = calloc(1, sizeof *d);
    if (d == NULL)
        return -ENOMEM;
    d->tokener = json_tokener_new_ex(8);
    if (d->tokener == NULL) {
        free(d);
        return -ENOMEM;
    }
    json_tokener_set_flags(d->tokener, JSON_TOKENER_STRICT);
    *decoder = d;
    return 0;
}

void five_decoder_close(struct five_decoder *decoder)
{
    if (decoder == NULL)
        return;
    json_object_put(decoder->object);
    json_tokener_free(decoder->tokener);
    free(decoder);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One object and nothing behind it. */
static int parse_line(struct five_decoder *d, const char *line, size_t size, struct tdk_err *err)
{
    while (size > 0 && is_space(line[size - 1]))
        size--;
    size_t good = utf8_span(line, size); /* json-c's own check lets some through */
    if (good < size)
        return err_say(err, TDK_EVALUE, "no UTF-8 at column %zu", good + 1);
    json_object_put(d->object);
    json_tokener_reset(d->tokener);
    d->object = size > INT_MAX ? NULL : json_tokener_parse_ex(d->tokener, line, (int)size);
    enum json_tokener_error rc = json_tokener_get_error(d->tokener);
    size_t end = json_tokener_get_parse_end(d->tokener);
    if (rc == json_tokener_continue)
        return err_say(err, TDK_EVALUE, "the JSON ends too early");
    if (rc != json_tokener_success)
        return err_say(err, TDK_EVALUE, "no JSON: %s at column %zu", json_tokener_error_desc(rc),
                       end + 1);
    if (!json_object_is_type(d->object, json_type_object))
        return err_say(err, TDK_EVALUE, "no JSON object");
    if (end != size)
        return err_say(err, TDK_EVALUE, "more than one JSON object: column %zu", end + 1);
    return 0;
}

static int read_string(const struct five_decoder *d, const char *key, size_t max,
                       const char **string, size_t *size, struct tdk_err *err)
{
    struct json_object *value;
    if (!json_object_object_get_ex(d->object, key, &value))
        return err_say(err, TDK_EVALUE, "no \"%s\"", key);
    if (!json_object_is_type(value, json_type_string))
        return err_say(err, TDK_EVALUE, "\"%s\" is no string", key);
    *string = json_object_get_string(value);
    *size = (size_t)json_object_get_string_len(value);
    if (*size > max)
        return err_say(err, TDK_EVALUE, "\"%s\" of %zu bytes; at most %zu can be kept", key, *size,
                       max);
    if (memchr(*string, '\0', *size) != NULL)
        return err_say(err, TDK_EVALUE, "\"%s\" has a NUL in it", key);
    return 0;
}

/* The value's magnitude in 1e-9, at most `max`. */
static int read_decimal(const struct five_decoder *d, const char *key, uint64_t max,
                        uint64_t *units, bool *negative, struct tdk_err *err)
{
    struct json_object *value;
    if (!json_object_object_get_ex(d->object, key, &value))
        return err_say(err, TDK_EVALUE, "no \"%s\"", key);
    if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
        return err_say(err, TDK_EVALUE, "\"%s\" is no number", key);
    const char *text = json_object_get_string(value);
    if (text == NULL)
        return err_set(err, -ENOMEM, "read a number");
    int rc = five_decimal(text, strlen(text), units, negative);
    if (rc == -EDOM)
        return err_say(err, TDK_EVALUE, "\"%s\": %.60s has more than nine places", key, text);
    if (rc == -ERANGE || (rc == 0 && *units > max))
        return err_say(err, TDK_EVALUE, "\"%s\": %.60s is too large", key, text);
    if (rc < 0)
        return err_say(err, TDK_EVALUE, "\"%s\": %.60s is no number", key, text);
    return 0;
}

/* From 0 up to the last value before the one that means undefined. */
static int read_unsigned(const struct five_decoder *d, const char *key, uint64_t *units,
                         struct tdk_err *err)
{
    bool negative = false;
    int rc = read_decimal(d, key, UINT64_MAX - 1, units, &negative, err);
    if (rc == 0 && negative && *units != 0)
        return err_say(err, TDK_EVALUE, "\"%s\" is negative", key);
    return rc;
}

static int read_price(const struct five_decoder *d, int64_t *price, struct tdk_err *err)
{
    uint64_t units = 0;
    bool negative = false;
    int rc = read_decimal(d, "price", INT64_MAX - 1, &units, &negative, err);
    *price = negative ? -(int64_t)units : (int64_t)units;
    return rc;
}

int five_decode(struct five_decoder *decoder, const char *line, size_t size, struct five_tick *tick,
                struct tdk_err *err)
{
    struct five_tick t = {0};
    int rc = parse_line(decoder, line, size, err);
    if (rc == 0)
        rc = read_string(decoder, "symbol", FIVE_SYMBOL_MAX, &t.symbol, &t.symbol_size, err);
    if (rc == 0)
        rc = read_unsigned(decoder, "timestamp", &t.ts, err);
    if (rc == 0)
        rc = read_price(decoder, &t.price, err);
    if (rc == 0)
        rc = read_unsigned(decoder, "volume", &t.volume, err);
    if (rc == 0)
        rc = read_string(decoder, "message_type", FIVE_TYPE_MAX, &t.message_type,
                         &t.message_type_size, err);
    if (rc == 0)
        *tick = t;
    return rc;
}

void five_encode(struct text_buffer *text, const struct five_tick *tick)
{
    text_add_string(text, "{\"symbol\":");
    text_add_json(text, tick->symbol, tick->symbol_size);
    text_add_string(text, ",\"timestamp\":");
    text_add_short_u64(text, tick->ts);
    text_add_string(text, ",\"price\":");
    text_add_short(text, tick->price);
    text_add_string(text, ",\"volume\":");
    text_add_short_u64(text, tick->volume);
    text_add_string(text, ",\"message_type\":");
    text_add_json(text, tick->message_type, tick->message_type_size);
    text_add_string(text, "}\n");
}
