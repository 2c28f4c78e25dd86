#include "tests/support/check.h"

#include "base/histogram.h"

static void an_empty_histogram_answers_zero(void **state)
{
    (void)state;
    static struct histogram h;
    histogram_init(&h);
    assert_int_equal(histogram_quantile(&h, 500000), 0);
    assert_int_equal(histogram_quantile(&h, 1000000), 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    static struct histogram h;
    histogram_init(&h);
    for (uint64_t v = 1; v <= 50; v++)
        histogram_add(&h, v);
    assert_int_equal(h.min, 1);
    assert_int_equal(histogram_quantile(&h, 0), 1);
    assert_int_equal(histogram_quantile(&h, 500000), 25);
    assert_int_equal(histogram_quantile(&h, 980000), 49);
    assert_int_equal(histogram_quantile(&h, 980001), 50);
    assert_int_equal(histogram_quantile(&h, 1000000), 50);
}

static void a_quantile_is_never_below_the_value_and_at_most_a_64th_above(void **state)
{
    (void)state;
    static struct histogram h;
    for (uint64_t v = 1; v < UINT64_MAX / 5; v = v * 5 / 3 + 1) {
        histogram_init(&h);
        histogram_add(&h, v);
        histogram_add(&h, UINT64_MAX); /* so that the answer is not cut to the largest */
        uint64_t q = histogram_quantile(&h, 500000);
        assert_true(q >= v);
        assert_true(q - v <= v / 64);
    }
}

static void the_largest_value_there_is_has_a_bucket(void **state)
{
    (void)state;
    static struct histogram h;
    histogram_init(&h);
    histogram_add(&h, UINT64_MAX);
    assert_int_equal(h.buckets[HISTOGRAM_BUCKETS - 1], 1);
    assert_true(histogram_quantile(&h, 990000) == UINT64_MAX);
}

static void no_quantile_is_above_the_largest_value(void **state)
{
    (void)state;
    static struct histogram h;
    histogram_init(&h);
    histogram_add(&h, 1000001);
    histogram_add(&h, 5);
    assert_int_equal(histogram_quantile(&h, 999000), 1000001);
    assert_int_equal(h.max, 1000001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_answers_zero),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(a_quantile_is_never_below_the_value_and_at_most_a_64th_above),
        cmocka_unit_test(the_largest_value_there_is_has_a_bucket),
        cmocka_unit_test(no_quantile_is_above_the_largest_value),
    };
    return cmocka_run_group_tests_name("base.histogram", tests, NULL, NULL);
}
