#include "formats/five.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"
#include "formats/json_line.h"

#define PRICE_MAX    ((uint64_t)INT64_MAX - 1) /* the next value means undefined */
#define UNSIGNED_MAX (UINT64_MAX - 1)          /* likewise */

/* json-c keeps the text of a number that has a point or an exponent. A number without them is an
 * integer, and json-c saturates it only far beyond our limits. So each value can be read digit by
 * digit. */
struct five_decoder {
    struct json_line line; /* owns the strings that are returned */
};

int five_decoder_open(struct five_decoder **decoder)
{
    struct five_decoder *d = calloc(1, sizeof *d);
    if (d == NULL)
        return -ENOMEM;
    if (json_line_open(&d->line, 8) < 0) {
        free(d);
        return -ENOMEM;
    }
    *decoder = d;
    return 0;
}

void five_decoder_close(struct five_decoder *decoder)
{
    if (decoder == NULL)
        return;
    json_line_close(&decoder->line);
    free(decoder);
}

/* The value of the four hex digits of "\uXXXX". UINT_MAX: there is no such escape here. */
static unsigned escaped_unit(const char *at, const char *end)
{
    unsigned unit = 0;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return UINT_MAX;
    for (int i = 2; i < 6; i++) {
        int c = tolower((unsigned char)at[i]);
        if (!isxdigit(c))
            return UINT_MAX;
        unit = unit * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return unit;
}

/* Find half of a surrogate pair, which is no character. json-c would replace it by U+FFFD, so the
 * input could not be reproduced. NULL: there is none. */
static const char *lone_surrogate(const char *line, const char *end)
{
    const char *at = line;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        unsigned unit = escaped_unit(at, end);
        if (unit >= 0xd800 && unit < 0xdc00) {
            unsigned low = escaped_unit(at + 6, end);
            if (low < 0xdc00 || low >= 0xe000)
                return at;
            at += 12;
        } else if (unit >= 0xdc00 && unit < 0xe000) {
            return at;
        } else {
            at += at + 1 < end ? 2 : 1;
        }
    }
    return NULL;
}

/* Parse one object with nothing after it. */
static int parse_object(struct five_decoder *d, const char *line, size_t size, struct tdk_err *err)
{
    int rc = json_line_parse(&d->line, line, size, err);
    if (rc == 0 && !json_object_is_type(d->line.object, json_type_object))
        rc = err_say(err, TDK_EVALUE, "not a JSON object");
    return rc;
}

static int read_string(const struct five_decoder *d, const char *key, size_t max,
                       const char **string, size_t *size, struct tdk_err *err)
{
    struct json_object *value;
    if (!json_object_object_get_ex(d->line.object, key, &value))
        return err_say(err, TDK_EVALUE, "\"%s\" is missing", key);
    if (!json_object_is_type(value, json_type_string))
        return err_say(err, TDK_EVALUE, "\"%s\" is not a string", key);
    *string = json_object_get_string(value);
    *size = (size_t)json_object_get_string_len(value);
    if (*size == 0 && strcmp(key, "symbol") == 0)
        return err_say(err, TDK_EVALUE, "\"%s\" is empty", key);
    if (*size > max)
        return err_say(err, TDK_EVALUE, "\"%s\" of %zu bytes; at most %zu can be kept", key, *size,
                       max);
    if (memchr(*string, '\0', *size) != NULL)
        return err_say(err, TDK_EVALUE, "\"%s\" has a NUL in it", key);
    return 0;
}

/* Read the value's magnitude in 1e-9, at most `max`. */
static int read_decimal(const struct five_decoder *d, const char *key, uint64_t max,
                        uint64_t *units, bool *negative, struct tdk_err *err)
{
    struct json_object *value;
    if (!json_object_object_get_ex(d->line.object, key, &value))
        return err_say(err, TDK_EVALUE, "\"%s\" is missing", key);
    if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
        return err_say(err, TDK_EVALUE, "\"%s\" is not a number", key);
    const char *text = json_object_get_string(value);
    if (text == NULL)
        return err_set(err, -ENOMEM, "read a number");
    int rc = five_decimal(text, strlen(text), units, negative);
    if (rc == -EDOM)
        return err_say(err, TDK_EVALUE, "\"%s\": %.60s has more than nine places", key, text);
    if (rc == -ERANGE || (rc == 0 && *units > max))
        return err_say(err, TDK_EVALUE, "\"%s\": %.60s is too large", key, text);
    if (rc < 0)
        return err_say(err, TDK_EVALUE, "\"%s\": %.60s is not a number", key, text);
    return 0;
}

/* Read a number from 0 up to the last value before the one that means undefined. */
static int read_unsigned(const struct five_decoder *d, const char *key, uint64_t *units,
                         struct tdk_err *err)
{
    bool negative = false;
    int rc = read_decimal(d, key, UNSIGNED_MAX, units, &negative, err);
    if (rc == 0 && negative && *units != 0)
        return err_say(err, TDK_EVALUE, "\"%s\" is negative", key);
    return rc;
}

static int read_price(const struct five_decoder *d, int64_t *price, struct tdk_err *err)
{
    uint64_t units = 0;
    bool negative = false;
    int rc = read_decimal(d, "price", PRICE_MAX, &units, &negative, err);
    *price = negative ? -(int64_t)units : (int64_t)units;
    return rc;
}

static int decode_json(struct five_decoder *d, const char *line, size_t size,
                       struct five_tick *tick, struct tdk_err *err)
{
    const char *lone = lone_surrogate(line, line + size);
    if (lone != NULL)
        return err_say(err, TDK_EVALUE, "not UTF-16 at column %zu", (size_t)(lone - line) + 1);
    int rc = parse_object(d, line, size, err);
    if (rc == 0)
        rc = read_string(d, "symbol", FIVE_SYMBOL_MAX, &tick->symbol, &tick->symbol_size, err);
    if (rc == 0)
        rc = read_unsigned(d, "timestamp", &tick->ts, err);
    if (rc == 0)
        rc = read_price(d, &tick->price, err);
    if (rc == 0)
        rc = read_unsigned(d, "volume", &tick->volume, err);
    if (rc == 0)
        rc = read_string(d, "message_type", FIVE_TYPE_MAX, &tick->message_type,
                         &tick->message_type_size, err);
    return rc;
}

/*
 * ---- the short way: a line just as five_encode() writes it, which is what most files have ----
 * Ten times as fast as making objects of it. Whatever is not of this very form, or not in order,
 * goes the long way, which knows all of JSON and what to say.
 */

/* Take a string up to the closing quote, if it has no escapes. */
static bool take_plain(const char **at, const char *end, size_t max, const char **string,
                       size_t *size)
{
    const char *p = *at;
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    *string = *at;
    *size = (size_t)(p - *at);
    *at = p;
    return p < end && *p == '"' && *size <= max;
}

static bool take_decimal(const char **at, const char *end, uint64_t max, uint64_t *units,
                         bool *negative)
{
    const char *p = *at, *last = memchr(p, ',', (size_t)(end - p));
    if (last == NULL || five_decimal(p, (size_t)(last - p), units, negative) < 0)
        return false;
    *at = last;
    return *units <= max;
}

static bool take_unsigned(const char **at, const char *end, uint64_t *units)
{
    bool negative = false;
    return take_decimal(at, end, UNSIGNED_MAX, units, &negative) && (!negative || *units == 0);
}

static bool take_price(const char **at, const char *end, int64_t *price)
{
    uint64_t units = 0;
    bool negative = false;
    if (!take_decimal(at, end, PRICE_MAX, &units, &negative))
        return false;
    *price = negative ? -(int64_t)units : (int64_t)units;
    return true;
}

static bool decode_plain(const char *line, size_t size, struct five_tick *t)
{
    const char *at = line, *end = line + size;
    return json_take(&at, end, "{\"symbol\":\"") &&
           take_plain(&at, end, FIVE_SYMBOL_MAX, &t->symbol, &t->symbol_size) &&
           t->symbol_size > 0 && json_take(&at, end, "\",\"timestamp\":") &&
           take_unsigned(&at, end, &t->ts) && json_take(&at, end, ",\"price\":") &&
           take_price(&at, end, &t->price) && json_take(&at, end, ",\"volume\":") &&
           take_unsigned(&at, end, &t->volume) && json_take(&at, end, ",\"message_type\":\"") &&
           take_plain(&at, end, FIVE_TYPE_MAX, &t->message_type, &t->message_type_size) &&
           json_take(&at, end, "\"}") && at == end;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

int five_decode(struct five_decoder *decoder, const char *line, size_t size, struct five_tick *tick,
                struct tdk_err *err)
{
    struct five_tick t = {0};
    while (size > 0 && is_space(line[size - 1]))
        size--;
    size_t good = utf8_span(line, size); /* json-c's own check misses some */
    if (good < size)
        return err_say(err, TDK_EVALUE, "not UTF-8 at column %zu", good + 1);
    int rc = decode_plain(line, size, &t) ? 0 : decode_json(decoder, line, size, &t, err);
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
