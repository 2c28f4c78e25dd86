#include "replayer/tally.h"

#include "base/clock.h"
#include "base/log.h"
#include "replayer/replayer.h"

static const struct counter_kind_of kinds[TALLY_COUNT] = {
    [TALLY_CONNECTIONS] = {"replayer_connections", "connections", COUNTER_LEVEL, COUNTER_COUNT},
    [TALLY_SESSIONS] = {"replayer_sessions", "plays", COUNTER_LEVEL, COUNTER_COUNT},
    [TALLY_STREAMS] = {"replayer_streams", "queries being answered", COUNTER_LEVEL, COUNTER_COUNT},
    [TALLY_STREAMS_BEGUN] = {"replayer_streams_begun", "queries begun", COUNTER_TOTAL,
                             COUNTER_COUNT},
    [TALLY_STREAMS_ENDED] = {"replayer_streams_ended", "queries ended", COUNTER_TOTAL,
                             COUNTER_COUNT},
    [TALLY_STREAMS_CANCELLED] = {"replayer_streams_cancelled", "queries that ended with an error",
                                 COUNTER_TOTAL, COUNTER_COUNT},
    [TALLY_STREAMS_REFUSED] = {"replayer_streams_refused", "queries refused", COUNTER_TOTAL,
                               COUNTER_COUNT},
    [TALLY_TICKS] = {"replayer_ticks", "ticks sent in streams", COUNTER_TOTAL, COUNTER_COUNT},
    [TALLY_BYTES] = {"replayer_sent", "frames sent in streams", COUNTER_TOTAL, COUNTER_BYTES},
    [TALLY_DAMAGED] = {"replayer_damaged", "parts of the tape that could not be read",
                       COUNTER_TOTAL, COUNTER_COUNT},
    [TALLY_LOOKUPS] = {"replayer_lookups", "tracks, symbols, counts and the like", COUNTER_TOTAL,
                       COUNTER_COUNT},
    [TALLY_WAITS] = {"replayer_memory_waits", "times that reading waited for bytes to be taken",
                     COUNTER_TOTAL, COUNTER_COUNT},
    [TALLY_OUTSTANDING] = {"replayer_outstanding", "read for streams, and not yet taken by clients",
                           COUNTER_LEVEL, COUNTER_BYTES},
    [TALLY_READS_RUNNING] = {"replayer_reads_running", "reads of the tape under way", COUNTER_LEVEL,
                             COUNTER_COUNT},
    [TALLY_READS_WAITING] = {"replayer_reads_waiting", "reads of the tape that wait their turn",
                             COUNTER_LEVEL, COUNTER_COUNT},
    [TALLY_CANARY] = {"replayer_canary", "when the canary's newest tick on the tape was published",
                      COUNTER_LEVEL, COUNTER_TIME},
    [TALLY_CANARY_AGE] = {"replayer_canary_age",
                          "time since then, from a ring to an answer; 0: no canary is expected",
                          COUNTER_LEVEL, COUNTER_NS},
};

/* If another replayer is alive it keeps its page. Two that write to one page by turns would make it
 * useless to both. */
static bool is_taken(const uint8_t tape_id[16])
{
    struct counters_copy copy;
    if (counters_read_of(&copy, "replayer", tape_id, NULL) < 0)
        return false;
    bool alive = copy.alive;
    counters_forget(&copy);
    return alive;
}

void tally_open(struct tally *t, const char *tape, const uint8_t tape_id[16])
{
    struct tdk_err err;
    const struct counters_options options = {.writer = "replayer",
                                             .program = TDK_VERSION,
                                             .tape = tape,
                                             .tape_id = tape_id,
                                             .rows_max = TALLY_COUNT};
    *t = (struct tally){.page = NULL};
    if (is_taken(tape_id)) {
        log_warn("no counters page: another replayer of this tape has it");
        return;
    }
    if (counters_create(&t->page, &options, &err) < 0) {
        log_warn("no counters page: %s", err.text);
        return;
    }
    for (size_t i = 0; i < TALLY_COUNT; i++)
        t->rows[i] = counters_add(t->page, &kinds[i], NULL, NULL);
}

void tally_close(struct tally *t)
{
    counters_close(t->page);
    t->page = NULL;
}

void tally_update(struct tally *t, const struct replayer *r)
{
    const struct replay_counts *n = &r->counts;
    if (t->page == NULL)
        return;
    const uint64_t values[TALLY_COUNT] = {
        [TALLY_CONNECTIONS] = r->server.live_count,
        [TALLY_SESSIONS] = r->sessions.count,
        [TALLY_STREAMS] = r->stream_count,
        [TALLY_STREAMS_BEGUN] = n->streams_begun,
        [TALLY_STREAMS_ENDED] = n->streams_ended,
        [TALLY_STREAMS_CANCELLED] = n->streams_cancelled,
        [TALLY_STREAMS_REFUSED] = n->streams_refused,
        [TALLY_TICKS] = n->ticks,
        [TALLY_BYTES] = n->bytes,
        [TALLY_DAMAGED] = n->damaged,
        [TALLY_LOOKUPS] = n->lookups,
        [TALLY_WAITS] = n->waits,
        [TALLY_OUTSTANDING] = r->outstanding,
        [TALLY_READS_RUNNING] = r->jobs.running,
        [TALLY_READS_WAITING] = r->jobs.waiting,
        [TALLY_CANARY] = r->lookout.seen,
        [TALLY_CANARY_AGE] = lookout_age(&r->lookout, clock_wall()),
    };
    for (size_t i = 0; i < TALLY_COUNT; i++)
        counters_set(t->page, t->rows[i], values[i]);
    counters_beat(t->page, clock_mono());
}
