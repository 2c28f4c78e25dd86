/*
 * intake.h - files on their way into a ring or onto a tape: what feed and import share.
 *
 * Opens each file as a source, passes its items on, and reports what is wrong with it: malformed
 * lines by number (the first ten), a file that ends inside a record, a damaged stretch. The good
 * parts around it are passed on. One thread.
 */
#ifndef TDK_CLI_INTAKE_H
#define TDK_CLI_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"
#include "cli/progress.h"
#include "formats/source.h"

/* Part of a command's arguments, and the option rows that fill it; add them as a set. */
struct intake_options {
    int format; /* enum source_format */
    const char *type_name, *content_type;
    struct option_list track_info; /* K=V each, checked by intake_check() */
    bool whole;
    const char *map, *symbol, *separator, *date, *zone;
    int decode; /* enum source_decode */
    int progress;
    uint64_t midnight; /* of the date; set by intake_check() */
};
extern const struct option intake_rows[];

/* 0, or CLI_USAGE after printing why. */
int intake_check(struct intake_options *options);

/* Can these files be read in the format they are said to have? Call it before a ring or a tape is
 * made, which would be left behind if a file does not exist. A pipe is not checked. */
int intake_probe(const struct intake_options *options, const struct option_list *files,
                 struct tdk_err *err);

/* Call `each` for each K=V of --track-info. */
int intake_each_info(const struct intake_options *options,
                     int (*each)(const char *key, const void *value, size_t size, void *context,
                                 struct tdk_err *err),
                     void *context, struct tdk_err *err);

/* Takes one item. Not 0 ends the file and is returned. */
typedef int intake_cb(const struct source_item *item, void *context, struct tdk_err *err);

struct intake {
    const struct intake_options *options;
    uint32_t payload_max;
    struct five_names *names; /* owned; of the epoch */
    struct progress progress;
    uint64_t ticks;       /* passed on, from all files */
    uint64_t malformed;   /* lines skipped */
    uint64_t damaged;     /* files that ended too early */
    bool lossy;           /* something else was skipped that may have been ticks */
    uint64_t done_before; /* bytes of the files before the current one */
    uint64_t total;       /* bytes of all files; 0: not known */
};

int intake_open(struct intake *intake, const struct intake_options *options, uint32_t payload_max,
                const char *what, bool quiet, struct tdk_err *err);
void intake_close(struct intake *intake);

/* Say which files will come, so that progress is shown for all of them together. Without this it is
 * shown file by file. */
void intake_expect(struct intake *intake, const struct option_list *files);

/* Another epoch begins: announce symbols anew. */
int intake_new_epoch(struct intake *intake, struct tdk_err *err);

/* Read all of one file. What could be reported and skipped is counted; anything else is a negative
 * code. */
int intake_file(struct intake *intake, const char *path, intake_cb *each, void *context,
                struct tdk_err *err);

/* Report how much was skipped. CLI_LOSSY if anything was, else CLI_OK. */
int intake_verdict(const struct intake *intake);

#endif
