/*
 * csv.h - lines of separated values, and the meaning of their columns.
 *
 * A map says which column is what: "ts=local_timestamp:us,price=price,size=amount,symbol=symbol".
 * Columns have the names in the file's first line, or are given by their place ("#1" is the first;
 * the file then has no such line). The columns that are mapped decide what a line becomes: with a
 * price it is a wide trade, with bid and ask a wide quote, with only a time an opaque tick that
 * contains the line itself. Pure but for malloc; one thread.
 */
#ifndef TDK_FORMATS_CSV_H
#define TDK_FORMATS_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/dbn.h"
#include "tapedeck/err.h"

#define CSV_COLUMNS_MAX 1024

/* A value between its separators, with its quotes. */
struct csv_field {
    const char *at;
    size_t size;
};

/* Split one line without its end. Returns the number of fields, of which the first `max` are
 * stored. -1: a quote is not closed, or something follows it. */
int csv_split(const char *line, size_t size, char separator, struct csv_field *fields, int max);

/* Copy the value without its quotes to `to`: at most field->size bytes. Returns its size. */
size_t csv_value(const struct csv_field *field, char *to);

enum csv_role {
    CSV_TS,
    CSV_TS_EVENT,
    CSV_SYMBOL,
    CSV_PRICE,
    CSV_SIZE,
    CSV_SIDE,
    CSV_ID,
    CSV_SEQUENCE,
    CSV_BID_PX,
    CSV_ASK_PX,
    CSV_BID_SZ,
    CSV_ASK_SZ,
    CSV_ROLES,
};

enum csv_unit { CSV_NS, CSV_US, CSV_MS, CSV_S, CSV_TEXT };

struct csv_column {
    char *name; /* owned; NULL: not mapped, or mapped by place */
    int place;  /* from 0; -1: not mapped, or not known yet */
    enum csv_unit unit;
};

struct csv_map {
    struct csv_column columns[CSV_ROLES];
    bool named;      /* the file's first line has names */
    bool of_the_day; /* times count from midnight: a date is needed */
    bool quotes, trades;
};

/* Parse the words of --map: roles and columns, and the names of known maps ("tardis-trades"). Close
 * the map in any case. TDK_EVALUE, -ENOMEM. */
int csv_map_parse(struct csv_map *map, const char *text, struct tdk_err *err);
void csv_map_close(struct csv_map *map);

/* The map for a known first line. NULL: it is not known. */
const char *csv_map_known(const char *line, size_t size);

/* The names of the known maps, for messages. */
#define CSV_MAPS_KNOWN "tardis-trades, tardis-quotes, tardis-book, lean-quotes"

/* Find the columns in the first line. TDK_EVALUE: one is missing. */
int csv_map_bind(struct csv_map *map, const struct csv_field *names, int count,
                 struct tdk_err *err);

/* The values of a line. `symbol` contains the string itself. What is not in the map, or is empty,
 * is undefined. */
struct csv_tick {
    uint64_t ts, ts_event;
    char symbol[72];
    size_t symbol_size;
    int64_t price, bid_px, ask_px;
    uint64_t size, bid_sz, ask_sz, id, sequence;
    char side;
};

struct csv_context {
    const char *zone;  /* of times without a zone; NULL: those are refused */
    uint64_t midnight; /* added to numbers; 0: they count from 1970 */
    /* The last minute, read as if it were UTC, for which the zone was looked up, because a look-up
     * is slow. */
    uint64_t minute, minute_shift; /* what to add, modulo 2^64 */
};

int csv_read(const struct csv_map *map, struct csv_context *context, const struct csv_field *fields,
             int count, struct csv_tick *tick, struct tdk_err *err);

#endif
