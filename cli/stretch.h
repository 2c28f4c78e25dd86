/*
 * stretch.h - a range of a tape's segments, as commands take it: 7, 7-19, 7- to the end.
 */
#ifndef TDK_CLI_STRETCH_H
#define TDK_CLI_STRETCH_H

#include <stdbool.h>
#include <stdint.h>

/* For a command's table: {.name = "segments", STRETCH_OPTION, .at = offsetof(struct args,
 * segments)} */
#define STRETCH_OPTION                                                                             \
    .kind = OPTION_TEXT, .value = "A[-[B]]",                                                       \
    .help = "only these segments: 7, 7-19, or 7- (to the end)"

/* text NULL leaves both untouched. *last 0: to the end. False: text is no such range. */
bool stretch_parse(const char *text, uint64_t *first, uint64_t *last);

#endif
