#include "tests/support/check.h"

#include <string.h>

#include "cli/fidelity.h"

static void a_condition_is_a_quantile_and_a_duration(void **state)
{
    (void)state;
    struct fidelity f;
    assert_int_equal(fidelity_parse("p50<1ms", &f, NULL), 0);
    assert_int_equal(f.quantile, 500000);
    assert_int_equal(f.limit_ns, 1000000);
    assert_int_equal(fidelity_parse("p99.9<50us", &f, NULL), 0);
    assert_int_equal(f.quantile, 999000);
    assert_int_equal(f.limit_ns, 50000);
    assert_int_equal(fidelity_parse("max<2s", &f, NULL), 0);
    assert_int_equal(f.quantile, 1000000);
}

static void anything_else_is_refused_and_says_what_would_be_right(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",         "p99",      "p99<",      "p99<50",  "p98<50us",
                                        "p99>50us", "p9<50us",  "p99.<50us", "<50us",   "p99<-1us",
                                        "p99 <1us", "max<1us ", "P99<1us",   "p99<<1us"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct fidelity f = {.quantile = 7};
        struct tdk_err err = {.code = 0};
        assert_int_equal(fidelity_parse(wrong[i], &f, &err), TDK_EVALUE);
        assert_int_equal(f.quantile, 7);
        assert_true(strlen(err.text) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_condition_is_a_quantile_and_a_duration),
        cmocka_unit_test(anything_else_is_refused_and_says_what_would_be_right),
    };
    return cmocka_run_group_tests_name("cli.fidelity", tests, NULL, NULL);
}
