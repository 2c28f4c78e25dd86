/*
 * output.h - writes ticks to a file or to stdout, in the format asked for.
 *
 * query, drain and tap put runs of frames in and need not know what comes out. Text is written
 * through one large buffer, so a tick costs no system call. A file is written under a temporary
 * name and renamed at the end: it is there whole or not at all. When a reader has closed its pipe,
 * output_put() returns -EPIPE, and the caller ends with success. One thread.
 */
#ifndef TDK_CLI_OUTPUT_H
#define TDK_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"
#include "tapedeck/tick.h"

enum output_format {
    OUTPUT_AUTO, /* from the file's name; TDK_EVALUE if that does not show it */
    OUTPUT_CSV,
    OUTPUT_JSONL,
    OUTPUT_DBN,
    OUTPUT_DBN_ZST,
    OUTPUT_FRAMES,
    OUTPUT_PARQUET,
    OUTPUT_ARROW,
    OUTPUT_PCAP,
    OUTPUT_PCAPNG,
    OUTPUT_NONE,
};

/* Parse one of output_format_words. False: no such format. */
bool output_format_parse(const char *word, enum output_format *format);

/* The names of the formats above in one line, for messages and --help. */
extern const char output_format_words[];

/* Does this format say something about all ticks together: columns, or a head? */
bool output_format_is_headed(enum output_format format);

/* What is known about tracks besides their frames: from the tape's catalogue (query), or from what
 * passed in the ring (drain, tap: struct lore). A member may be NULL: nothing is known. */
struct output_facts {
    void *context;
    /* The symbol of an instrument at a time, or NULL. Borrowed until the next call. */
    const char *(*symbol)(void *context, const char *track, uint16_t number, uint64_t epoch,
                          uint32_t instrument_id, uint64_t ts);
    /* A property ("type.3", "message_type.1", ...) of a track's epoch. It is malloc'ed, and the
     * caller frees it. -ENOENT. */
    int (*property)(void *context, const char *track, uint64_t epoch, const char *key, void **value,
                    size_t *size);
};

struct dbn_metadata;

/* What a tick would have been if there had been one. */
struct output_schema {
    uint8_t type;           /* enum tdk_type; 0: unknown */
    uint8_t rtype, version; /* of DBN and wide ticks; version 0: the newest */
    bool ts_out;
};

struct output_options {
    enum output_format format;
    const char *path; /* NULL or "-": stdout */
    bool force;       /* replace an existing file */
    bool pretty;      /* decimal numbers and RFC 3339 times */
    bool map_symbols; /* add a last column or key `symbol` */
    bool envelope;    /* put track, epoch, seq and ts in front */
    bool decimal;     /* parquet, arrow: prices and sizes as decimal numbers */
    bool five;        /* jsonl: ticks of five fields */
    bool control;     /* jsonl, frames: include control frames */
    bool flush;       /* after each put: somebody is watching */
    bool live;        /* from a ring, where -t and --track cannot choose */
    bool ts_out;      /* csv, parquet, arrow: always have a column for DBN's send times */
    struct output_facts facts;
    /* dbn, dbn.zst: the head of the file; borrowed for open. NULL: make it from the facts about the
     * track of the first record, when that comes. */
    const struct dbn_metadata *metadata;
};

/* Replace OUTPUT_AUTO by the format that the file's name shows. TDK_EVALUE: it shows none. */
int output_settle_format(struct output_options *options, struct tdk_err *err);

/* Is it a file that has a name? Not with NULL and "-". */
bool output_has_name(const char *path);

struct output;

/* TDK_EVALUE is wrong usage: options that exclude each other, binary to a terminal, or no format.
 * -EEXIST: the file exists and `force` is false. Creates the temporary file and nothing else. */
int output_open(struct output **output, const struct output_options *options, struct tdk_err *err);

/* Put in a contiguous run of one track and epoch: `size` bytes of frames whose heads have been
 * checked. -EPIPE: the reader has gone. TDK_EFORMAT: a tick that this format cannot hold, or one of
 * a second schema in a CSV; the text says what to ask for instead. */
int output_put(struct output *output, const char *track, uint16_t number, uint64_t epoch,
               const struct tdk_frame *frames, size_t size, struct tdk_err *err);

/* Empty the buffer. Call it before waiting for more. -EPIPE as above. */
int output_flush(struct output *output, struct tdk_err *err);

/* Report on stderr what the format cannot express: ticks that were left out, and times that became
 * null; on the tape they are as they were. True: something was reported, so the exit status is
 * 3. */
bool output_tell_losses(const struct output *output);

/* For the case that no tick comes: csv, parquet and arrow then show the columns it would have
 * had. */
void output_suppose(struct output *output, const struct output_schema *schema);

/* Write everything, and give the file its own name. If this is not called, close removes the
 * file. */
int output_finish(struct output *output, struct tdk_err *err);

/* After a failure, when what was put in is nowhere else any more: keep as much of it as possible,
 * and give the file its own name. */
int output_save(struct output *output, struct tdk_err *err);
void output_close(struct output *output); /* NULL is fine */

#endif
