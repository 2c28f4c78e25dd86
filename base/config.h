/*
 * config.h - the lines of a config file.
 *
 *     # a comment
 *     tape = /var/lib/tapedeck
 *     [recorder]
 *     block-size = 1M
 *
 * Blanks around key and value do not count; a value in double quotes keeps its own. Pure: it works
 * in place on the text it is given, and allocates nothing.
 */
#ifndef TDK_BASE_CONFIG_H
#define TDK_BASE_CONFIG_H

#include <stddef.h>

#include "tapedeck/err.h"

struct config {
    char *rest;    /* borrowed; NULs are written into it */
    unsigned line; /* of the last line returned, from 1 */
    const char *section;
};

struct config_line {
    const char *section;     /* NULL: before any section */
    const char *key, *value; /* NULL: a section begins */
    unsigned number;
};

/* `text` ends with a NUL and has no other. */
void config_begin(struct config *config, char *text);

/* 1: *line is the next. 0: the end. TDK_EVALUE: it is neither a comment, a section nor `key =
 * value`; err says what it is instead, and config->line is its number. */
int config_next(struct config *config, struct config_line *line, struct tdk_err *err);

#endif
