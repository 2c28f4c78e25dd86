#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "formats/csv.h"

#define TARDIS       "exchange,symbol,timestamp,local_timestamp,"
#define TARDIS_TIMES "ts=local_timestamp:us,ts_event=timestamp:us,symbol=symbol,"

static const struct {
    const char *name, *map;
    const char *first_line; /* identifies the map; NULL: only by name */
    bool of_the_day;
} known[] = {
    {"tardis-trades", TARDIS_TIMES "price=price,size=amount,side=side",
     TARDIS "id,side,price,amount", false},
    {"tardis-quotes",
     TARDIS_TIMES "bid_px=bid_price,bid_sz=bid_amount,ask_px=ask_price,ask_sz=ask_amount",
     TARDIS "ask_amount,ask_price,bid_price,bid_amount", false},
    {"tardis-book",
     TARDIS_TIMES "bid_px=bids[0].price,bid_sz=bids[0].amount,ask_px=asks[0].price,"
                  "ask_sz=asks[0].amount",
     TARDIS "asks[0].price,asks[0].amount,bids[0].price,bids[0].amount", false},
    {"lean-quotes", "ts=#1:ms,bid_px=#2,ask_px=#3", NULL, true},
};

const char *csv_map_known(const char *line, size_t size)
{
    for (size_t i = 0; i < array_size(known); i++) {
        const char *first = known[i].first_line;
        size_t length = first == NULL ? 0 : strlen(first);
        if (first != NULL && size >= length && memcmp(line, first, length) == 0)
            return known[i].name;
    }
    return NULL;
}

static bool find_role(const char *word, size_t size, enum csv_role *role)
{
    static const char *const names[] = {
        [CSV_TS] = "ts",         [CSV_TS_EVENT] = "ts_event", [CSV_SYMBOL] = "symbol",
        [CSV_PRICE] = "price",   [CSV_SIZE] = "size",         [CSV_SIDE] = "side",
        [CSV_ID] = "id",         [CSV_SEQUENCE] = "sequence", [CSV_BID_PX] = "bid_px",
        [CSV_ASK_PX] = "ask_px", [CSV_BID_SZ] = "bid_sz",     [CSV_ASK_SZ] = "ask_sz",
    };
    for (size_t i = 0; i < array_size(names); i++)
        if (strlen(names[i]) == size && memcmp(names[i], word, size) == 0) {
            *role = (enum csv_role)i;
            return true;
        }
    return false;
}

/* Take the unit after the last colon of a time's column. */
static int take_unit(const char *at, size_t *size, enum csv_unit *unit, struct tdk_err *err)
{
    static const char *const names[] = {
        [CSV_NS] = "ns", [CSV_US] = "us", [CSV_MS] = "ms", [CSV_S] = "s", [CSV_TEXT] = "text"};
    const char *colon = memrchr(at, ':', *size);
    *unit = CSV_NS;
    if (colon == NULL)
        return 0;
    size_t length = *size - (size_t)(colon - at) - 1;
    for (size_t i = 0; i < array_size(names); i++)
        if (strlen(names[i]) == length && memcmp(names[i], colon + 1, length) == 0) {
            *unit = (enum csv_unit)i;
            *size -= length + 1;
            return 0;
        }
    return err_say(err, TDK_EVALUE,
                   "'%.*s' is not a unit of time: choose s, ms, us, ns, or text (RFC 3339)",
                   (int)length, colon + 1);
}

static int parse_place(const char *at, size_t size, int *place, struct tdk_err *err)
{
    int number = 0;
    for (size_t i = 1; i < size && number <= CSV_COLUMNS_MAX; i++)
        number = at[i] >= '0' && at[i] <= '9' ? number * 10 + (at[i] - '0') : CSV_COLUMNS_MAX + 1;
    if (number < 1 || number > CSV_COLUMNS_MAX)
        return err_say(err, TDK_EVALUE, "'%.*s' is not a column: choose #1 to #%d", (int)size, at,
                       CSV_COLUMNS_MAX);
    *place = number - 1;
    return 0;
}

/* Parse "ROLE=COLUMN[:UNIT]". */
static int parse_column(struct csv_map *map, const char *word, size_t size, struct tdk_err *err)
{
    const char *equals = memchr(word, '=', size);
    enum csv_role role;
    if (equals == NULL)
        return err_say(err, TDK_EVALUE, "'%.*s' is neither WHAT=COLUMN nor one of " CSV_MAPS_KNOWN,
                       (int)size, word);
    if (!find_role(word, (size_t)(equals - word), &role))
        return err_say(
            err, TDK_EVALUE,
            "'%.*s' is not ts, ts_event, symbol, price, size, side, id, sequence, bid_px, "
            "ask_px, bid_sz or ask_sz",
            (int)(equals - word), word);
    struct csv_column *column = &map->columns[role];
    const char *at = equals + 1;
    size -= (size_t)(at - word);
    if (role == CSV_TS || role == CSV_TS_EVENT) {
        int rc = take_unit(at, &size, &column->unit, err);
        if (rc < 0)
            return rc;
    }
    free(column->name);
    column->name = NULL;
    column->place = -1;
    if (size == 0)
        return err_say(err, TDK_EVALUE, "'%s' names no column", word);
    if (at[0] == '#')
        return parse_place(at, size, &column->place, err);
    column->name = strndup(at, size);
    return column->name == NULL ? err_set(err, -ENOMEM, "read the map") : 0;
}

static int parse_words(struct csv_map *map, const char *text, struct tdk_err *err);

static int parse_word(struct csv_map *map, const char *word, size_t size, struct tdk_err *err)
{
    for (size_t i = 0; i < array_size(known); i++)
        if (strlen(known[i].name) == size && memcmp(known[i].name, word, size) == 0) {
            map->of_the_day |= known[i].of_the_day;
            return parse_words(map, known[i].map, err);
        }
    return parse_column(map, word, size, err);
}

/* Known maps do not name other maps, so this goes one level deep.
 * NOLINTNEXTLINE(misc-no-recursion) */
static int parse_words(struct csv_map *map, const char *text, struct tdk_err *err)
{
    int rc = 0;
    for (const char *at = text; rc == 0; at++) {
        size_t size = strcspn(at, ",");
        rc = parse_word(map, at, size, err);
        at += size;
        if (*at == '\0')
            break;
    }
    return rc;
}

static bool has(const struct csv_map *map, enum csv_role role)
{
    return map->columns[role].name != NULL || map->columns[role].place >= 0;
}

static int check(struct csv_map *map, struct tdk_err *err)
{
    bool by_place = false;
    for (int i = 0; i < CSV_ROLES; i++) {
        map->named |= map->columns[i].name != NULL;
        by_place |= map->columns[i].place >= 0;
    }
    map->quotes = has(map, CSV_BID_PX) || has(map, CSV_ASK_PX);
    map->trades = has(map, CSV_PRICE);
    if (!has(map, CSV_TS))
        return err_say(err, TDK_EVALUE, "no column has the time: add ts=COLUMN:UNIT");
    if (map->named && by_place)
        return err_say(err, TDK_EVALUE, "columns are either named or numbered, not both");
    if (map->quotes && map->trades)
        return err_say(err, TDK_EVALUE,
                       "a line is a trade (price) or a quote (bid_px, ask_px), not both");
    return 0;
}

int csv_map_parse(struct csv_map *map, const char *text, struct tdk_err *err)
{
    *map = (struct csv_map){.named = false};
    for (int i = 0; i < CSV_ROLES; i++)
        map->columns[i].place = -1;
    int rc = parse_words(map, text, err);
    return rc < 0 ? rc : check(map, err);
}

void csv_map_close(struct csv_map *map)
{
    for (int i = 0; i < CSV_ROLES; i++) {
        free(map->columns[i].name);
        map->columns[i].name = NULL;
    }
}

static bool is_named(const struct csv_field *field, const char *name)
{
    char value[256];
    if (field->size > sizeof value)
        return false;
    size_t size = csv_value(field, value);
    return strlen(name) == size && memcmp(value, name, size) == 0;
}

int csv_map_bind(struct csv_map *map, const struct csv_field *names, int count, struct tdk_err *err)
{
    for (int role = 0; role < CSV_ROLES; role++) {
        struct csv_column *column = &map->columns[role];
        if (column->name == NULL)
            continue;
        for (int i = count; i-- > 0;)
            if (is_named(&names[i], column->name))
                column->place = i;
        if (column->place < 0)
            return err_say(err, TDK_EVALUE, "the first line names no column '%s'", column->name);
    }
    return 0;
}
