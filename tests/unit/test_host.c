#include "daemon/host.h"

#include <string.h>

#include "tests/support/check.h"

static void addresses_and_localhost_are_us(void **state)
{
    static const char *const ours[] = {"127.0.0.1",  "127.0.0.1:80", "localhost", "LocalHost:9464",
                                       "[::1]",      "[::1]:9464",   "192.0.2.7", "[2001:db8::1]:1",
                                       "tape.lan:1", "tape.lan",     "TAPE.lan"};
    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        assert_true(host_is_ours(ours[i], "tape.lan:9464"));
}

static void who_says_no_name_means_us(void **state)
{
    (void)state;
    assert_true(host_is_ours(NULL, "tape.lan:9464"));
}

static void every_other_name_is_not(void **state)
{
    char longest[2000];
    static const char *const others[] = {"",
                                         ":80",
                                         "evil.example",
                                         "127.0.0.1.evil.example",
                                         "localhost.evil.example:80",
                                         "[",
                                         "[::1",
                                         "[]:80",
                                         "127.0.0.1 ",
                                         "evil:127.0.0.1",
                                         "tape.lan.:80"};
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(host_is_ours(others[i], "tape.lan:9464"));
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_false(host_is_ours(longest, longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_localhost_are_us),
        cmocka_unit_test(who_says_no_name_means_us),
        cmocka_unit_test(every_other_name_is_not),
    };
    return cmocka_run_group_tests_name("daemon.host", tests, NULL, NULL);
}
