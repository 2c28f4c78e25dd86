/*
 * output.h - ticks to a file or to stdout, in the format that was asked for.
 *
 * query, drain and tap put runs of frames in and need not know what comes out. Text is written
 * through one large buffer, so a tick costs no system call. A file is written under a temporary
 * name and renamed at the end: it is there whole or not at all. A reader that closes its pipe has
 * seen enough: output_put() then answers -EPIPE, and the caller ends with success. One thread.
 */
#ifndef TDK_CLI_OUTPUT_H
#define TDK_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"
#include "tapedeck/tick.h"

enum output_format {
    OUTPUT_AUTO, /* by the name of the file; TDK_EVALUE if that does not tell */
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

/* One of output_format_words. False: no such format. */
bool output_format_parse(const char *word, enum output_format *format);

/* The words above in one line, for messages and --help. */
extern const char output_format_words[];

/* Is there something in it about all ticks: columns, or a head? */
bool output_format_is_headed(enum output_format format);

/* What is known about tracks beside their frames: the tape's catalogue (query), or what came by in
 * the ring (drain, tap: struct lore). Members may be NULL: nothing is known. */
struct output_facts {
    void *context;
    /* The symbol of an instrument at a time, or NULL; borrowed until the next call. */
    const char *(*symbol)(void *context, const char *track, uint16_t number, uint64_t epoch,
                          uint32_t instrument_id, uint64_t ts);
    /* A property ("type.3", "message_type.1", ...) of a track's epoch: malloc'ed, the caller's to
     * free. -ENOENT. */
    int (*property)(void *context, const char *track, uint64_t epoch, const char *key, void **value,
                    size_t *size);
};

struct dbn_metadata;

/* What a tick would have been, had one come. */
struct output_schema {
    uint8_t type;           /* enum tdk_type; 0: that is not known */
    uint8_t rtype, version; /* of DBN and wide ticks; version 0: the newest */
    bool ts_out;
};

struct output_options {
    enum output_format format;
    const char *path; /* NULL or "-": stdout */
    bool force;       /* an existing file is replaced */
    bool pretty;      /* decimals and RFC 3339 */
    bool map_symbols; /* a last column or key `symbol` */
    bool envelope;    /* track, epoch, seq, ts in front */
    bool decimal;     /* parquet, arrow: prices and sizes as decimal numbers */
    bool five;        /* jsonl: the five-field ticks */
    bool control;     /* jsonl, frames: control frames too */
    bool flush;       /* after each put: somebody is looking on */
    bool live;        /* out of a ring, where there is no -t and no --track to choose with */
    bool ts_out;      /* csv, parquet, arrow: a column for DBN's send times, come what may */
    struct output_facts facts;
    /* dbn, dbn.zst: the head of the file; borrowed for open. NULL: what the facts say about the
     * track of the first record, when that comes. */
    const struct dbn_metadata *metadata;
};

/* Put the format that the file's name tells in the place of OUTPUT_AUTO. TDK_EVALUE: it tells none.
 */
int output_settle_format(struct output_options *options, struct tdk_err *err);

/* Is it a file that has a name? Not with NULL and "-". */
bool output_has_name(const char *path);

struct output;

/* TDK_EVALUE: the options do not go together, binary to a terminal, no format (wrong usage);
 * -EEXIST: the file is there, and no `force`. Creates the temporary file and nothing else. */
int output_open(struct output **output, const struct output_options *options, struct tdk_err *err);

/* A contiguous run of one track and epoch, `size` bytes of frames whose heads have been checked.
 * -EPIPE: the reader has gone. TDK_EFORMAT: a tick that this format cannot hold, or one of a second
 * schema in a CSV: the text says what to ask for instead. */
int output_put(struct output *output, const char *track, uint16_t number, uint64_t epoch,
               const struct tdk_frame *frames, size_t size, struct tdk_err *err);

/* Empty the buffer: before waiting for more. -EPIPE as above. */
int output_flush(struct output *output, struct tdk_err *err);

/* Say on stderr what has no form in the format: ticks that were left out, times that became null;
 * they are on the tape as they were. True: something was said, which makes the exit status 3. */
bool output_tell_losses(const struct output *output);

/* Should none have come: csv, parquet and arrow show the columns that it would have had. */
void output_suppose(struct output *output, const struct output_schema *schema);

/* Everything out, the file under its own name. What was not finished is taken away by close. */
int output_finish(struct output *output, struct tdk_err *err);

/* Behind a failure, where what was put is nowhere else any more: as much of it as can be had, the
 * file under its own name. */
int output_save(struct output *output, struct tdk_err *err);
void output_close(struct output *output); /* NULL is fine */

#endif
