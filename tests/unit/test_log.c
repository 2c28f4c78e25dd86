/* A line stays one line, whatever is in it. */
#include "tests/support/logged.h"

#include <string.h>

#include "base/log.h"

/* What one call of log_warn() writes, without the time. */
static const char *logged(bool json, const char *text)
{
    static struct logged log;
    logged_begin(&log);
    log_init("test", LOG_WARN, json);
    log_info("not told");
    log_warn("%s", text);
    const char *behind = strchr(logged_end(&log), 'Z');
    assert_non_null(behind);
    return behind + 1;
}

static void words_come_out_as_they_are(void **state)
{
    (void)state;
    assert_string_equal(logged(false, "ring \"é\" is full"), " warn  test ring \"é\" is full\n");
    assert_string_equal(
        logged(true, "ring \"é\\\" is full"),
        "\",\"level\":\"warn\",\"program\":\"test\",\"text\":\"ring \\\"é\\\\\\\" is full\"}\n");
}

static void a_hostile_name_forges_no_line(void **state)
{
    (void)state;
    assert_string_equal(logged(false, "a\nb\x1b[2J\x7f"), " warn  test a\\x0ab\\x1b[2J\\x7f\n");
    assert_non_null(strstr(logged(true, "a\nb\x1b\x7f"), ":\"a\\u000ab\\u001b\\u007f\"}\n"));
}

/* A path may have any bytes; JSON may not. */
static void json_has_no_byte_that_is_not_utf8(void **state)
{
    (void)state;
    assert_non_null(
        strstr(logged(true, "\xff x\xc3 é\xe2\x82"), ":\"\\ufffd x\\ufffd é\\ufffd\\ufffd\"}\n"));
}

static void a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[4096];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "é", 3);
    const char *json = logged(true, text); /* 1023 bytes fit, and the last is half a character */
    assert_non_null(strstr(json, "éé\\ufffd\"}\n"));
    memset(text, 1, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    json = logged(true, text);
    assert_string_equal(json + strlen(json) - 9, "\\u0001\"}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_out_as_they_are),
        cmocka_unit_test(a_hostile_name_forges_no_line),
        cmocka_unit_test(json_has_no_byte_that_is_not_utf8),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
    };
    return cmocka_run_group_tests_name("base.log", tests, NULL, NULL);
}
