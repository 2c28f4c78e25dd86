/*
 * source_reader.h - what a source's parts know of each other; for source*.c alone.
 *
 * source.c finds out what a file is; one reader a format makes items of it.
 */
#ifndef TDK_FORMATS_SOURCE_READER_H
#define TDK_FORMATS_SOURCE_READER_H

#include "formats/five.h"
#include "formats/five_names.h"
#include "formats/input.h"
#include "formats/source.h"

/* A property on its way out: INFO items, one a part. */
struct source_info {
    char key[32];
    const void *value; /* borrowed until all is told */
    size_t size, told;
    bool pending;
};

struct source {
    struct input *input;
    char *path; /* for messages */
    struct source_options options;
    int (*next)(struct source *s, struct source_item *item, struct tdk_err *err);
    bool ended;
    uint64_t line; /* the last that was read, from 1 */
    struct source_info info;
    unsigned char *control; /* owned: the control item that was told last */
    size_t control_room;

    void *metadata; /* DBN: owned: what `info` tells */
    char *type;     /* lines: owned: likewise */
    struct five_decoder *decoder;
    struct five_names *names, *own_names;
    struct five_tick five; /* five: the line that was read, until its tick is told */
    bool five_pending;
    struct tdk_wide_trade trade;
};

int source_open_dbn(struct source *s, struct tdk_err *err);
int source_open_five(struct source *s, struct tdk_err *err);
int source_open_lines(struct source *s, struct tdk_err *err);

/* Begin to tell a property; the value is borrowed until source_next_info() has told all of it. */
void source_tell_info(struct source *s, const char *key, const void *value, size_t size);

/* 1: the next part. 0: there is none. */
int source_next_info(struct source *s, struct source_item *item, struct tdk_err *err);

/* Memory for one control item, kept until the next. */
void *source_control(struct source *s, size_t size, struct tdk_err *err);

/* The next line that is not empty: 1, or 0 at the end, or a code; counts lines. */
int source_line(struct source *s, size_t max, const char **line, size_t *size, struct tdk_err *err);

/* "FILE: line N: " before what err says. */
int source_bad_line(struct source *s, int code, struct tdk_err *err);

#endif
