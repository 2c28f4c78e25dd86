#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "tests/support/check.h"

static void a_failure_is_one_line_that_says_what_and_why(void **state)
{
    (void)state;
    struct tdk_err err;
    assert_int_equal(err_set(&err, -ENOENT, "open %s", "a.seg"), -ENOENT);
    assert_string_equal(err.text, "open a.seg: No such file or directory");
    assert_int_equal(err.code, -ENOENT);
    assert_int_equal(err_say(&err, TDK_EVALUE, "'%s' is odd", "x"), TDK_EVALUE);
    assert_string_equal(err.text, "'x' is odd");
}

static void wrapping_puts_words_in_front_and_keeps_the_code(void **state)
{
    (void)state;
    struct tdk_err err;
    err_say(&err, TDK_ECORRUPT, "bad block");
    assert_int_equal(err_wrap(&err, -EIO, "segment %d", 42), TDK_ECORRUPT);
    assert_string_equal(err.text, "segment 42: bad block");
}

static void a_remedy_is_put_behind_the_code_that_it_is_for(void **state)
{
    (void)state;
    struct tdk_err err;
    err_set(&err, -EACCES, "open a.ring");
    assert_int_equal(err_advise(&err, -EACCES, -ENOENT, "make it"), -EACCES);
    assert_string_equal(err.text, "open a.ring: Permission denied");
    assert_int_equal(err_advise(&err, -EACCES, -EACCES, "join its group"), -EACCES);
    assert_string_equal(err.text, "open a.ring: Permission denied; join its group");
    assert_int_equal(err_advise(NULL, -EACCES, -EACCES, "join its group"), -EACCES);
}

static void a_caller_may_have_no_interest_in_words(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
    assert_int_equal(err_say(NULL, -EIO, "x"), -EIO);
    assert_int_equal(err_wrap(NULL, -EIO, "x"), -EIO);
}

static void a_long_text_is_cut_and_shows_it(void **state)
{
    (void)state;
    struct tdk_err err;
    char longer[2000];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    err_say(&err, -EIO, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(err.text + sizeof err.text - 4, "...");
    err_wrap(&err, -EIO, "%s", longer);
    assert_true(strlen(err.text) < sizeof err.text);
}

static void every_code_has_words_and_no_two_the_same(void **state)
{
    (void)state;
    for (int code = TDK_EINTERNAL; code <= TDK_ECORRUPT; code++) {
        assert_string_not_equal(tdk_strerror(code), "unknown error");
        for (int other = TDK_EINTERNAL; other < code; other++)
            assert_string_not_equal(tdk_strerror(code), tdk_strerror(other));
    }
    assert_string_equal(tdk_strerror(0), "success");
    assert_string_equal(tdk_strerror(-EACCES), "Permission denied");
    assert_string_equal(tdk_strerror(-30000), "unknown error");
    assert_string_equal(tdk_strerror(5), "unknown error");
}

static void err_say_shows_control_bytes_of_a_name_as_question_marks(void **state)
{
    struct tdk_err err;
    (void)state;
    err_say(&err, TDK_ENAME, "ring %s", "a\x1b[2J\nb\x7f");
    assert_string_equal(err.text, "ring a?[2J?b?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_say_shows_control_bytes_of_a_name_as_question_marks),
        cmocka_unit_test(a_failure_is_one_line_that_says_what_and_why),
        cmocka_unit_test(wrapping_puts_words_in_front_and_keeps_the_code),
        cmocka_unit_test(a_remedy_is_put_behind_the_code_that_it_is_for),
        cmocka_unit_test(a_caller_may_have_no_interest_in_words),
        cmocka_unit_test(a_long_text_is_cut_and_shows_it),
        cmocka_unit_test(every_code_has_words_and_no_two_the_same),
    };
    return cmocka_run_group_tests_name("base.err", tests, NULL, NULL);
}
