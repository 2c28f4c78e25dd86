#include "formats/csv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/moment.h"
#include "formats/five.h"

#define VALUE_MAX 80 /* the longest value that is read, in bytes */

/* The end of a quoted value that begins at `at`. NULL: it has no end. Quotes inside are doubled. */
static const char *quoted_end(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at != '"')
            continue;
        if (at + 1 == end || at[1] != '"')
            return at + 1;
        at++;
    }
    return NULL;
}

int csv_split(const char *line, size_t size, char separator, struct csv_field *fields, int max)
{
    const char *at = line, *end = line + size;
    int count = 0;
    for (;;) {
        const char *first = at;
        if (at < end && *at == '"') {
            at = quoted_end(at, end);
            if (at == NULL || (at < end && *at != separator))
                return -1;
        } else {
            while (at < end && *at != separator)
                at++;
        }
        if (count < max)
            fields[count] = (struct csv_field){first, (size_t)(at - first)};
        count++;
        if (at == end)
            return count;
        at++;
    }
}

size_t csv_value(const struct csv_field *field, char *to)
{
    if (field->size < 2 || field->at[0] != '"') {
        memcpy(to, field->at, field->size);
        return field->size;
    }
    size_t n = 0;
    for (size_t i = 1; i < field->size - 1; i++) {
        to[n++] = field->at[i];
        i += field->at[i] == '"';
    }
    return n;
}

/* ---- one value ---- */

static const char *const roles[] = {"ts", "ts_event", "symbol", "price",  "size",   "side",
                                    "id", "sequence", "bid_px", "ask_px", "bid_sz", "ask_sz"};

/* Get the value of `role`, ended by NUL. 1; 0: it is empty, or not in the map; TDK_EVALUE. */
static int get(const struct csv_map *map, enum csv_role role, const struct csv_field *fields,
               int count, char value[VALUE_MAX + 1], size_t *size, struct tdk_err *err)
{
    int place = map->columns[role].place;
    *size = 0;
    if (place < 0)
        return 0;
    if (place >= count)
        return err_say(err, TDK_EVALUE, "has %d columns; %s is in column %d", count, roles[role],
                       place + 1);
    if (fields[place].size > VALUE_MAX)
        return err_say(err, TDK_EVALUE, "a %s of %zu bytes; at most %d can be kept", roles[role],
                       fields[place].size, VALUE_MAX);
    *size = csv_value(&fields[place], value);
    value[*size] = '\0';
    if (memchr(value, '\0', *size) != NULL)
        return err_say(err, TDK_EVALUE, "%s: has a NUL in it", roles[role]);
    return *size > 0;
}

static int read_number(const char *value, size_t size, const char *what, uint64_t *number,
                       struct tdk_err *err)
{
    bool negative = false;
    if (five_decimal_in(value, size, 0, number, &negative) < 0 || (negative && *number != 0))
        return err_say(err, TDK_EVALUE, "%s: '%s' is not a number from 0 to 2^64-1", what, value);
    return 0;
}

/* Read a time without a zone. Zones change their clocks only between minutes. */
static int read_local(struct csv_context *context, const char *value, uint64_t *ts,
                      struct tdk_err *err)
{
    struct moment utc, local;
    int rc = moment_parse(value, "UTC", &utc, err);
    if (rc < 0)
        return rc;
    uint64_t minute = utc.ns / (60 * NS_PER_S);
    if (minute != context->minute || context->minute == 0) {
        rc = moment_parse(value, context->zone, &local, err);
        if (rc < 0)
            return rc;
        context->minute = minute;
        context->minute_shift = local.ns - utc.ns;
    }
    *ts = utc.ns + context->minute_shift;
    return 0;
}

/* Read a time in RFC 3339, or a day, which means its midnight. A number would be read as ns, and
 * nobody writes those as text. */
static int read_text(struct csv_context *context, const char *value, uint64_t *ts,
                     struct tdk_err *err)
{
    struct moment moment;
    char midnight[sizeof "2026-11-20T00:00:00"];
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || value[digits] == '\0')
        return err_say(
            err, TDK_EVALUE,
            "'%s' is not a time in RFC 3339 (2026-11-20T09:30:00Z); numbers have a unit: "
            "choose s, ms, us or ns in --map",
            value);
    if (context->zone != NULL && strlen(value) == strlen("2026-11-20")) {
        snprintf(midnight, sizeof midnight, "%sT00:00:00", value);
        value = midnight;
    }
    if (context->zone != NULL && moment_parse(value, NULL, &moment, NULL) < 0)
        return read_local(context, value, ts, err);
    int rc = moment_parse(value, NULL, &moment, err);
    if (rc == 0)
        *ts = moment.ns;
    return rc;
}

static int read_time(struct csv_context *context, enum csv_unit unit, const char *value,
                     size_t size, const char *what, uint64_t *ts, struct tdk_err *err)
{
    static const unsigned places[] = {[CSV_NS] = 0, [CSV_US] = 3, [CSV_MS] = 6, [CSV_S] = 9};
    bool negative = false;
    if (unit == CSV_TEXT) {
        int rc = read_text(context, value, ts, err);
        return rc < 0 ? err_wrap(err, rc, "%s", what) : 0;
    }
    int rc = five_decimal_in(value, size, places[unit], ts, &negative);
    if (rc == -EDOM)
        return err_say(err, TDK_EVALUE, "%s: %s is finer than a ns", what, value);
    if (rc < 0 || (negative && *ts != 0) || __builtin_add_overflow(*ts, context->midnight, ts))
        return err_say(err, TDK_EVALUE, "%s: '%s' is not a time", what, value);
    return 0;
}

static int read_side(const char *value, char *side, struct tdk_err *err)
{
    static const struct {
        const char *word;
        char side;
    } words[] = {{"buy", 'B'}, {"b", 'B'},   {"bid", 'B'},     {"sell", 'A'}, {"s", 'A'},
                 {"a", 'A'},   {"ask", 'A'}, {"unknown", 'N'}, {"none", 'N'}, {"n", 'N'}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(value, words[i].word) == 0) {
            *side = words[i].side;
            return 0;
        }
    return err_say(err, TDK_EVALUE, "side: '%s' is neither buy nor sell", value);
}

/* ---- a line ---- */

struct line {
    const struct csv_map *map;
    const struct csv_field *fields;
    int count;
    struct tdk_err *err;
};

static int get_time(const struct line *l, struct csv_context *context, enum csv_role role,
                    uint64_t *ts)
{
    char value[VALUE_MAX + 1] = "";
    size_t size;
    int rc = get(l->map, role, l->fields, l->count, value, &size, l->err);
    return rc <= 0 ? rc
                   : read_time(context, l->map->columns[role].unit, value, size, roles[role], ts,
                               l->err);
}

static int get_price(const struct line *l, enum csv_role role, int64_t *price)
{
    char value[VALUE_MAX + 1];
    size_t size;
    int rc = get(l->map, role, l->fields, l->count, value, &size, l->err);
    return rc <= 0 ? rc : five_price(value, size, roles[role], price, l->err);
}

static int get_size(const struct line *l, enum csv_role role, uint64_t *units)
{
    char value[VALUE_MAX + 1];
    size_t size;
    int rc = get(l->map, role, l->fields, l->count, value, &size, l->err);
    return rc <= 0 ? rc : five_size(value, size, roles[role], units, l->err);
}

static int get_number(const struct line *l, enum csv_role role, uint64_t *number)
{
    char value[VALUE_MAX + 1];
    size_t size;
    int rc = get(l->map, role, l->fields, l->count, value, &size, l->err);
    return rc <= 0 ? rc : read_number(value, size, roles[role], number, l->err);
}

static int get_side(const struct line *l, char *side)
{
    char value[VALUE_MAX + 1];
    size_t size;
    int rc = get(l->map, CSV_SIDE, l->fields, l->count, value, &size, l->err);
    return rc <= 0 ? rc : read_side(value, side, l->err);
}

static int get_symbol(const struct line *l, struct csv_tick *tick)
{
    char value[VALUE_MAX + 1];
    size_t size;
    int rc = get(l->map, CSV_SYMBOL, l->fields, l->count, value, &size, l->err);
    if (rc == 0 && l->map->columns[CSV_SYMBOL].place >= 0)
        return err_say(l->err, TDK_EVALUE, "symbol: is empty");
    if (rc <= 0)
        return rc;
    if (size > FIVE_SYMBOL_MAX)
        return err_say(l->err, TDK_EVALUE, "symbol: %zu bytes; at most %d can be kept", size,
                       FIVE_SYMBOL_MAX);
    memcpy(tick->symbol, value, size);
    tick->symbol_size = size;
    return 0;
}

int csv_read(const struct csv_map *map, struct csv_context *context, const struct csv_field *fields,
             int count, struct csv_tick *tick, struct tdk_err *err)
{
    const struct line l = {map, fields, count, err};
    struct csv_tick t = {
        .ts = TDK_TS_UNDEFINED,
        .ts_event = TDK_TS_UNDEFINED,
        .price = TDK_PRICE_UNDEFINED,
        .bid_px = TDK_PRICE_UNDEFINED,
        .ask_px = TDK_PRICE_UNDEFINED,
        .size = UINT64_MAX,
        .bid_sz = UINT64_MAX,
        .ask_sz = UINT64_MAX,
        .side = 'N',
    };
    if (get_time(&l, context, CSV_TS, &t.ts) < 0 ||
        get_time(&l, context, CSV_TS_EVENT, &t.ts_event) < 0 || get_symbol(&l, &t) < 0 ||
        get_price(&l, CSV_PRICE, &t.price) < 0 || get_size(&l, CSV_SIZE, &t.size) < 0 ||
        get_side(&l, &t.side) < 0 || get_number(&l, CSV_ID, &t.id) < 0 ||
        get_number(&l, CSV_SEQUENCE, &t.sequence) < 0 || get_price(&l, CSV_BID_PX, &t.bid_px) < 0 ||
        get_price(&l, CSV_ASK_PX, &t.ask_px) < 0 || get_size(&l, CSV_BID_SZ, &t.bid_sz) < 0 ||
        get_size(&l, CSV_ASK_SZ, &t.ask_sz) < 0)
        return TDK_EVALUE;
    if (t.ts == TDK_TS_UNDEFINED)
        return err_say(err, TDK_EVALUE, "ts: is empty, or 2^64-1, which means that there is none");
    *tick = t;
    return 0;
}
