/* Counters as Prometheus reads them. */
#include "daemon/metrics.h"

#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

static struct counter_value values[] = {
    {.name = "ring_ticks", .help = "ticks", .ring = "a", .track = "x", .value = 7},
    {.name = "ring_wait",
     .help = "waits",
     .ring = "a",
     .track = "x",
     .value = 1500000000,
     .kind = COUNTER_LEVEL,
     .unit = COUNTER_NS},
    {.name = "ring_ticks", .help = "ticks", .ring = "b", .track = "q\"\\", .value = UINT64_MAX},
    {.name = "recorder_written", .help = "written", .value = 5, .unit = COUNTER_BYTES},
    {.name = "recorder_state", .help = "state", .value = 0, .kind = COUNTER_LEVEL},
};

static struct counters_copy page(void)
{
    return (struct counters_copy){.alive = true,
                                  .started = 2000000001,
                                  .beat = 100,
                                  .writer = "recorder",
                                  .program = "1",
                                  .tape = "/t",
                                  .rows = sizeof values / sizeof values[0],
                                  .values = values};
}

static void samples_of_a_name_stand_together_behind_one_head(void **state)
{
    (void)state;
    struct counters_copy copy = page();
    struct text_buffer text;
    text_init(&text);
    metrics_put(&text, &copy, 1000000100);
    text_add_char(&text, '\0');
    static const char want[] = "# HELP tapedeck_ring_ticks_total ticks\n"
                               "# TYPE tapedeck_ring_ticks_total counter\n"
                               "tapedeck_ring_ticks_total{ring=\"a\",track=\"x\"} 7\n"
                               "tapedeck_ring_ticks_total{ring=\"b\",track=\"q\\\"\\\\\"} "
                               "18446744073709551615\n"
                               "# HELP tapedeck_ring_wait_seconds waits\n"
                               "# TYPE tapedeck_ring_wait_seconds gauge\n"
                               "tapedeck_ring_wait_seconds{ring=\"a\",track=\"x\"} 1.500000000\n";
    assert_non_null(strstr(text.bytes, want));
    assert_non_null(strstr(text.bytes, "tapedeck_recorder_written_bytes_total 5\n"));
    assert_non_null(strstr(text.bytes, "tapedeck_start_time_seconds 2.000000001\n"));
    assert_non_null(strstr(text.bytes, "tapedeck_loop_age_seconds 1.000000000\n"));
    text_close(&text);
}

/* One line that is none, and all of a scrape is thrown away. The page has only the path's
 * beginning, which may end inside a letter. */
static void a_path_that_nobody_expects_does_not_cost_the_scrape(void **state)
{
    (void)state;
    struct counters_copy copy = page();
    struct text_buffer text;
    snprintf(copy.tape, sizeof copy.tape, "/t\n\xc3");
    text_init(&text);
    metrics_put(&text, &copy, 1000000100);
    text_add_char(&text, '\0');
    assert_non_null(strstr(text.bytes, "tape=\"/t\\n\xef\xbf\xbd\"} 1\n"));
    text_close(&text);
}

static void trouble_is_named(void **state)
{
    (void)state;
    struct counters_copy copy = page();
    assert_null(metrics_trouble(&copy, 200));
    values[4].value = 1;
    assert_string_equal(metrics_trouble(&copy, 200), "degraded: no space");
    values[4].value = 0;
    assert_non_null(metrics_trouble(&copy, 100 + UINT64_C(4000000000)));
    copy.alive = false;
    assert_non_null(metrics_trouble(&copy, 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_of_a_name_stand_together_behind_one_head),
        cmocka_unit_test(a_path_that_nobody_expects_does_not_cost_the_scrape),
        cmocka_unit_test(trouble_is_named),
    };
    return cmocka_run_group_tests_name("daemon.metrics", tests, NULL, NULL);
}
