/*
 * Imports and recoveries on a disk that loses, tears, reorders and fails writes. Each seed is three
 * lives of a tape. Each life imports something and ends by a crash at some point; the recovery
 * after it may crash too. Afterwards every import that was reported to be on the tape must be
 * there, any other must be there whole or not at all, and recovery must leave no damage.
 */
#include "tests/support/check.h"

#include <string.h>

#include "tests/support/dice.h"
#include "tests/support/seeds.h"
#include "tests/support/simfs.h"
#include "tests/support/taping.h"
#include "tests/support/whole.h"

enum { LIVES = 3, TICKS_MAX = 900 };

struct import {
    unsigned ticks, found;
    bool told; /* its success was reported: it must be on the tape */
};

struct sim {
    char path[FOLDER_PATH];
    struct dice dice; /* the test's own, so that its choices do not depend on the disk's */
    struct verdict *verdict;
    struct import imports[LIVES];
    unsigned count;
};

static enum simfs_lie lie;

/* ---- a life ---- */

static int put_ticks(struct append *append, unsigned number, unsigned count)
{
    struct tdk_err err;
    char name[16];
    snprintf(name, sizeof name, "t%u", number);
    int rc = append_begin(append, name, TDK_KIND_OPAQUE, &err);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        const uint32_t payload[10] = {number, i};
        rc = append_tick(append, TDK_TYPE_OPAQUE, 0, TAPING_NOW + i, payload, sizeof payload, &err);
    }
    return rc;
}

static void import(struct sim *sim)
{
    const struct append_options options = {
        .block_size = 4096, .segment_size = 16 << 10, .payload_max = 4096, .writes = 1};
    struct append *append; /* one write at a time, so that a seed always gives the same life */
    struct import *import = &sim->imports[sim->count];
    import->ticks = 1 + dice_roll(&sim->dice, TICKS_MAX);
    if (append_open(&append, sim->path, &options, NULL) < 0)
        return;
    int rc = put_ticks(append, sim->count, import->ticks);
    if (rc < 0)
        append_abort(append);
    else
        rc = append_close(append, NULL, NULL);
    import->told = rc == 0;
    sim->count++;
}

/* LMDB's file is not simulated. Whatever happens to it must not matter. */
static void hurt_index(struct sim *sim)
{
    char path[FOLDER_PATH + 32];
    snprintf(path, sizeof path, "%s/index/data.mdb", sim->path);
    switch (dice_roll(&sim->dice, 4)) {
    case 0:
        unlink(path);
        break;
    case 1:
        if (truncate(path, dice_roll(&sim->dice, 40000)) < 0)
            break; /* there is no such file */
        break;
    default:
        break;
    }
}

static void crash(struct sim *sim)
{
    simfs_restart(dice_one_in(&sim->dice, 2));
    simfs_set_lie(lie);
    hurt_index(sim);
}

/* A recovery, which may also crash at any point. */
static void recover(struct sim *sim)
{
    const struct recover_options options = {.create = true};
    struct recovered tape;
    simfs_crash_after(1 + dice_roll(&sim->dice, 40));
    if (recover_open(&tape, sim->path, &options, NULL) == 0)
        recover_close(&tape, dice_one_in(&sim->dice, 2), NULL);
    crash(sim);
}

static void live(struct sim *sim)
{
    uint32_t changes = dice_roll(&sim->dice, 200);
    simfs_crash_after(changes); /* 0: it does not crash at all */
    simfs_fail_one_in(dice_one_in(&sim->dice, 3) ? 40 : 0);
    import(sim);
    crash(sim);
    for (uint32_t n = dice_roll(&sim->dice, 3); n > 0; n--)
        recover(sim);
}

/* ---- what is there ---- */

static int look_at(const struct tdk_run *run, const struct tdk_frame *frame, void *context)
{
    struct sim *sim = context;
    unsigned number = (unsigned)(run->track[1] - '0');
    const uint32_t *payload = (const void *)tdk_frame_payload(frame);
    if (frame->type == TDK_TYPE_LOSS || (tdk_frame_is_tick(frame) && number >= sim->count)) {
        verdict_blame(sim->verdict, "track %s has what nobody put there", run->track);
        return 1;
    }
    if (!tdk_frame_is_tick(frame))
        return 0;
    struct import *import = &sim->imports[number];
    if (frame->seq != import->found + 1 || payload[0] != number || payload[1] != import->found) {
        verdict_blame(sim->verdict, "track %s: seq %llu where %u is next", run->track,
                      (unsigned long long)frame->seq, import->found + 1);
        return 1;
    }
    import->found++;
    return 0;
}

static void on_found(const char *text, void *context)
{
    struct sim *sim = context;
    if (getenv("TDK_VERBOSE") != NULL)
        print_message("recovery: %s (import %u)\n", text, sim->count);
}

/* Recover without a crash, then check what is on the tape. */
static void look(struct sim *sim)
{
    const struct recover_options options = {.create = true, .found = on_found, .context = sim};
    struct recovered tape;
    struct tdk_err err = {.text = ""};
    if (recover_open(&tape, sim->path, &options, &err) < 0) {
        verdict_blame(sim->verdict, "recovery fails: %s", err.text);
        return;
    }
    if (recover_lost(&tape.report))
        verdict_blame(sim->verdict, "recovery tells of damage=%llu set_aside=%llu meta=%d",
                      (unsigned long long)tape.report.damaged,
                      (unsigned long long)tape.report.set_aside, tape.report.meta_rebuilt);
    if (recover_close(&tape, true, &err) < 0)
        verdict_blame(sim->verdict, "recovery does not end: %s", err.text);
    for (unsigned i = 0; i < sim->count; i++)
        sim->imports[i].found = 0;
    int rc = whole_read(sim->path, look_at, sim, NULL, &err);
    if (rc < 0)
        verdict_blame(sim->verdict, "reading: %s", err.text);
    for (unsigned i = 0; i < sim->count; i++) {
        const struct import *import = &sim->imports[i];
        if (import->found != import->ticks && (import->told || import->found != 0))
            verdict_blame(sim->verdict, "import %u: %u of %u ticks are there%s", i, import->found,
                          import->ticks, import->told ? ", and it was told to be whole" : "");
    }
}

/* An import that was not reported but is there as a whole must stay whole from now on. */
static void settle(struct sim *sim)
{
    for (unsigned i = 0; i < sim->count; i++) {
        struct import *import = &sim->imports[i];
        import->told = import->told || import->found == import->ticks;
        if (!import->told)
            import->ticks = 0;
    }
}

static void lives_of_a_tape(uint64_t seed, struct verdict *verdict)
{
    struct sim sim = {.dice = {seed * 7919}, .verdict = verdict};
    char index[FOLDER_PATH + 8];
    folder_make(sim.path);
    snprintf(index, sizeof index, "%s/index", sim.path);
    assert_int_equal(mkdir(index, 0700), 0);
    simfs_begin(seed, sim.path);
    simfs_set_lie(lie);
    for (unsigned i = 0; i < LIVES && verdict->text[0] == '\0'; i++) {
        live(&sim);
        look(&sim);
        settle(&sim);
    }
    simfs_end();
    folder_remove(sim.path);
}

static const uint64_t kept[] = {0};
static const struct seeds seeds = {"sim_tape", lives_of_a_tape, kept, 4000, 15};

static void what_was_told_to_be_on_the_tape_stays_whatever_the_disk_does(void **state)
{
    (void)state;
    seeds_hold(&seeds);
}

/* The controls: if a disk that lies is not noticed, the test above proves nothing. */
static void a_disk_that_does_not_sync_is_noticed(void **state)
{
    (void)state;
    lie = SIMFS_LIE_SYNC;
    assert_true(seeds_failing(&seeds, 60) > 0);
    lie = SIMFS_LIE_FOLDER;
    assert_true(seeds_failing(&seeds, 60) > 0);
    lie = SIMFS_HONEST;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_to_be_on_the_tape_stays_whatever_the_disk_does),
        cmocka_unit_test(a_disk_that_does_not_sync_is_noticed),
    };
    return cmocka_run_group_tests_name("crash.sim_tape", tests, NULL, NULL);
}
