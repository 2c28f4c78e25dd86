/*
 * json_line.h - one JSON value per line, parsed strictly by json-c.
 *
 * This is the slow way. The decoders know the form that most files have, and read that without
 * making objects. One owner at a time.
 */
#ifndef TDK_FORMATS_JSON_LINE_H
#define TDK_FORMATS_JSON_LINE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

#include "tapedeck/err.h"

struct json_line {
    struct json_tokener *tokener;
    struct json_object *object; /* the last line's value; what is taken from it is borrowed */
};

/* -ENOMEM. A zeroed one may be closed. */
int json_line_open(struct json_line *line, int depth);
void json_line_close(struct json_line *line);

/* Parse one value, with nothing after it, into line->object. TDK_EVALUE: err says at which
 * column. */
int json_line_parse(struct json_line *line, const char *bytes, size_t size, struct tdk_err *err);

/* For the short way: pass over this text. False: something else comes next. */
static inline bool json_take(const char **at, const char *end, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(end - *at) < size || memcmp(*at, text, size) != 0)
        return false;
    *at += size;
    return true;
}

#endif
