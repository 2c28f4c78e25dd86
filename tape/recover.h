/*
 * recover.h - what a writer does before it writes, and what it then holds.
 *
 * It takes the lock, makes sure that tape.meta is there, cuts torn tails, seals unsealed segments,
 * sets half-made files aside, and makes an index that matches. Dying at any point and doing it
 * again gives the same tape. Sealed segments are never written to. One thread; blocking.
 */
#ifndef TDK_TAPE_RECOVER_H
#define TDK_TAPE_RECOVER_H

#include "index/index.h"
#include "tape/catalog.h"
#include "tape/folder.h"
#include "tape/rebuild.h"
#include "tape/retired.h"

/* What was found, for logs and exit codes: see recover_lost(). */
struct recover_report {
    uint64_t segments;       /* that the tape has now */
    uint64_t sealed_now;     /* unsealed segments that were found and sealed */
    uint64_t torn_bytes;     /* cut, and kept under quarantine/ */
    uint64_t imports_undone; /* removed segments of an import that was never finished */
    uint64_t set_aside;      /* foreign or half-made files that were moved to quarantine/ */
    uint64_t damaged;        /* stretches, footers, segments: see damage.found */
    bool meta_rebuilt, index_rebuilt;
};

struct recovered {
    struct folder folder;
    struct retired *retired; /* what had been deleted on purpose when recovery began */
    struct catalog *catalog; /* every track with its last epoch, and how far it goes on the tape */
    struct index *index;
    struct tdk_err index_err; /* of code 0, or why the index is in memory: see index_may_fail */
    uint64_t next_segment;    /* of the next segment */
    uint64_t previous_end;    /* for the blocks of that segment */
    uint32_t previous_digest; /* for its foot */
    uint64_t written_ns;      /* no block may have an earlier stamp */
    bool lost_end;            /* there were segments behind the last one that is there */
    struct recover_report report;
};

struct recover_options {
    bool create; /* make the tape if there is none */
    bool anew;   /* look at every segment, and build the index anew, in any case */
    /* If the index cannot be written, mostly because the disk is full, have it in memory. Nobody
     * else can read that one, and the next writer builds the index anew. */
    bool index_may_fail;
    void (*found)(const char *text, void *context); /* something, in words; may be NULL */
    void (*progress)(const struct rebuild_totals *totals, void *context); /* likewise */
    void *context;
};

/* Was something that had been durable lost, damaged or set aside? A torn tail does not count. */
bool recover_lost(const struct recover_report *report);

/* `options` NULL: the tape is there, and nobody listens. TDK_EBUSY, TDK_ENOTAPE, -ENOENT (without
 * `create`) ... */
int recover_open(struct recovered *tape, const char *path, const struct recover_options *options,
                 struct tdk_err *err);

/* Segments may be deleted while another process holds the tape (retire.h). Take them out of the
 * index, between two transactions. `left` receives what the catalogue must know about it, see
 * retire_index(). */
int recover_follow(struct recovered *tape,
                   void (*left)(const struct epoch_ref *epoch, void *context), void *context,
                   struct tdk_err *err);

/* `clean`: everything is on the tape and in the index; the index is synced and marked clean up to
 * tape->next_segment - 1, unless it is in memory. Then everything is given back, the lock last. */
int recover_close(struct recovered *tape, bool clean, struct tdk_err *err);

/* Likewise for who has put nothing on it: a tape that was made for this is removed again. */
void recover_discard(struct recovered *tape, bool clean);

#endif
