/*
 * source.h - files of other programs as a stream of frames.
 *
 * A source reads a file (or stdin, "-"), decompresses gzip and zstd by content, and returns what is
 * in the file as items in file order: ticks, and the control items (INFO, SYMBOL) that a track
 * needs to be read back later. `feed` puts them into a ring, `import` onto a tape. Damage is an
 * item, too, reported with its line or offset, and the good data around it is not lost. Bounded
 * memory. One thread.
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

/* Which venue's messages, found in lines, become wide ticks. */
enum source_decode { SOURCE_AS_IS, SOURCE_BINANCE };

/* The property of an epoch whose file had no ticks: "wide-trade", "wide-quote". */
#define SOURCE_SCHEMA_KEY "schema"

struct source;
struct five_names;

/* One item. The payload is borrowed until the next call; it need not be aligned. */
struct source_item {
    uint8_t type; /* enum tdk_type: a tick, or TDK_TYPE_INFO, TDK_TYPE_SYMBOL */
    uint8_t flags;
    uint64_t ts; /* the tick's time in the file; control: 0 */
    const void *payload;
    uint32_t size;
};

struct source_options {
    enum source_format format;
    uint32_t payload_max; /* larger payloads are malformed; INFO values are split into parts */
    const char *type_name,
        *content_type;        /* of opaque payloads; NULL: "line", "application/octet-stream" */
    struct five_names *names; /* five_names.h: shared by all sources of an epoch; NULL: its own */
    bool whole;               /* pcap: keep packets as captured, not only their UDP payload */
    const char *map, *symbol; /* csv: what columns mean, NULL: by the first line; and the symbol of
                                 lines that have no column for it, NULL: those are refused */
    char separator;           /* csv; 0: a comma */
    uint64_t midnight; /* csv, itch: of the day that times count from, ns since 1970; 0: none */
    const char *zone;  /* csv: of times without one; NULL: those are refused */
    enum source_decode decode;
};

int source_open(struct source **source, const char *path, const struct source_options *options,
                struct tdk_err *err);
void source_close(struct source *source);

/* 1: *item is set. 0: the end. TDK_EVALUE: a malformed line was skipped. TDK_ETRUNCATED: the file
 * ends inside a record. err says where. After both, the next call goes on (or ends). Other codes
 * end the source. */
int source_next(struct source *source, struct source_item *item, struct tdk_err *err);

/* At the end: what was passed over and how often, one line each. `loss`: it may have been ticks. */
typedef void source_passed_cb(const char *text, bool loss, void *context);
void source_passed_over(const struct source *source, source_passed_cb *each, void *context);

/* How many bytes of the file have been read, and its size (0: not known, a pipe). */
void source_progress(const struct source *source, uint64_t *done, uint64_t *total);

#endif
