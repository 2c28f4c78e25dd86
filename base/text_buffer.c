#include "base/text_buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/digits.h"
#include "base/utf8.h"

void text_init(struct text_buffer *text)
{
    *text = (struct text_buffer){0};
}

void text_close(struct text_buffer *text)
{
    free(text->bytes);
    text_init(text);
}

int text_error(const struct text_buffer *text)
{
    return text->failed ? -ENOMEM : 0;
}

static void fail(struct text_buffer *text)
{
    text->failed = true;
    text->room = text->size; /* nothing more fits, not even a smaller piece */
}

bool text_grow(struct text_buffer *text, size_t size)
{
    if (text->failed || size > SIZE_MAX / 4 - text->size)
        goto fail;
    size_t room = text->room < 4096 ? 4096 : text->room * 2;
    while (room - text->size < size)
        room *= 2;
    char *bytes = realloc(text->bytes, room);
    if (bytes == NULL)
        goto fail;
    text->bytes = bytes;
    text->room = room;
    return true;
fail:
    fail(text);
    return false;
}

void text_add_buffer(struct text_buffer *text, const struct text_buffer *other)
{
    text_add(text, other->bytes, other->size);
    if (other->failed)
        fail(text);
}

/* Room for `size` bytes of which each becomes at most `times` bytes, and a few more. */
static char *reserve_times(struct text_buffer *text, size_t size, size_t times)
{
    if (size > SIZE_MAX / 16)
        size = SIZE_MAX / 16; /* text_reserve() refuses that */
    return text_reserve(text, size * times + 4);
}

/* Appends one of the digits_ writers. */
#define ADD_DIGITS(text, write, value)                                                             \
    do {                                                                                           \
        char *at_ = text_reserve(text, DIGITS_MAX);                                                \
        if (at_ != NULL)                                                                           \
            text_wrote(text, write(at_, value));                                                   \
    } while (0)

void text_add_u64(struct text_buffer *text, uint64_t value)
{
    ADD_DIGITS(text, digits_u64, value);
}

void text_add_i64(struct text_buffer *text, int64_t value)
{
    ADD_DIGITS(text, digits_i64, value);
}

void text_add_short(struct text_buffer *text, int64_t value)
{
    ADD_DIGITS(text, digits_short, value);
}

void text_add_short_u64(struct text_buffer *text, uint64_t value)
{
    ADD_DIGITS(text, digits_short_u64, value);
}

void text_add_time(struct text_buffer *text, uint64_t ns)
{
    ADD_DIGITS(text, digits_time, ns);
}

void text_add_format(struct text_buffer *text, const char *format, ...)
{
    va_list args;
    char *bytes = NULL;
    va_start(args, format);
    int size = vasprintf(&bytes, format, args);
    va_end(args);
    if (size < 0) {
        fail(text);
        return;
    }
    text_add(text, bytes, (size_t)size);
    free(bytes);
}

/* What follows the backslash if JSON does not allow the byte as it is. 'u': \u00XX. 0: it needs no
 * escape. */
static const char json_escapes[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
    ['\t'] = 't', [0] = 'u',     [1] = 'u',    [2] = 'u',    [3] = 'u',    [4] = 'u',
    [5] = 'u',    [6] = 'u',     [7] = 'u',    [11] = 'u',   [14] = 'u',   [15] = 'u',
    [16] = 'u',   [17] = 'u',    [18] = 'u',   [19] = 'u',   [20] = 'u',   [21] = 'u',
    [22] = 'u',   [23] = 'u',    [24] = 'u',   [25] = 'u',   [26] = 'u',   [27] = 'u',
    [28] = 'u',   [29] = 'u',    [30] = 'u',   [31] = 'u',
};

static char *put_escape(char *at, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char escape = json_escapes[byte];
    *at++ = '\\';
    *at++ = escape;
    if (escape == 'u') {
        *at++ = '0';
        *at++ = '0';
        *at++ = hex[byte >> 4];
        *at++ = hex[byte & 15];
    }
    return at;
}

/* `size` bytes of UTF-8, escaped. Runs that need no escape go in one piece. */
static char *put_escaped(char *at, const char *bytes, size_t size)
{
    const char *end = bytes + size;
    while (bytes < end) {
        const char *run = bytes;
        while (bytes < end && json_escapes[(unsigned char)*bytes] == 0)
            bytes++;
        memcpy(at, run, (size_t)(bytes - run));
        at += bytes - run;
        if (bytes < end)
            at = put_escape(at, (unsigned char)*bytes++);
    }
    return at;
}

char *text_put_json(char *at, const char *bytes, size_t size)
{
    static const char replacement[6] = {'\\', 'u', 'f', 'f', 'f', 'd'};
    *at++ = '"';
    for (;;) {
        size_t good = utf8_span(bytes, size);
        at = put_escaped(at, bytes, good);
        if (good == size)
            break;
        memcpy(at, replacement, sizeof replacement);
        at += sizeof replacement;
        bytes += good + 1;
        size -= good + 1;
    }
    *at++ = '"';
    return at;
}

void text_add_json(struct text_buffer *text, const char *bytes, size_t size)
{
    char *at = reserve_times(text, size, 6);
    if (at != NULL)
        text_wrote(text, text_put_json(at, bytes, size));
}

static bool csv_needs_quotes(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] == ',' || bytes[i] == '"' || bytes[i] == '\n' || bytes[i] == '\r')
            return true;
    return false;
}

char *text_put_csv(char *at, const char *bytes, size_t size)
{
    if (!csv_needs_quotes(bytes, size)) {
        memcpy(at, bytes, size);
        return at + size;
    }
    *at++ = '"';
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '"')
            *at++ = '"';
        *at++ = bytes[i];
    }
    *at++ = '"';
    return at;
}

void text_add_csv(struct text_buffer *text, const char *bytes, size_t size)
{
    char *at = reserve_times(text, size, 2);
    if (at != NULL)
        text_wrote(text, text_put_csv(at, bytes, size));
}

static void add_label_part(struct text_buffer *text, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\\' || bytes[i] == '"' || bytes[i] == '\n')
            text_add_char(text, '\\');
        text_add_char(text, bytes[i] == '\n' ? 'n' : bytes[i]);
    }
}

void text_add_label(struct text_buffer *text, const char *value)
{
    size_t size = strlen(value), good;
    text_add_char(text, '"');
    while ((good = utf8_span(value, size)) < size) {
        add_label_part(text, value, good);
        text_add_string(text, "\xef\xbf\xbd"); /* U+FFFD */
        value += good + 1;
        size -= good + 1;
    }
    add_label_part(text, value, size);
    text_add_char(text, '"');
}

void text_add_base64(struct text_buffer *text, const void *bytes, size_t size)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = bytes;
    char *at = reserve_times(text, size, 2);
    if (at == NULL)
        return;
    for (; size > 0; p += 3) {
        size_t n = size < 3 ? size : 3;
        uint32_t group = (uint32_t)p[0] << 16;
        if (n > 1)
            group |= (uint32_t)p[1] << 8;
        if (n > 2)
            group |= p[2];
        at[0] = alphabet[group >> 18];
        at[1] = alphabet[group >> 12 & 63];
        at[2] = n > 1 ? alphabet[group >> 6 & 63] : '=';
        at[3] = n > 2 ? alphabet[group & 63] : '=';
        at += 4;
        size -= n;
    }
    text_wrote(text, at);
}
