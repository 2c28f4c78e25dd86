/*
 * progress.h - the progress of a long command: bytes, ticks, rate and time left, on stderr.
 *
 * It is a line that rewrites itself when stderr is a terminal (not with -q), or with --progress
 * ndjson one JSON object per line, about twice a second. progress_at() is cheap enough to be called
 * for every few thousand ticks, but not for each one. One thread.
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
    bool shown; /* our line is on the terminal now */
    uint64_t begin_ns, told_ns;
    uint64_t told_ticks;
};

void progress_begin(struct progress *progress, const char *what, int mode, bool quiet);

/* `total` 0: not known. `unit` is "bytes" or "ticks", whichever is counted. */
void progress_at(struct progress *progress, uint64_t done, uint64_t total, const char *unit,
                 uint64_t ticks);

/* Wipe the line from the terminal, so that other messages begin on an empty line. */
void progress_clear(struct progress *progress);

/* The same at the end, once: wipes the terminal's line, and writes the last ndjson object. */
void progress_end(struct progress *progress, uint64_t done, uint64_t total, const char *unit,
                  uint64_t ticks);

/* ns since the beginning. */
uint64_t progress_elapsed(const struct progress *progress);

#endif
