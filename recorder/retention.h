/*
 * retention.h - the recorder keeps its disk from filling: it applies the policy, and warns when the
 * disk is about to be full.
 *
 * Every few seconds, on the pool, it deletes what the policy lets go, some segments at a time, and
 * the journal removes them from the index. Others may delete beside us (`tapedeck retain apply`);
 * that is noticed here, too. It waits for no write, and no write waits for it. The loop's thread.
 */
#ifndef TDK_RECORDER_RETENTION_H
#define TDK_RECORDER_RETENTION_H

#include "recorder/belief.h"
#include "recorder/journal.h"
#include "recorder/unfreed.h"
#include "tape/retain_plan.h"

#define FORECAST_SAMPLES 61u /* ten seconds apart: ten minutes */

/* How fast the tape has grown in the last minutes. */
struct forecast {
    uint64_t at_ns[FORECAST_SAMPLES], bytes[FORECAST_SAMPLES];
    unsigned first, count;
};

struct retention {
    uv_loop_t *loop;                    /* borrowed */
    struct recovered *tape;             /* borrowed */
    struct journal *journal;            /* borrowed */
    const struct retain_policy *policy; /* borrowed */
    uint64_t warn_ns;                   /* warn when the disk is full sooner than this; 0: never */
    uv_work_t work;
    bool busy, planning; /* `work` is under way; and applies the policy, too */
    bool sizing;         /* and measures how large the tape is */
    uint64_t look_ns, plan_ns, sample_ns, size_ns;
    bool urgent; /* the disk was full when it began */
    struct retain_memory memory;
    struct belief belief; /* by which segments are old */
    bool was_away; /* since we began the host's clock has been too far ahead to be believed */
    bool doubt_told;
    struct unfreed unfreed;
    uint64_t retired_inode, retired_ns; /* of TAPE/retired, as last seen */

    /* ---- what the last work found ---- */
    int status;
    struct tdk_err err;
    struct retain_verdict verdict;
    uint64_t free_bytes;
    uint64_t size;            /* of the sealed segments; measured less often */
    uint64_t segments, bytes; /* deleted by it */
    bool changed;             /* TAPE/retired has changed */
    bool more;                /* there is more to delete than one work takes */
    bool waits; /* more would be deleted, if what was deleted before did not count as free */

    /* ---- since the start ---- */
    struct forecast forecast;
    uint64_t disk_free, tape_size; /* as the last finished work found them */
    uint64_t full_ns; /* until the disk is full; UINT64_MAX: not known, or the policy prevents it */
    bool is_limited;  /* the policy prevents it */
    uint64_t warned_ns, warned_full_ns;
    bool unmet_told, failed_told, busy_told, waits_told;
};

void retention_init(struct retention *retention, uv_loop_t *loop, struct recovered *tape,
                    struct journal *journal, const struct retain_policy *policy, uint64_t warn_ns);

/* Call it when no work is under way. */
void retention_close(struct retention *retention);

/* Call it a few times a second. `bytes_written`: to the tape, since the start. `urgent`: the disk
 * is full now. */
void retention_tend(struct retention *retention, uint64_t now_ns, uint64_t bytes_written,
                    bool urgent);

#endif
