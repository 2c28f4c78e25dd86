/*
 * config.h - the lines of a config file.
 *
 *     # a comment
 *     tape = /var/lib/tapedeck
 *     [recorder]
 *     block-size = 1M
 *
 * Blanks around key and value do not count; a value in double quotes keeps its own. Pure: works on
 * text it is given, in place, and allocates nothing.
 */
#ifndef TDK_BASE_CONFIG_H
#define TDK_BASE_CONFIG_H

#include <stddef.h>

#include "tapedeck/err.h"

struct config {
    char *rest;    /* borrowed; NULs are written into it */
    unsigned line; /* of the last answer, from 1 */
    const char *section;
};

struct config_line {
    const char *section;     /* NULL: before any */
    const char *key, *value; /* NULL: the section begins */
    unsigned number;
};

/* `text` ends with a NUL and has no other. */
void config_begin(struct config *config, char *text);

/* 1: *line is the next. 0: the end. TDK_EVALUE: neither comment, section nor `key = value`; err
 * says what it is instead, the line's number is config->line. */
int config_next(struct config *config, struct config_line *line, struct tdk_err *err);

#endif
