/*
 * counters.h - a page of named numbers that a daemon keeps and anyone may read.
 *
 *   file  NAME.counters in the rings directory, made whole under another name and then renamed
 *   offset  size
 *        0   384   head: struct counters_head
 *      384   320   row 0: struct counters_row, and so on, `rows_max` of them
 *
 * One process writes, with plain stores of whole words. Nothing waits for anyone. The writer holds
 * a lock on the file as long as it lives, so a reader can tell whether it does. Rows are added,
 * never moved or removed. What a row is called does not change once it is there, with two
 * exceptions: a track that was not known yet is named, and the words of a note change.
 * docs/counters.md promises this layout.
 *
 * A reader trusts nothing that it finds: sizes come from the file system and our own structs, and
 * texts are copied and terminated.
 */
#ifndef TDK_SHM_COUNTERS_H
#define TDK_SHM_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "tapedeck/err.h"
#include "tapedeck/tick.h"

#define COUNTERS_MAGIC    UINT64_C(0x5352544e434b4454) /* "TDKCNTRS" */
#define COUNTERS_VERSION  1u
#define COUNTERS_ROWS_MAX 32768u
#define COUNTERS_FILE_MAX 96

enum counter_kind {
    COUNTER_TOTAL, /* only grows as long as its writer lives */
    COUNTER_LEVEL, /* goes up and down */
    COUNTER_NOTE,  /* words, in `help`; the value is the time since when, 0: there are none */
};

enum counter_unit {
    COUNTER_COUNT,
    COUNTER_BYTES,
    COUNTER_NS,   /* a duration */
    COUNTER_TIME, /* ns since 1970; 0: never */
};

struct counters_head {
    uint64_t magic;
    uint32_t version, head_size, row_size, rows_max;
    _Atomic uint32_t rows; /* rows below this number are whole */
    uint32_t pid;          /* a comment: it means nothing in another pid namespace */
    uint64_t started;      /* ns since 1970 */
    _Atomic uint64_t beat; /* CLOCK_MONOTONIC, ns: the last time the writer passed here */
    char writer[32];       /* "recorder" */
    uint8_t tape_id[16];
    char program[24]; /* the program's version */
    char tape[256];   /* its path, cut if it is longer */
    uint8_t zero[8];
};

struct counters_row {
    _Atomic uint64_t value;
    uint8_t kind, unit, zero[6];
    char name[48];
    char ring[72], track[72]; /* empty: the row is about none */
    char help[112];
};

_Static_assert(sizeof(struct counters_head) == 384, "layout");
_Static_assert(sizeof(struct counters_row) == 320, "layout");

/* ---- the writer's side ---- */

struct counters;

/* What a row is, apart from its ring and track. */
struct counter_kind_of {
    const char *name, *help;
    enum counter_kind kind;
    enum counter_unit unit;
};

struct counters_options {
    const char *writer;  /* "recorder" */
    const char *program; /* version */
    const char *tape;
    const uint8_t *tape_id; /* 16 bytes */
    unsigned rows_max;
};

/* Make the page WRITER-TAPEID.counters. It replaces what a dead writer may have left. */
int counters_create(struct counters **counters, const struct counters_options *options,
                    struct tdk_err *err);

/* Remove the page, so that anyone who looks from now on knows that nothing runs. NULL is fine. */
void counters_close(struct counters *counters);

/* Add a row with the value 0. Returns its number, or TDK_EFULL. `ring` and `track` may be NULL. */
int counters_add(struct counters *counters, const struct counter_kind_of *what, const char *ring,
                 const char *track);

/* Name the track of a row that was added without one. A row that has one keeps it. */
void counters_name_track(struct counters *counters, int row, const char *track);

void counters_set(struct counters *counters, int row, uint64_t value);

/* Set the words of a COUNTER_NOTE. NULL: there are none from now on. */
void counters_note(struct counters *counters, int row, const char *words);

void counters_beat(struct counters *counters, uint64_t now_ns);

/* ---- the reader's side ---- */

/* A page as it was at one moment, in the caller's memory. */
struct counters_copy {
    bool alive; /* its writer lives */
    uint32_t pid;
    uint64_t started, beat;
    char writer[32], program[24], tape[256];
    uint8_t tape_id[16];
    unsigned rows;
    struct counter_value *values; /* owned until counters_forget() */
};

struct counter_value {
    char name[48], ring[72], track[72], help[112];
    enum counter_kind kind;
    enum counter_unit unit;
    uint64_t value;
};

/* Read the page in file `name` ("recorder-....counters") of the rings directory. -ENOENT;
 * TDK_EVERSION; TDK_EHOSTILE: it is no such page. */
int counters_read(struct counters_copy *copy, const char *name, struct tdk_err *err);
void counters_forget(struct counters_copy *copy);

/* How long ago its writer last passed, by the monotonic clock; and for how long a writer that is
 * well does not come by, at most. */
uint64_t counters_silence(const struct counters_copy *copy, uint64_t now_ns);
#define COUNTERS_SILENT_NS (3 * NS_PER_S)

/* Read the page of this writer of this tape; and the name of its file. */
int counters_read_of(struct counters_copy *copy, const char *writer, const uint8_t tape_id[16],
                     struct tdk_err *err);

void counters_file(char file[COUNTERS_FILE_MAX], const char *writer, const uint8_t tape_id[16]);

/* Call `each` with the name of each page, sorted. If it returns anything but 0, the walk ends and
 * that is returned. */
int counters_list(int (*each)(const char *name, void *context), void *context, struct tdk_err *err);

/* The value of a row, or NULL. With `ring` NULL: the first row of that name. */
const struct counter_value *counters_find(const struct counters_copy *copy, const char *name,
                                          const char *ring);

#endif
