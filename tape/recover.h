/*
 * recover.h - what a writer does before it writes, and what it then holds.
 *
 * The lock, tape.meta, torn tails cut, unsealed segments sealed, half-made files set aside, an
 * index that matches. Death at any point in it, and doing it again, gives the same tape. Sealed
 * segments are never written to. One thread; blocking.
 */
#ifndef TDK_TAPE_RECOVER_H
#define TDK_TAPE_RECOVER_H

#include "index/index.h"
#include "tape/catalog.h"
#include "tape/folder.h"
#include "tape/rebuild.h"
#include "tape/retired.h"

/* What was met, for logs and exit codes: see recover_lost(). */
struct recover_report {
    uint64_t segments;       /* that the tape has now */
    uint64_t sealed_now;     /* unsealed ones found and sealed */
    uint64_t torn_bytes;     /* cut, kept under quarantine/ */
    uint64_t imports_undone; /* segments of an import that was never finished, removed */
    uint64_t set_aside;      /* foreign or half-made files, moved to quarantine/ */
    uint64_t damaged;        /* stretches, footers, segments: see damage.each */
    bool meta_rebuilt, index_rebuilt;
};

struct recovered {
    struct folder folder;
    struct retired *retired; /* what was deleted on purpose, when we began */
    struct catalog *catalog; /* every track with its last epoch and how far it is on the tape */
    struct index *index;
    uint64_t next_segment;    /* number for the next one */
    uint64_t previous_end;    /* for its blocks */
    uint32_t previous_digest; /* for its foot */
    uint64_t written_ns;      /* no block may be stamped below it */
    struct recover_report report;
};

struct recover_options {
    bool create; /* a tape, if there is none */
    bool anew;   /* look at every segment and build the index anew, however the tape was left */
    void (*each)(const char *text, void *context);                        /* may be NULL */
    void (*progress)(const struct rebuild_totals *totals, void *context); /* likewise */
    void *context;
};

/* Was something that had been durable lost, damaged or set aside? A torn tail was not. */
bool recover_lost(const struct recover_report *report);

/* `each` (may be NULL) is told in words what was found. TDK_EBUSY, TDK_ENOTAPE, -ENOENT (not
 * `create`) ... */
int recover_open(struct recovered *tape, const char *path, bool create,
                 void (*each)(const char *text, void *context), void *context, struct tdk_err *err);
int recover_open_with(struct recovered *tape, const char *path,
                      const struct recover_options *options, struct tdk_err *err);

/* Segments may be deleted beside who holds the tape (retire.h): take them out of the index, between
 * two transactions. `left`: what the catalogue is to hear of it, see retire_index(). */
int recover_follow(struct recovered *tape,
                   void (*left)(const struct epoch_ref *epoch, void *context), void *context,
                   struct tdk_err *err);

/* `clean`: everything is on the tape and in the index, which is synced and marked clean up to
 * tape->next_segment - 1. Then all is given back, the lock last. */
int recover_close(struct recovered *tape, bool clean, struct tdk_err *err);

/* Likewise for who has put nothing on it: a tape that was made for this is removed again. */
void recover_discard(struct recovered *tape, bool clean);

#endif
