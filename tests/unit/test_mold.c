#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "formats/mold.h"

static unsigned note(struct mold *mold, const char *session, uint64_t first, uint16_t count)
{
    unsigned char head[MOLD_HEAD_SIZE] = {0};
    memcpy(head, session, strlen(session));
    store_be64(head + 10, first);
    store_be16(head + 18, count);
    return mold_note(mold, head);
}

static void what_comes_in_order_misses_nothing(void **state)
{
    (void)state;
    struct mold mold = {.missing = 0};
    assert_int_equal(note(&mold, "a", 100, 2), 2); /* a capture may begin anywhere */
    assert_int_equal(note(&mold, "a", 102, 5), 5);
    assert_int_equal(note(&mold, "a", 107, 0), 0);      /* a heartbeat */
    assert_int_equal(note(&mold, "a", 107, 0xffff), 0); /* the end */
    assert_int_equal(mold.missing, 0);
}

static void heartbeats_and_the_end_tell_of_a_gap_too(void **state)
{
    (void)state;
    struct mold mold = {.missing = 0};
    note(&mold, "a", 1, 2);
    note(&mold, "a", 5, 0);
    assert_int_equal(mold.missing, 2);
    note(&mold, "a", 6, 0xffff);
    assert_int_equal(mold.missing, 3);
    note(&mold, "a", 6, 1);
    assert_int_equal(mold.missing, 3);
}

/* Two lines of one feed: what is lost on one comes on the other. */
static void what_comes_late_is_not_missing(void **state)
{
    (void)state;
    struct mold mold = {.missing = 0};
    note(&mold, "a", 1, 2);
    note(&mold, "a", 11, 2);
    assert_int_equal(mold.missing, 8);
    note(&mold, "a", 1, 2); /* twice: nothing changes */
    assert_int_equal(mold.missing, 8);
    note(&mold, "a", 5, 2); /* in the middle: a gap on each side */
    assert_int_equal(mold.missing, 6);
    note(&mold, "a", 5, 2);
    assert_int_equal(mold.missing, 6);
    note(&mold, "a", 2, 2); /* its beginning, with one that had come */
    assert_int_equal(mold.missing, 5);
    note(&mold, "a", 4, 8); /* all the rest, over both gaps */
    assert_int_equal(mold.missing, 0);
    assert_int_equal(mold.sessions[0].gap_count, 0);
    note(&mold, "a", 13, 1);
    assert_int_equal(mold.missing, 0);
}

static void each_session_has_its_own_numbers(void **state)
{
    (void)state;
    struct mold mold = {.missing = 0};
    for (uint64_t i = 0; i < 10; i++) {
        note(&mold, "a", 1 + i, 1);
        note(&mold, "b", 1000 + 2 * i, 1); /* every second one */
    }
    assert_int_equal(mold.session_count, 2);
    assert_int_equal(mold.missing, 9);
}

static void more_than_can_be_kept_stays_missing(void **state)
{
    (void)state;
    struct mold mold = {.missing = 0};
    for (uint64_t i = 0; i <= MOLD_GAPS_MAX + 1; i++)
        note(&mold, "a", 1 + 2 * i, 1);
    assert_int_equal(mold.missing, MOLD_GAPS_MAX + 1);
    note(&mold, "a", 2, 1); /* in the oldest gap, which is forgotten */
    assert_int_equal(mold.missing, MOLD_GAPS_MAX + 1);
    note(&mold, "a", 4, 1);
    assert_int_equal(mold.missing, MOLD_GAPS_MAX);
    for (unsigned i = 0; i < 3 * MOLD_SESSIONS_MAX; i++) {
        char name[11];
        snprintf(name, sizeof name, "%u", i);
        note(&mold, name, UINT64_MAX, 0xfffe); /* a number beyond which there is none */
    }
    assert_int_equal(mold.session_count, MOLD_SESSIONS_MAX);
    assert_int_equal(mold.missing, MOLD_GAPS_MAX);
}

#define NUMBERS 200

/* Datagrams in any order and any number of times, against a list of what has come. */
static void it_agrees_with_a_list_of_all_messages(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 200; round++) {
        struct mold mold = {.missing = 0};
        bool come[NUMBERS] = {true};
        uint64_t next = 1, missing = 0;
        note(&mold, "a", 0, 1);
        for (int i = 0; i < 60; i++) {
            uint64_t first = (uint64_t)rand_r(&seed) % (NUMBERS - 5);
            uint16_t count = (uint16_t)(rand_r(&seed) % 5);
            note(&mold, "a", first, count);
            for (uint64_t at = first; at < first + count; at++)
                come[at] = true;
            next = first + count > next ? first + count : next;
        }
        for (uint64_t at = 0; at < next; at++)
            missing += !come[at];
        assert_int_equal(mold.missing, missing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_in_order_misses_nothing),
        cmocka_unit_test(heartbeats_and_the_end_tell_of_a_gap_too),
        cmocka_unit_test(what_comes_late_is_not_missing),
        cmocka_unit_test(each_session_has_its_own_numbers),
        cmocka_unit_test(more_than_can_be_kept_stays_missing),
        cmocka_unit_test(it_agrees_with_a_list_of_all_messages),
    };
    return cmocka_run_group_tests_name("formats.mold", tests, NULL, NULL);
}
