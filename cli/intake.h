/*
 * intake.h - files on their way into a ring or onto a tape: what feed and import share.
 *
 * Opens each file as a source, hands its items on, and tells what is wrong with it: malformed lines
 * by number (the first ten), a file that ends inside a record, a damaged stretch. What is good
 * around that is handed on. One thread.
 */
#ifndef TDK_CLI_INTAKE_H
#define TDK_CLI_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"
#include "cli/progress.h"
#include "formats/source.h"

/* Part of a command's arguments, and the rows that fill it: add as a set of its own. */
struct intake_options {
    int format; /* enum source_format */
    const char *type_name, *content_type;
    struct option_list track_info; /* K=V, checked by intake_check() */
    bool whole;
    const char *map, *symbol, *separator, *date, *zone;
    int decode; /* enum source_decode */
    int progress;
    uint64_t midnight; /* of the date, by intake_check() */
};
extern const struct option intake_rows[];

/* 0, or CLI_USAGE: said already. */
int intake_check(struct intake_options *options);

/* Can these files be read, as what they are said to be? Asked before anything is made: a ring or a
 * tape for a file that is not there would be left behind. A pipe is taken at its word. */
int intake_probe(const struct intake_options *options, const struct option_list *files,
                 struct tdk_err *err);

/* Each K=V of --track-info. */
int intake_each_info(const struct intake_options *options,
                     int (*each)(const char *key, const void *value, size_t size, void *context,
                                 struct tdk_err *err),
                     void *context, struct tdk_err *err);

/* Takes one item; not 0 ends the file and is handed back. */
typedef int intake_cb(const struct source_item *item, void *context, struct tdk_err *err);

struct intake {
    const struct intake_options *options;
    uint32_t payload_max;
    struct five_names *names; /* owned; of the epoch */
    struct progress progress;
    uint64_t ticks;       /* handed on, of all files */
    uint64_t malformed;   /* lines that were skipped */
    uint64_t damaged;     /* files that ended too early */
    bool lossy;           /* something else was passed over that may have been ticks */
    uint64_t done_before; /* bytes of the files before this one */
    uint64_t total;       /* bytes of all of them; 0: not known */
};

int intake_open(struct intake *intake, const struct intake_options *options, uint32_t payload_max,
                const char *what, bool quiet, struct tdk_err *err);
void intake_close(struct intake *intake);

/* These are to come: how far it is is told of all of them. Without, of one by one. */
void intake_expect(struct intake *intake, const struct option_list *files);

/* Another epoch begins: symbols are announced anew. */
int intake_new_epoch(struct intake *intake, struct tdk_err *err);

/* All of one file. What could be told and passed over is counted; else a negative code. */
int intake_file(struct intake *intake, const char *path, intake_cb *each, void *context,
                struct tdk_err *err);

/* Say how much was skipped. CLI_LOSSY if any was, else CLI_OK. */
int intake_verdict(const struct intake *intake);

#endif
