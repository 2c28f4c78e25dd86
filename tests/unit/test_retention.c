/* When a recorder warns that its disk will be full: --warn-full, with a clock of our own. And what
 * it takes for the time. */
#include "tests/support/folder.h"
#include "tests/support/logged.h"

#include <string.h>
#include <sys/statvfs.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "recorder/retention.h"

#define SAMPLE_NS (10 * NS_PER_S)
#define MINUTE    6 /* samples */
#define HOUR_S    3600u
#define DAY_NS    (24 * HOUR_S * NS_PER_S)

struct fixture {
    uv_loop_t loop;
    struct recovered tape;
    struct retain_policy policy; /* no limit: nothing is deleted */
    struct retention retention;
    struct logged logged;
    uint64_t now_ns, bytes; /* the recorder's clock, and what it has written by then */
    uint64_t free_bytes;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct statvfs disk;
    assert_non_null(f);
    folder_make(f->tape.folder.path);
    snprintf(f->tape.folder.segments, sizeof f->tape.folder.segments, "%.64s", f->tape.folder.path);
    assert_int_equal(statvfs(f->tape.folder.segments, &disk), 0);
    f->free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    f->now_ns = 1000 * NS_PER_S;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    log_init("test", LOG_WARN, false);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    retention_close(&f->retention);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    folder_remove(f->tape.folder.path);
    free(f);
    return 0;
}

static void warn_below(struct fixture *f, uint64_t warn_ns)
{
    retention_init(&f->retention, &f->loop, &f->tape, NULL, &f->policy, warn_ns);
}

/* Take `samples` more samples, at the rate that in `full_s` fills what was free when the test
 * began. Returns how often it warned meanwhile. */
static unsigned write_on(struct fixture *f, unsigned samples, uint64_t full_s)
{
    unsigned warnings = 0;
    logged_begin(&f->logged);
    for (unsigned i = 0; i < samples; i++) {
        f->now_ns += SAMPLE_NS;
        f->bytes += f->free_bytes / full_s * (SAMPLE_NS / NS_PER_S);
        retention_tend(&f->retention, f->now_ns, f->bytes, false);
        uv_run(&f->loop, UV_RUN_DEFAULT);
    }
    for (const char *at = logged_end(&f->logged); (at = strstr(at, " will be full in ")) != NULL;
         at++)
        warnings++;
    return warnings;
}

static void a_disk_that_will_be_full_sooner_is_warned_of_once(void **state)
{
    struct fixture *f = *state;
    warn_below(f, DAY_NS);
    assert_int_equal(write_on(f, MINUTE, HOUR_S), 0); /* it watches for at least a minute */
    assert_int_equal(write_on(f, 1, HOUR_S), 1);
    assert_non_null(strstr(f->logged.text, f->tape.folder.path));
    assert_non_null(strstr(f->logged.text, "--retain-min-free"));
    assert_int_equal(write_on(f, MINUTE, HOUR_S), 0);
}

static void it_is_warned_of_again_when_only_half_the_time_is_left(void **state)
{
    struct fixture *f = *state;
    warn_below(f, DAY_NS);
    assert_int_equal(write_on(f, MINUTE + 1, 8 * HOUR_S), 1);
    assert_int_equal(write_on(f, 10 * MINUTE, 5 * HOUR_S / 2), 1);
}

static void a_disk_that_lasts_longer_is_not_warned_of(void **state)
{
    struct fixture *f = *state;
    warn_below(f, DAY_NS);
    assert_int_equal(write_on(f, 2 * MINUTE, 10 * 24 * HOUR_S), 0);
    assert_true(f->retention.full_ns > DAY_NS && f->retention.full_ns < UINT64_MAX);
}

static void of_0_nothing_is_warned_of_and_the_time_is_known(void **state)
{
    struct fixture *f = *state;
    warn_below(f, 0);
    assert_int_equal(write_on(f, 2 * MINUTE, HOUR_S), 0);
    assert_true(f->retention.full_ns < DAY_NS);
}

static void a_recorder_that_writes_nothing_fills_no_disk(void **state)
{
    struct fixture *f = *state;
    warn_below(f, DAY_NS);
    assert_int_equal(write_on(f, 2 * MINUTE, UINT64_MAX), 0);
    assert_true(f->retention.full_ns == UINT64_MAX);
}

/* Limits that keep segments of `each` bytes, of which there are 10. The plan is made up: there is
 * no tape. */
static void keep(struct fixture *f, struct retain_policy policy, uint64_t each)
{
    f->policy = policy;
    warn_below(f, DAY_NS);
    f->retention.plan_ns = UINT64_MAX;
    f->retention.verdict = (struct retain_verdict){.segments = 10, .bytes = 10 * each};
}

static void limits_that_the_disk_has_room_for_keep_it_from_filling(void **state)
{
    struct fixture *f = *state;
    const struct retain_policy policies[] = {{.max_size = f->free_bytes / 2},
                                             {.max_segments = 100},
                                             {.max_size = UINT64_MAX, .max_segments = 100},
                                             {.min_free = 1}};
    for (size_t i = 0; i < array_size(policies); i++) {
        keep(f, policies[i], f->free_bytes / 1000);
        assert_int_equal(write_on(f, 2 * MINUTE, HOUR_S), 0);
        assert_true(f->retention.full_ns == UINT64_MAX);
    }
}

static void limits_that_are_larger_than_the_disk_do_not(void **state)
{
    struct fixture *f = *state;
    const struct retain_policy policies[] = {
        {.max_size = 4 * f->free_bytes}, {.max_segments = 10000}, {.max_age_ns = DAY_NS}};
    for (size_t i = 0; i < array_size(policies); i++) {
        keep(f, policies[i], f->free_bytes / 1000);
        assert_int_equal(write_on(f, 2 * MINUTE, HOUR_S), 1);
        assert_true(f->retention.full_ns < DAY_NS);
    }
}

static void a_clock_that_is_far_ahead_of_the_tape_makes_nothing_old(void **state)
{
    struct fixture *f = *state;
    const struct retain_policy by_age = {.max_age_ns = DAY_NS}, by_size = {.max_size = UINT64_MAX};
    f->tape.written_ns = clock_wall() - 30 * DAY_NS;
    keep(f, by_age, 1);
    write_on(f, 1, UINT64_MAX);
    assert_non_null(strstr(f->logged.text,
                           "ahead of when the tape was last written: by age nothing is deleted"));
    assert_true(f->retention.memory.now_ns < f->tape.written_ns + DAY_NS);
    keep(f, by_size, 1);
    write_on(f, 1, UINT64_MAX);
    assert_null(strstr(f->logged.text, "by age"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_disk_that_will_be_full_sooner_is_warned_of_once),
        TEST(it_is_warned_of_again_when_only_half_the_time_is_left),
        TEST(a_disk_that_lasts_longer_is_not_warned_of),
        TEST(of_0_nothing_is_warned_of_and_the_time_is_known),
        TEST(a_recorder_that_writes_nothing_fills_no_disk),
        TEST(limits_that_the_disk_has_room_for_keep_it_from_filling),
        TEST(limits_that_are_larger_than_the_disk_do_not),
        TEST(a_clock_that_is_far_ahead_of_the_tape_makes_nothing_old),
    };
    return cmocka_run_group_tests_name("recorder.retention", tests, NULL, NULL);
}
