/* What a policy deletes from a tape as it is: by the ages of tracks, where no time can be trusted,
 * and where nobody can say what lies on other disks. */
#include "tests/support/check.h"

#include <string.h>

#include "base/clock.h"
#include "tape/recover.h"
#include "tape/retain_plan.h"
#include "tests/support/taping.h"

#define DAY (UINT64_C(86400) * NS_PER_S)

/* The payload takes more than half a block, so each tick has a block of its own and a few make a
 * segment. */
static void put(struct append *append, const char *track, unsigned count, uint64_t ts)
{
    static const unsigned char payload[3000];
    struct tdk_err err;
    taping_ok(append_begin(append, track, TDK_KIND_OPAQUE, &err), &err);
    for (unsigned i = 0; i < count; i++)
        taping_ok(append_tick(append, TDK_TYPE_OPAQUE, 0, ts, payload, sizeof payload, &err), &err);
}

static size_t going(const char *path, const struct retain_policy *policy,
                    struct retain_memory *memory, size_t *count)
{
    struct recovered tape;
    struct retain_plan plan;
    struct tdk_err err;
    taping_ok(recover_open(&tape, path, NULL, &err), &err);
    taping_ok(retain_plan_make(&plan, &tape.folder, tape.index, policy, memory, &err), &err);
    const size_t going = plan.verdict.going;
    *count = plan.count;
    retain_plan_close(&plan);
    taping_ok(recover_close(&tape, true, &err), &err);
    return going;
}

/* There are so many segments that a plan with a memory cannot look into all of those that stay. */
static void what_stays_does_not_hide_what_goes(void **state)
{
    const char *path = *state;
    const struct retain_track kept = {.name = "kept", .max_age_ns = 0};
    const struct retain_policy policy = {.max_age_ns = DAY, .tracks = &kept, .track_count = 1};
    struct retain_memory memory = {.count = 0};
    const uint64_t old = clock_wall() - 10 * DAY;
    size_t count, all, found = 0;
    struct append *append = taping_open(path, 4096, 16 << 10);
    put(append, "kept", 1200, old);
    put(append, "other", 60, old);
    taping_close(append);
    all = going(path, &policy, NULL, &count);
    assert_in_range(all, 10, 30);
    assert_in_range(count - all, 257, 1000);
    assert_int_equal(going(path, &policy, &memory, &count), 0);
    for (int plan = 0; plan < 4 && found == 0; plan++)
        found = going(path, &policy, &memory, &count);
    assert_int_equal(found, all);
    assert_int_equal(going(path, &policy, &memory, &count), all);
    retain_memory_close(&memory);
}

/* A tick without a time counts as old as the others of its segment. */
static void where_no_time_is_trusted_a_track_keeps_its_age(void **state)
{
    const char *path = *state;
    struct retain_track odd = {.name = "odd", .max_age_ns = 30 * DAY};
    const struct retain_policy policy = {.max_age_ns = DAY, .tracks = &odd, .track_count = 1};
    size_t count;
    struct append *append = taping_open(path, 4096, 1 << 20);
    put(append, "other", 1, clock_wall() - 2 * DAY);
    put(append, "odd", 1, UINT64_MAX);
    taping_close(append);
    append = taping_open(path, 4096, 1 << 20);
    put(append, "other", 1, clock_wall());
    taping_close(append);
    assert_int_equal(going(path, &policy, NULL, &count), 0);
    odd.max_age_ns = DAY + DAY / 2;
    assert_int_equal(going(path, &policy, NULL, &count), 1);
}

/* Retention that has deleted enough does not go on only because the room comes back later. */
static void what_is_not_free_yet_counts_as_free(void **state)
{
    const char *path = *state;
    const struct retain_policy policy = {.min_free = UINT64_MAX / 2};
    struct retain_memory memory = {.unfreed = 0};
    size_t count;
    taping_make(path, 3000, 4096, 32 << 10);
    assert_int_not_equal(going(path, &policy, &memory, &count), 0);
    memory.unfreed = UINT64_MAX / 2;
    assert_int_equal(going(path, &policy, &memory, &count), 0);
    assert_int_equal(going(path, &policy, &memory, &count), 0);
    retain_memory_close(&memory);
}

/* Somebody has made room by hand, beside a recorder whose index still has the segments. Deleting
 * them once more frees nothing, and they must not take the place of those that can be deleted. */
static void what_is_not_there_does_not_go_in_place_of_what_is(void **state)
{
    const char *path = *state;
    const struct retain_policy policy = {.min_free = UINT64_MAX / 2};
    struct recovered tape;
    struct retain_plan plan;
    struct tdk_err err;
    char name[128];
    taping_make(path, 3000, 4096, 32 << 10);
    taping_ok(recover_open(&tape, path, NULL, &err), &err);
    for (uint64_t number = 1; number <= 2; number++) {
        taping_path(path, number, ".seg", name);
        assert_int_equal(unlink(name), 0);
    }
    taping_ok(retain_plan_make(&plan, &tape.folder, tape.index, &policy, NULL, &err), &err);
    assert_true(plan.verdict.going > 0);
    assert_int_equal(plan.items[0].number, 3);
    assert_int_equal(plan.items[0].why, RETAIN_FREE);
    retain_plan_close(&plan);
    recover_close(&tape, false, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_stays_does_not_hide_what_goes, folder_setup,
                                        folder_teardown),
        cmocka_unit_test_setup_teardown(where_no_time_is_trusted_a_track_keeps_its_age,
                                        folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_free_yet_counts_as_free, folder_setup,
                                        folder_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_does_not_go_in_place_of_what_is,
                                        folder_setup, folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
