#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"
#include "formats/csv.h"
#include "formats/source_reader.h"

#define LINE_MAX_BYTES (1u << 20)

struct csv {
    struct csv_map map;
    struct csv_context context;
    char separator;
    struct csv_field fields[CSV_COLUMNS_MAX];
    union {
        struct tdk_wide_trade trade;
        struct tdk_wide_quote quote;
    };
};

static struct tdk_dbn_head make_head(uint8_t rtype, size_t size, uint32_t id, uint64_t ts_event)
{
    return (struct tdk_dbn_head){
        .length = (uint8_t)(size / 4), .rtype = rtype, .instrument_id = id, .ts_event = ts_event};
}

static void tell_quote(struct source *s, const struct csv_tick *t, uint32_t id)
{
    struct csv *csv = s->state;
    csv->quote = (struct tdk_wide_quote){
        .head = make_head(TDK_RTYPE_WIDE_QUOTE, sizeof csv->quote, id, t->ts_event),
        .bid_px = t->bid_px,
        .ask_px = t->ask_px,
        .bid_sz = t->bid_sz,
        .ask_sz = t->ask_sz,
    };
    source_queue_tick(s, TDK_TYPE_WIDE, t->ts, &csv->quote, sizeof csv->quote);
}

static void tell_trade(struct source *s, const struct csv_tick *t, uint32_t id)
{
    struct csv *csv = s->state;
    csv->trade = (struct tdk_wide_trade){
        .head = make_head(TDK_RTYPE_WIDE_TRADE, sizeof csv->trade, id, t->ts_event),
        .price = t->price,
        .size = t->size,
        .id = t->id,
        .sequence = t->sequence,
        .side = t->side,
    };
    source_queue_tick(s, TDK_TYPE_WIDE, t->ts, &csv->trade, sizeof csv->trade);
}

/* Split the next line. 1: *count fields; 0: the end; TDK_EVALUE: a bad one. */
static int next_line(struct source *s, const char **line, size_t *size, int *count,
                     struct tdk_err *err)
{
    struct csv *csv = s->state;
    int rc = source_line(s, LINE_MAX_BYTES, line, size, err);
    if (rc <= 0)
        return rc;
    *size -= (*line)[*size - 1] == '\r';
    *count = csv_split(*line, *size, csv->separator, csv->fields, CSV_COLUMNS_MAX);
    if (*count >= 0)
        return 1;
    err_say(err, TDK_EVALUE, "a quote that is not closed, or has something after it");
    return source_bad_line(s, TDK_EVALUE, err);
}

/* The line has only a time: the tick is the line itself. */
static int make_opaque(struct source *s, const struct csv_tick *t, const char *line, size_t size,
                       struct source_item *item, struct tdk_err *err)
{
    if (size > s->options.payload_max) {
        err_say(err, TDK_EVALUE, "a payload of %zu bytes; at most %u fit", size,
                s->options.payload_max);
        return source_bad_line(s, TDK_EVALUE, err);
    }
    *item = (struct source_item){
        .type = TDK_TYPE_OPAQUE, .ts = t->ts, .payload = line, .size = (uint32_t)size};
    return 1;
}

static int next_tick(struct source *s, struct source_item *item, struct tdk_err *err)
{
    struct csv *csv = s->state;
    struct csv_tick t;
    const char *line;
    size_t size;
    uint32_t id = 0;
    int count, rc = next_line(s, &line, &size, &count, err);
    if (rc <= 0)
        return rc;
    rc = csv_read(&csv->map, &csv->context, csv->fields,
                  count < CSV_COLUMNS_MAX ? count : CSV_COLUMNS_MAX, &t, err);
    if (rc == 0 && utf8_span(t.symbol, t.symbol_size) < t.symbol_size)
        rc = err_say(err, TDK_EVALUE, "symbol: is not UTF-8");
    if (rc < 0)
        return source_bad_line(s, rc, err);
    if (!csv->map.quotes && !csv->map.trades)
        return make_opaque(s, &t, line, size, item, err);
    const char *symbol = t.symbol_size > 0 ? t.symbol : s->options.symbol;
    int announced = source_number(s, symbol, strlen(symbol), &id, item, err);
    if (announced < 0)
        return announced;
    if (csv->map.quotes)
        tell_quote(s, &t, id);
    else
        tell_trade(s, &t, id);
    return announced > 0 ? announced : source_next(s, item, err);
}

static void close_csv(void *state)
{
    struct csv *csv = state;
    csv_map_close(&csv->map);
    free(csv);
}

/* ---- opening ---- */

static int choose_map(struct source *s, struct tdk_err *err)
{
    struct csv *csv = s->state;
    const char *map = s->options.map;
    if (map == NULL) {
        size_t have = input_peek(s->input, 128);
        map = csv_map_known((const char *)s->input->at, have);
    }
    if (map == NULL)
        return err_say(
            err, TDK_EVALUE,
            "%s: the meaning of its columns is not known; give it with --map (for example "
            "ts=time:us,symbol=symbol,price=price,size=amount, or one of " CSV_MAPS_KNOWN ")",
            s->path);
    int rc = csv_map_parse(&csv->map, map, err);
    return rc < 0 ? err_wrap(err, rc, "--map") : 0;
}

static int check_map(const struct source *s, struct tdk_err *err)
{
    const struct csv *csv = s->state;
    const struct csv_column *symbol = &csv->map.columns[CSV_SYMBOL];
    bool ticks = csv->map.quotes || csv->map.trades;
    if (ticks && symbol->name == NULL && symbol->place < 0 && s->options.symbol == NULL)
        return err_say(
            err, TDK_EVALUE,
            "%s: no column has the symbol; use symbol=COLUMN, or --symbol NAME for all lines",
            s->path);
    if (csv->map.of_the_day && s->options.midnight == 0)
        return err_say(err, TDK_EVALUE, "%s: its times have no date; give it with --date", s->path);
    return 0;
}

/* Read the first line that is not empty. */
static int bind_names(struct source *s, struct tdk_err *err)
{
    struct csv *csv = s->state;
    const char *line;
    size_t size;
    int count;
    if (!csv->map.named)
        return 0;
    int rc = next_line(s, &line, &size, &count, err);
    if (rc == 0)
        s->ended = false; /* whoever asks for its ticks is told */
    if (rc <= 0)
        return rc;
    rc = csv_map_bind(&csv->map, csv->fields, count < CSV_COLUMNS_MAX ? count : CSV_COLUMNS_MAX,
                      err);
    return rc < 0 ? err_wrap(err, rc, "%s", s->path) : 0;
}

int source_open_csv(struct source *s, struct tdk_err *err)
{
    struct csv *csv = calloc(1, sizeof *csv);
    if (csv == NULL)
        return err_set(err, -ENOMEM, "open %s", s->path);
    s->state = csv;
    s->close = close_csv;
    s->next = next_tick;
    csv->separator = s->options.separator != '\0' ? s->options.separator : ',';
    csv->context = (struct csv_context){.zone = s->options.zone, .midnight = s->options.midnight};
    int rc = choose_map(s, err);
    if (rc == 0)
        rc = check_map(s, err);
    if (rc == 0)
        rc = source_need_names(s, err);
    if (rc == 0)
        rc = bind_names(s, err);
    if (csv->map.quotes || csv->map.trades)
        s->rtype = csv->map.quotes ? TDK_RTYPE_WIDE_QUOTE : TDK_RTYPE_WIDE_TRADE;
    else if (rc == 0)
        rc = source_queue_type(s, "line", "text/csv", err);
    return rc;
}
