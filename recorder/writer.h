/*
 * writer.h - formed writes go onto the tape: several are in flight, they are told in file order,
 * and synced in groups.
 *
 * The writes and their buffers are a ring that is used round and round. A counter for each step
 * says how far it has come; a buffer is free again when the last step has passed it:
 *
 *     done <= synced <= told <= sent <= formed            formed - done <= count
 *       |        |        |       |        `- the pump filled it, and it has a place in a segment
 *       |        |        |       `- a pool thread writes it
 *       |        |        `- it and all before it have returned: rings get their room back
 *       |        `- a later sync of its file returned 0: the watermark moves
 *       `- table, catalogue and index have it
 *
 * The first write of a segment is not sent before the segment before it is synced, so that a power
 * cut always leaves a prefix. For a write or sync that fails see mend.h. The loop's thread.
 */
#ifndef TDK_RECORDER_WRITER_H
#define TDK_RECORDER_WRITER_H

#include "recorder/journal.h"

#define WRITER_IN_FLIGHT          8u
#define WRITER_IN_FLIGHT_BUFFERED 2u /* in the page cache, writes to one file take turns anyway */

enum writer_state {
    WRITER_OK,
    WRITER_NO_SPACE, /* a write found the disk full: it is sent again every second */
    WRITER_MOVING,   /* a write or sync failed: moving to a fresh segment (mend.h) */
    WRITER_DEAD,     /* three segments in a row failed */
};

struct writer_counts {
    uint64_t writes, blocks, bytes, syncs;
    uint64_t write_max_ns, sync_max_ns; /* since the last report */
    uint64_t pool_max;                  /* most buffers in use, since the last report */
    uint64_t rewritten, failed_segments;
};

struct writer {
    uv_loop_t *loop;         /* borrowed */
    struct rotate *rotate;   /* borrowed */
    struct journal *journal; /* borrowed */
    struct recovered *tape;  /* borrowed */
    struct write *writes;    /* owned */
    size_t count;
    unsigned char *memory; /* owned: all buffers, and after them the large one */
    size_t memory_size;
    unsigned char *large;
    size_t large_room;
    struct write *large_user; /* the write that has it; NULL: none */
    size_t limit;             /* bytes of a usual write */

    uint64_t formed, sent, told, synced, done;
    unsigned in_flight;
    enum sync_mode sync;
    uint64_t interval_ns;

    uv_work_t sync_work;
    bool syncing;
    struct reel *sync_reel;
    uint64_t sync_upto, sync_end; /* the writes that it covers, and their end in the file */
    uint64_t sync_started_ns, sync_took_ns, sync_ended_ns;
    int sync_status;

    enum writer_state state;
    bool sync_failed;    /* while MOVING: the old file must not be synced again */
    bool abandoned;      /* while MOVING: the old file is given up, the new one is being made */
    bool draining;       /* sync at once */
    unsigned failures;   /* segments that failed in a row */
    uint64_t retry_ns;   /* when to send again what found no space */
    uint64_t written_ns; /* the stamp of the last block; it never decreases */
    struct writer_counts counts;

    void (*synced_to)(void *context); /* watermarks moved */
    void (*changed)(void *context);   /* a buffer may be free, or something has ended */
    void (*dead)(void *context);      /* the disk is given up */
    void *context;
};

/* The write of this number, from `done` up to `formed`. */
static inline struct write *writer_at(const struct writer *writer, uint64_t number)
{
    return &writer->writes[number % writer->count];
}

struct writer_options {
    size_t limit;  /* bytes of a usual write */
    size_t memory; /* for all */
    unsigned pieces_max;
    enum sync_mode sync;
    uint64_t interval_ns;
};

/* Does it wait for room on the disk? */
bool writer_has_no_space(const struct writer *writer);

/* All memory is allocated and touched here. */
int writer_init(struct writer *writer, uv_loop_t *loop, struct rotate *rotate,
                struct journal *journal, struct recovered *tape,
                const struct writer_options *options, struct tdk_err *err);
void writer_close(struct writer *writer);

/* Connect to the journal, so that it says when it is done with writes. This is a second step
 * because the journal needs to know the number of writes first. */
void writer_use_journal(struct writer *writer);

/* A write to fill, whose segment is known. NULL: there is no buffer or no segment now. `need`: the
 * bytes that must go in; 0: a usual write. Returns the same write until writer_commit(). */
struct write *writer_begin(struct writer *writer, size_t need, size_t *limit, uint64_t now_ns);

/* The write is filled. If it is empty, it is taken back as if it had never been asked for. */
void writer_commit(struct writer *writer, uint64_t now_ns);

/* Begin whatever can be begun. To be called often, and after each event. */
void writer_run(struct writer *writer, uint64_t now_ns);

/* Is all that was formed done? */
bool writer_is_idle(const struct writer *writer);

#endif
