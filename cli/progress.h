/*
 * progress.h - how far a long command is: bytes, ticks, rate and time left, on stderr.
 *
 * A line that rewrites itself when stderr is a terminal (not with -q), or a JSON object a line with
 * --progress ndjson, about twice a second. progress_at() is cheap enough for each few thousand
 * ticks, not for each one. One thread.
 */
#ifndef TDK_CLI_PROGRESS_H
#define TDK_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_NDJSON, PROGRESS_NONE };

/* For a command's table: {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args,
 * progress)} */
extern const char *const progress_words[];
#define PROGRESS_OPTION                                                                            \
    .kind = OPTION_CHOICE, .choices = progress_words, .preset = "auto",                            \
    .help = "report progress; auto: as a line when stderr is a terminal"

struct progress {
    const char *what; /* borrowed */
    enum progress_mode mode;
    bool shown; /* a line of ours stands on the terminal */
    uint64_t begin_ns, told_ns;
    uint64_t told_ticks;
};

void progress_begin(struct progress *progress, const char *what, int mode, bool quiet);

/* `total` 0: not known. What it counts may be bytes or ticks: `unit` is "bytes" or "ticks". */
void progress_at(struct progress *progress, uint64_t done, uint64_t total, const char *unit,
                 uint64_t ticks);

/* Wipe the line from the terminal, so that other talk begins on a clean one. */
void progress_clear(struct progress *progress);

/* The same at the end, once: the terminal's line is wiped, ndjson gets its last object. */
void progress_end(struct progress *progress, uint64_t done, uint64_t total, const char *unit,
                  uint64_t ticks);

/* ns since begin. */
uint64_t progress_elapsed(const struct progress *progress);

#endif
