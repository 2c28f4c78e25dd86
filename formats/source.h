/*
 * source.h - other people's files as a stream of frames.
 *
 * A source reads a file (or stdin, "-"), undoes gzip and zstd by content, and tells what is in it
 * as items in file order: ticks, and the control items (INFO, SYMBOL) that a track needs to be read
 * back later. `feed` puts them into a ring, `import` onto a tape. Damage is an item too, told with
 * line or offset, and what is good around it is not lost. Bounded memory. One thread.
 */
#ifndef TDK_FORMATS_SOURCE_H
#define TDK_FORMATS_SOURCE_H

#include <stdbool.h>

#include "tapedeck/err.h"
#include "tapedeck/tick.h"

enum source_format {
    SOURCE_AUTO,
    SOURCE_DBN,
    SOURCE_FIVE,
    SOURCE_LINES,
    SOURCE_PCAP,
    SOURCE_CSV,
    SOURCE_ITCH,
    SOURCE_CRYPTOFEED,
};

/* Whose messages in lines become wide ticks. */
enum source_decode { SOURCE_AS_IS, SOURCE_BINANCE };

/* The property of an epoch whose file has no ticks: "wide-trade", "wide-quote". */
#define SOURCE_SCHEMA_KEY "schema"

struct source;
struct five_names;

/* One item. The payload is borrowed until the next call; it need not be aligned. */
struct source_item {
    uint8_t type; /* enum tdk_type: a tick, or TDK_TYPE_INFO, TDK_TYPE_SYMBOL */
    uint8_t flags;
    uint64_t ts; /* the file's own time of it; control: 0 */
    const void *payload;
    uint32_t size;
};

struct source_options {
    enum source_format format;
    uint32_t payload_max; /* larger payloads are malformed; INFO values are cut into parts of it */
    const char *type_name,
        *content_type;        /* of opaque payloads; NULL: "line", "application/octet-stream" */
    struct five_names *names; /* five_names.h: shared by all sources of one epoch; NULL: its own */
    bool whole;               /* pcap: packets as captured, not what they carry by UDP */
    const char *map, *symbol; /* csv.h: what its columns mean; NULL: by its first line. The symbol
                                 of lines that have no column for it; NULL: refused */
    char separator;           /* csv: 0 is a comma */
    uint64_t midnight;        /* csv, itch: of the day that times are of, ns since 1970; 0: none */
    const char *zone;         /* csv: of times written without one; NULL: those are refused */
    enum source_decode decode;
};

int source_open(struct source **source, const char *path, const struct source_options *options,
                struct tdk_err *err);
void source_close(struct source *source);

/* 1: *item. 0: the end. TDK_EVALUE: a malformed line was skipped, TDK_ETRUNCATED: the file ends
 * inside a record; err says where; the next call goes on (or ends). Other codes end the source. */
int source_next(struct source *source, struct source_item *item, struct tdk_err *err);

/* At the end: what was passed over and how often, a line each. `loss`: it may have been ticks. */
typedef void source_told_cb(const char *text, bool loss, void *context);
void source_told(const struct source *source, source_told_cb *each, void *context);

/* Bytes of the file read so far, and of the whole file (0: not known, a pipe). */
void source_progress(const struct source *source, uint64_t *done, uint64_t *total);

#endif
