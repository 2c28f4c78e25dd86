/*
 * json_line.h - one JSON value a line, by json-c, strictly.
 *
 * For what is read the long way: the decoders know the form that most files have, and take that
 * without making objects of it. One owner at a time.
 */
#ifndef TDK_FORMATS_JSON_LINE_H
#define TDK_FORMATS_JSON_LINE_H

#include <json-c/json.h>

#include "tapedeck/err.h"

struct json_line {
    struct json_tokener *tokener;
    struct json_object *object; /* the last line's value: what is handed out of it is borrowed */
};

/* -ENOMEM. Closing zeros is fine. */
int json_line_open(struct json_line *line, int depth);
void json_line_close(struct json_line *line);

/* One value and nothing behind it, into line->object. TDK_EVALUE: err says at which column. */
int json_line_parse(struct json_line *line, const char *bytes, size_t size, struct tdk_err *err);

#endif
