#include "formats/binance.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/utf8.h"
#include "formats/five.h"
#include "formats/json_line.h"

/* The keys that mean something here. All have one letter. */
static const char keys[] = "EATabBempqstu";

struct text {
    const char *at; /* NULL: not there */
    size_t size;
};

/* A message's values as text, by key. */
struct fields {
    struct text of[sizeof keys - 1];
};

struct binance_decoder {
    struct json_line line; /* for messages that are read the long way */
};

int binance_open(struct binance_decoder **decoder)
{
    struct binance_decoder *d = calloc(1, sizeof *d);
    if (d == NULL)
        return -ENOMEM;
    if (json_line_open(&d->line, 16) < 0) {
        free(d);
        return -ENOMEM;
    }
    *decoder = d;
    return 0;
}

void binance_close(struct binance_decoder *decoder)
{
    if (decoder == NULL)
        return;
    json_line_close(&decoder->line);
    free(decoder);
}

static struct text *field(struct fields *fields, char key)
{
    const char *at = memchr(keys, key, sizeof keys - 1);
    return at == NULL ? NULL : &fields->of[at - keys];
}

static struct text value_of(const struct fields *fields, char key)
{
    return fields->of[(const char *)memchr(keys, key, sizeof keys - 1) - keys];
}

static bool is(struct text text, const char *word)
{
    return text.at != NULL && text.size == strlen(word) && memcmp(text.at, word, text.size) == 0;
}

/* ---- what the fields say ---- */

/* Spot's best bid and ask have no "e". No other message has all of these keys. */
static enum binance_kind kind_of(const struct fields *f)
{
    struct text event = value_of(f, 'e');
    if (is(event, "trade"))
        return BINANCE_TRADE;
    if (is(event, "aggTrade"))
        return BINANCE_AGG_TRADE;
    if (is(event, "bookTicker"))
        return BINANCE_QUOTE;
    bool quote = event.at == NULL && value_of(f, 'u').at != NULL && value_of(f, 's').at != NULL &&
                 value_of(f, 'b').at != NULL && value_of(f, 'B').at != NULL &&
                 value_of(f, 'a').at != NULL && value_of(f, 'A').at != NULL;
    return quote ? BINANCE_QUOTE : BINANCE_OTHER;
}

static int need(const struct fields *f, char key, struct text *text, struct tdk_err *err)
{
    *text = value_of(f, key);
    return text->at != NULL ? 0 : err_say(err, TDK_EVALUE, "\"%c\" is missing", key);
}

static int read_price(const struct fields *f, char key, int64_t *price, struct tdk_err *err)
{
    struct text text;
    char what[2] = {key, '\0'};
    int rc = need(f, key, &text, err);
    return rc < 0 ? rc : five_price(text.at, text.size, what, price, err);
}

static int read_size(const struct fields *f, char key, uint64_t *units, struct tdk_err *err)
{
    struct text text;
    char what[2] = {key, '\0'};
    int rc = need(f, key, &text, err);
    return rc < 0 ? rc : five_size(text.at, text.size, what, units, err);
}

/* json-c turns every larger number into 2^64-1. */
static int read_number(const struct fields *f, char key, uint64_t *number, struct tdk_err *err)
{
    struct text text;
    bool negative = false;
    int rc = need(f, key, &text, err);
    if (rc < 0)
        return rc;
    if (five_decimal_in(text.at, text.size, 0, number, &negative) < 0 ||
        (negative && *number > 0) || *number == UINT64_MAX)
        return err_say(err, TDK_EVALUE, "\"%c\" is not a number from 0 to 2^64-2", key);
    return 0;
}

/* Times are in milliseconds, or in newer streams in microseconds if the client asked for that.
 * Those are 1e15 and more. */
static int read_time(const struct fields *f, uint64_t *ts, struct tdk_err *err)
{
    char key = value_of(f, 'T').at != NULL ? 'T' : 'E';
    uint64_t value;
    if (value_of(f, key).at == NULL)
        return 0;
    int rc = read_number(f, key, &value, err);
    if (rc < 0)
        return rc;
    uint64_t unit = value < UINT64_C(100000000000000) ? NS_PER_MS : NS_PER_US;
    if (__builtin_mul_overflow(value, unit, ts))
        return err_say(err, TDK_EVALUE, "\"%c\" is beyond what ns can hold", key);
    return 0;
}

static int read_symbol(const struct fields *f, struct binance_tick *tick, struct tdk_err *err)
{
    struct text text;
    int rc = need(f, 's', &text, err);
    if (rc < 0)
        return rc;
    if (text.size == 0 || text.size > FIVE_SYMBOL_MAX || memchr(text.at, '\0', text.size) != NULL ||
        utf8_span(text.at, text.size) < text.size)
        return err_say(err, TDK_EVALUE, "\"s\" is not a symbol of 1 to %d bytes of UTF-8",
                       FIVE_SYMBOL_MAX);
    tick->symbol = text.at;
    tick->symbol_size = text.size;
    return 0;
}

/* "m": the buyer is the maker, so the taker sold. */
static int read_trade(const struct fields *f, struct binance_tick *tick, struct tdk_err *err)
{
    struct text maker = value_of(f, 'm');
    tick->side = is(maker, "true") ? 'A' : is(maker, "false") ? 'B' : 'N';
    int rc = read_price(f, 'p', &tick->price, err);
    if (rc == 0)
        rc = read_size(f, 'q', &tick->size, err);
    if (rc == 0)
        rc = read_number(f, tick->kind == BINANCE_TRADE ? 't' : 'a', &tick->id, err);
    return rc;
}

static int read_quote(const struct fields *f, struct binance_tick *tick, struct tdk_err *err)
{
    int rc = read_price(f, 'b', &tick->bid_px, err);
    if (rc == 0)
        rc = read_size(f, 'B', &tick->bid_sz, err);
    if (rc == 0)
        rc = read_price(f, 'a', &tick->ask_px, err);
    if (rc == 0)
        rc = read_size(f, 'A', &tick->ask_sz, err);
    return rc;
}

static int read_fields(const struct fields *f, struct binance_tick *tick, struct tdk_err *err)
{
    *tick = (struct binance_tick){.kind = kind_of(f), .ts_event = UINT64_MAX, .side = 'N'};
    if (tick->kind == BINANCE_OTHER)
        return 0;
    int rc = read_symbol(f, tick, err);
    if (rc == 0)
        rc = read_time(f, &tick->ts_event, err);
    if (rc == 0)
        rc = tick->kind == BINANCE_QUOTE ? read_quote(f, tick, err) : read_trade(f, tick, err);
    return rc;
}

/* ---- the short way: a flat object, values without escapes ---- */

enum scan { SCAN_DONE, SCAN_OTHER, SCAN_GIVE_UP };

/* Take a string up to the closing quote. */
static bool take_string(const char **at, const char *end, struct text *text)
{
    const char *p = *at;
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 &&
           (unsigned char)*p < 0x80)
        p++;
    *text = (struct text){*at, (size_t)(p - *at)};
    *at = p + 1;
    return p < end && *p == '"';
}

/* Take a number, true or false. It is checked when it is used. */
static bool take_word(const char **at, const char *end, struct text *text)
{
    const char *p = *at;
    while (p < end && ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || *p == '.' ||
                       *p == '-' || *p == '+' || *p == 'E'))
        p++;
    *text = (struct text){*at, (size_t)(p - *at)};
    *at = p;
    return text->size > 0;
}

/* Numbers are read by five_decimal_in() where they are used. One that is not used must be JSON,
 * too: otherwise the short way would accept what the long way refuses. */
static bool is_scalar(struct text text)
{
    uint64_t units;
    bool negative;
    return is(text, "true") || is(text, "false") || is(text, "null") ||
           five_decimal_in(text.at, text.size, 0, &units, &negative) != TDK_EVALUE;
}

static enum scan scan_pair(const char **at, const char *end, struct fields *f)
{
    struct text key, value;
    bool quoted = false;
    if (!json_take(at, end, "\"") || !take_string(at, end, &key) || !json_take(at, end, ":"))
        return SCAN_GIVE_UP;
    if (json_take(at, end, "\"")) {
        quoted = true;
        if (!take_string(at, end, &value))
            return SCAN_GIVE_UP;
    } else if (!take_word(at, end, &value) || !is_scalar(value)) {
        return SCAN_GIVE_UP;
    }
    if (is(key, "data"))
        return SCAN_GIVE_UP; /* not a wrapped message: leave it to the long way */
    if (key.size != 1 || key.at[0] == '\0')
        return SCAN_DONE;
    struct text *to = field(f, key.at[0]);
    if (to != NULL)
        *to = !quoted && is(value, "null") ? (struct text){NULL, 0} : value;
    /* In most messages "e" comes first, so long ones of other kinds need not be read. */
    if (key.at[0] == 'e' && kind_of(f) == BINANCE_OTHER)
        return SCAN_OTHER;
    return SCAN_DONE;
}

static enum scan scan(const char *at, const char *end, struct fields *f)
{
    struct text stream;
    bool wrapped = json_take(&at, end, "{\"stream\":\"");
    if (wrapped && (!take_string(&at, end, &stream) || !json_take(&at, end, ",\"data\":")))
        return SCAN_GIVE_UP;
    if (!json_take(&at, end, "{"))
        return SCAN_GIVE_UP;
    do {
        enum scan rc = scan_pair(&at, end, f);
        if (rc != SCAN_DONE)
            return rc;
    } while (json_take(&at, end, ","));
    bool ends = json_take(&at, end, wrapped ? "}}" : "}") && at == end;
    return ends ? SCAN_DONE : SCAN_GIVE_UP;
}

/* ---- the long way ---- */

static int collect(const struct binance_decoder *d, struct fields *f, struct tdk_err *err)
{
    struct json_object *data = d->line.object, *inner;
    if (json_object_object_get_ex(data, "data", &inner))
        data = inner;
    if (!json_object_is_type(data, json_type_object))
        return 0; /* an array: of no kind that is known */
    for (size_t i = 0; i < sizeof keys - 1; i++) {
        const char key[2] = {keys[i], '\0'};
        struct json_object *value;
        if (!json_object_object_get_ex(data, key, &value) || value == NULL ||
            json_object_is_type(value, json_type_array) ||
            json_object_is_type(value, json_type_object))
            continue;
        const char *text = json_object_get_string(value);
        if (text == NULL)
            return err_set(err, -ENOMEM, "read a message");
        size_t size = json_object_is_type(value, json_type_string)
                          ? (size_t)json_object_get_string_len(value)
                          : strlen(text);
        f->of[i] = (struct text){text, size};
    }
    return 0;
}

int binance_decode(struct binance_decoder *decoder, const char *bytes, size_t size,
                   struct binance_tick *tick, struct tdk_err *err)
{
    struct fields f = {0};
    while (size > 0 && (bytes[size - 1] == '\r' || bytes[size - 1] == ' '))
        size--;
    enum scan how = scan(bytes, bytes + size, &f);
    if (how == SCAN_OTHER) {
        *tick = (struct binance_tick){.kind = BINANCE_OTHER};
        return 0;
    }
    if (how == SCAN_DONE)
        return read_fields(&f, tick, err);
    f = (struct fields){0};
    int rc = json_line_parse(&decoder->line, bytes, size, err);
    if (rc == 0)
        rc = collect(decoder, &f, err);
    return rc < 0 ? rc : read_fields(&f, tick, err);
}
