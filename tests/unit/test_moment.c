#include "base/moment.h"

#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/zone.h"
#include "tests/support/check.h"

static const struct moment_bounds bounds = {.now = 1000, .start = 100, .end = 201};

static uint64_t at(const char *text, const char *zone)
{
    struct moment moment;
    struct tdk_err err = {.text = ""};
    if (moment_parse(text, zone, &moment, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return moment_resolve(&moment, &bounds, 7);
}

static void absolute_times_are_exact_to_the_ns(void **state)
{
    (void)state;
    assert_true(at("0", NULL) == 0);
    assert_true(at("18446744073709551615", NULL) == UINT64_MAX);
    assert_true(at("1970-01-01", NULL) == 0);
    assert_true(at("2026-11-20", NULL) == UINT64_C(1795132800) * NS_PER_S);
    assert_true(at("2026-11-20T09:30:00Z", NULL) == UINT64_C(1795167000) * NS_PER_S);
    assert_true(at("2026-11-20t09:30:00z", NULL) == UINT64_C(1795167000) * NS_PER_S);
    assert_true(at("2026-11-20 10:30:00+01:00", NULL) == UINT64_C(1795167000) * NS_PER_S);
    assert_true(at("2026-11-20T04:00:00.123456789-0530", NULL) ==
                UINT64_C(1795167000) * NS_PER_S + 123456789);
    assert_true(at("2026-11-20T09:30:00.5Z", NULL) ==
                UINT64_C(1795167000) * NS_PER_S + 500 * NS_PER_MS);
    assert_true(at("2024-02-29", NULL) == UINT64_C(1709164800) * NS_PER_S);
    assert_true(at("2554-07-21T23:34:33.709551615Z", NULL) == UINT64_MAX);
}

static void relative_times_hang_on_the_clock_or_the_tape(void **state)
{
    (void)state;
    assert_true(at("now", NULL) == 1000);
    assert_true(at("now-5ns", NULL) == 995);
    assert_true(at("start", NULL) == 100);
    assert_true(at("start+10ns", NULL) == 110);
    assert_true(at("end", NULL) == 201);
    assert_true(at("end-1ns", NULL) == 200);
    assert_true(at("start-1h", NULL) == 0); /* clamped to 0 */
    assert_true(at("end+213503d", NULL) > UINT64_MAX / 2);
    struct moment unset = {.anchor = MOMENT_UNSET};
    assert_true(moment_resolve(&unset, &bounds, 7) == 7);
}

static void nothing_is_guessed(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "yesterday",
        "2026-11-20T09:30:00", /* no zone */
        "2026-11-20T09:30Z",   /* no seconds */
        "2026-13-01",
        "2026-02-29",
        "2026-11-31T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T23:60:00Z",
        "2026-12-31T23:59:60Z", /* ns since 1970 have no leap seconds */
        "2026-11-20T09:30:00.Z",
        "2026-11-20T09:30:00.1234567890Z",
        "2026-11-20T09:30:00+1:00",
        "2026-11-20T09:30:00+24:00",
        "2026-11-20T09:30:00Zulu",
        "2026-11-20Z",
        "1969-12-31",
        "2554-07-21T23:34:33.709551616Z",
        "18446744073709551616",
        "-1",
        "now5m",
        "now-5",
        "start+",
        "end-1",
        "nowhere",
        "26-11-20",
    };
    for (size_t i = 0; i < array_size(wrong); i++) {
        struct moment moment = {.ns = 77};
        struct tdk_err err = {.text = ""};
        if (moment_parse(wrong[i], NULL, &moment, &err) != TDK_EVALUE)
            fail_msg("'%s' was taken for a time", wrong[i]);
        assert_non_null(strstr(err.text, wrong[i]));
        assert_int_equal(moment.ns, 77);
    }
}

static void a_zone_is_only_for_times_that_bear_none(void **state)
{
    (void)state;
    assert_true(at("2026-11-20T10:30:00", "+01:00") == UINT64_C(1795167000) * NS_PER_S);
    assert_true(at("2026-11-20T09:30:00Z", "+01:00") == UINT64_C(1795167000) * NS_PER_S);
    assert_true(at("2026-11-20", "+01:00") == UINT64_C(1795132800) * NS_PER_S); /* a UTC day */
    assert_true(at("2026-11-20T09:30:00", "UTC") == UINT64_C(1795167000) * NS_PER_S);
}

static void require_zones(void)
{
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0)
        return;
    print_message("no zone database on this host\n");
    skip();
}

static void a_zone_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct tdk_err err;
    assert_int_equal(moment_check_zone("UTC", &err), 0);
    assert_int_equal(moment_check_zone("-03:30", &err), 0);
    assert_int_equal(moment_check_zone("Europe/Atlantis", &err), TDK_EVALUE);
    assert_int_equal(moment_check_zone("../../etc/passwd", &err), TDK_EVALUE);
    assert_int_equal(moment_check_zone("", &err), TDK_EVALUE);
}

/* Folders and tables beside the zones. libc would take them for UTC. */
static void what_lies_beside_zones_is_none(void **state)
{
    static const char *const names[] = {"Europe", "US", "Chile", "zone.tab", "tzdata.zi", "."};
    (void)state;
    struct tdk_err err;
    for (size_t i = 0; i < array_size(names); i++)
        assert_int_equal(moment_check_zone(names[i], &err), TDK_EVALUE);
    require_zones();
    assert_int_equal(moment_check_zone("Europe/Berlin", &err), 0);
    assert_int_equal(moment_check_zone("Etc/GMT+5", &err), 0);
}

static void refuse(const char *text, const char *zone, const char *why)
{
    struct moment moment;
    struct tdk_err err;
    assert_int_equal(moment_parse(text, zone, &moment, &err), TDK_EVALUE);
    assert_non_null(strstr(err.text, why));
}

static void a_time_that_a_zone_skips_or_has_twice_is_refused(void **state)
{
    (void)state;
    require_zones();
    assert_true(at("2026-07-01T12:00:00", "Europe/Berlin") == UINT64_C(1782900000) * NS_PER_S);
    assert_true(at("2026-01-01T12:00:00", "Europe/Berlin") == UINT64_C(1767265200) * NS_PER_S);
    refuse("2026-03-29T02:30:00", "Europe/Berlin", "skipped");
    refuse("2026-10-25T02:30:00", "Europe/Berlin", "twice");
}

/* Zones whose offset changed, with summer time or without. */
static void so_it_is_where_the_zone_itself_was_another(void **state)
{
    (void)state;
    require_zones();
    refuse("2011-03-27T02:30:00", "Europe/Moscow", "skipped");
    refuse("2014-10-26T01:30:00", "Europe/Moscow", "twice");
    refuse("2021-01-31T23:00:00", "Africa/Juba", "twice");
    refuse("2011-12-30T12:00:00", "Pacific/Apia", "skipped"); /* the whole day */
    assert_true(at("2011-12-29T23:59:59", "Pacific/Apia") == UINT64_C(1325239199) * NS_PER_S);
    assert_true(at("2011-12-31T00:00:00", "Pacific/Apia") == UINT64_C(1325239200) * NS_PER_S);
    assert_true(at("2014-10-26T02:00:00", "Europe/Moscow") == UINT64_C(1414278000) * NS_PER_S);
}

/* Each day from 1970 to 2554, there and back. */
static void days_and_seconds_agree_both_ways(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 213503; day++) {
        struct civil civil;
        int64_t seconds = day * 86400 + day % 86400;
        civil_from_utc(seconds, &civil);
        assert_int_equal(civil_check(&civil, NULL), 0);
        assert_int_equal(civil_to_utc(&civil), seconds);
    }
}

static void text_is_what_can_be_read_back(void **state)
{
    (void)state;
    static const uint64_t times[] = {0, 1, UINT64_C(1795167000123456789), UINT64_MAX - 1};
    char text[MOMENT_TEXT];
    for (size_t i = 0; i < array_size(times); i++)
        assert_true(at(moment_text(text, times[i]), NULL) == times[i]);
    assert_string_equal(moment_text(text, UINT64_C(1795167000123456789)),
                        "2026-11-20T09:30:00.123456789Z");
    assert_string_equal(moment_text(text, UINT64_MAX), "undefined");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absolute_times_are_exact_to_the_ns),
        cmocka_unit_test(relative_times_hang_on_the_clock_or_the_tape),
        cmocka_unit_test(nothing_is_guessed),
        cmocka_unit_test(a_zone_is_only_for_times_that_bear_none),
        cmocka_unit_test(a_zone_that_is_not_there_is_told),
        cmocka_unit_test(what_lies_beside_zones_is_none),
        cmocka_unit_test(a_time_that_a_zone_skips_or_has_twice_is_refused),
        cmocka_unit_test(so_it_is_where_the_zone_itself_was_another),
        cmocka_unit_test(days_and_seconds_agree_both_ways),
        cmocka_unit_test(text_is_what_can_be_read_back),
    };
    return cmocka_run_group_tests_name("base.moment", tests, NULL, NULL);
}
