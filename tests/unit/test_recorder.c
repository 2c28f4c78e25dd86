/* The pure parts of the recorder: what a frame means for its tape, and what the command line
 * means. */
#include "tests/support/check.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "recorder/ack.h"
#include "recorder/config.h"
#include "recorder/sequence.h"

static const struct sequence_known nothing = {0, 0, 0};

/* A sequence in the middle of a ring's epoch that the tape has, too. */
static struct sequence running(uint64_t epoch, uint64_t next_seq)
{
    struct sequence s = {0};
    sequence_turned(&s, epoch, &nothing);
    sequence_begin(&s);
    sequence_take(&s, next_seq);
    return s;
}

/* ---- sequence ---- */

static void the_next_tick_is_next(void **state)
{
    (void)state;
    struct sequence s = running(100, 7);
    uint64_t lost = 0;
    assert_int_equal(sequence_look(&s, 7, &lost), SEQUENCE_NEXT);
    sequence_take(&s, 8);
    assert_int_equal(sequence_look(&s, 8, &lost), SEQUENCE_NEXT);
}

static void a_hole_is_a_loss_of_exactly_so_many(void **state)
{
    (void)state;
    struct sequence s = running(100, 7);
    uint64_t lost = 0;
    assert_int_equal(sequence_look(&s, 12, &lost), SEQUENCE_HOLE);
    assert_int_equal(lost, 5);
}

static void a_repeat_is_wrong_once_something_was_taken(void **state)
{
    (void)state;
    struct sequence s = running(100, 7);
    uint64_t lost = 0;
    assert_int_equal(sequence_look(&s, 6, &lost), SEQUENCE_WRONG);
    assert_int_equal(sequence_look(&s, 0, &lost), SEQUENCE_WRONG);
}

static void a_jump_beyond_belief_is_wrong(void **state)
{
    (void)state;
    struct sequence s = running(100, 7);
    uint64_t lost = 0;
    assert_int_equal(sequence_look(&s, 7 + SEQUENCE_HOLE_MAX, &lost), SEQUENCE_HOLE);
    assert_int_equal(sequence_look(&s, 8 + SEQUENCE_HOLE_MAX, &lost), SEQUENCE_WRONG);
    assert_int_equal(sequence_look(&s, UINT64_MAX, &lost), SEQUENCE_WRONG);
}

static void frames_before_any_epoch_are_wrong(void **state)
{
    (void)state;
    struct sequence s = {0};
    uint64_t lost = 0;
    sequence_attach(&s, 0, &nothing);
    assert_int_equal(sequence_look(&s, 1, &lost), SEQUENCE_WRONG);
}

static void after_a_restart_what_the_tape_has_is_passed_over(void **state)
{
    (void)state;
    struct sequence s = {0};
    uint64_t lost = 0;
    sequence_attach(&s, 100, &(struct sequence_known){100, 51, 100});
    assert_int_equal(sequence_look(&s, 40, &lost), SEQUENCE_PASS);
    assert_int_equal(sequence_look(&s, 50, &lost), SEQUENCE_PASS);
    assert_int_equal(sequence_look(&s, 51, &lost), SEQUENCE_NEXT);
    sequence_take(&s, 52);
    assert_int_equal(sequence_look(&s, 50, &lost), SEQUENCE_WRONG);
}

static void what_was_refused_while_we_were_away_is_a_loss(void **state)
{
    (void)state;
    struct sequence s = {0};
    uint64_t lost = 0;
    sequence_attach(&s, 100, &(struct sequence_known){100, 51, 100});
    assert_int_equal(sequence_look(&s, 61, &lost), SEQUENCE_HOLE);
    assert_int_equal(lost, 10);
}

static void an_epoch_that_the_tape_has_left_is_passed_over_as_far_as_it_has_it(void **state)
{
    (void)state;
    struct sequence s = {0};
    uint64_t lost = 0;
    sequence_attach(&s, 100, &(struct sequence_known){100, 51, 200});
    assert_int_equal(sequence_look(&s, 50, &lost), SEQUENCE_PASS);
    assert_int_equal(sequence_look(&s, 53, &lost), SEQUENCE_BEGIN);
    assert_int_equal(s.next_seq, 51); /* where it begins */
    assert_int_equal(sequence_begin(&s), 201);
    assert_int_equal(sequence_look(&s, 53, &lost), SEQUENCE_HOLE);
    assert_int_equal(lost, 2);
}

/* Ticks that another consumer took are no loss of this tape. */
static void an_epoch_joined_in_the_middle_begins_with_what_comes(void **state)
{
    (void)state;
    struct sequence s = {0};
    uint64_t lost = 0;
    sequence_attach(&s, 100, &nothing);
    assert_int_equal(sequence_look(&s, 5000, &lost), SEQUENCE_BEGIN);
    assert_int_equal(sequence_begin(&s), 100);
    assert_int_equal(sequence_look(&s, 5000, &lost), SEQUENCE_NEXT);
}

static void an_epoch_joined_at_its_start_begins_with_one(void **state)
{
    (void)state;
    struct sequence s = {0};
    uint64_t lost = 0;
    sequence_turned(&s, 100, &nothing);
    sequence_begin(&s);
    assert_int_equal(sequence_look(&s, 4, &lost), SEQUENCE_HOLE);
    assert_int_equal(lost, 3);
}

static void an_epoch_not_above_the_tapes_last_is_numbered_anew(void **state)
{
    (void)state;
    struct sequence s = {0};
    sequence_turned(&s, 100, &(struct sequence_known){0, 0, 700});
    assert_int_equal(sequence_begin(&s), 701);
    assert_int_equal(s.ring_epoch, 100);
}

static void the_end_of_an_epoch_tells_what_it_lost_last(void **state)
{
    (void)state;
    struct sequence s = running(100, 51);
    struct tdk_epoch told = {.epoch = 200, .previous = 100, .previous_seq = 60};
    uint64_t lost = 0;
    assert_int_equal(sequence_turn(&s, &told, &lost), SEQUENCE_HOLE);
    assert_int_equal(lost, 10);
    sequence_take(&s, 61); /* reported, so not reported again */
    assert_int_equal(sequence_turn(&s, &told, &lost), SEQUENCE_NEXT);
}

static void an_epoch_of_another_ring_says_nothing_about_ours(void **state)
{
    (void)state;
    struct sequence s = running(100, 51);
    struct tdk_epoch told = {.epoch = 200, .previous = 150, .previous_seq = 60};
    uint64_t lost = 0;
    assert_int_equal(sequence_turn(&s, &told, &lost), SEQUENCE_NEXT);
}

static void an_epoch_that_goes_back_is_wrong(void **state)
{
    (void)state;
    struct sequence s = running(100, 51);
    struct tdk_epoch told = {.epoch = 99};
    uint64_t lost = 0;
    assert_int_equal(sequence_turn(&s, &told, &lost), SEQUENCE_WRONG);
    told.epoch = 0;
    assert_int_equal(sequence_turn(&s, &told, &lost), SEQUENCE_WRONG);
}

/* ---- what the command line means ---- */

static void a_ring_may_name_its_track(void **state)
{
    (void)state;
    struct config_ring ring;
    assert_int_equal(config_ring_parse(&ring, "binance", NULL), 0);
    assert_string_equal(ring.name, "binance");
    assert_string_equal(ring.track, "");
    assert_int_equal(config_ring_parse(&ring, "b-1=binance.spot", NULL), 0);
    assert_string_equal(ring.name, "b-1");
    assert_string_equal(ring.track, "binance.spot");
}

static void hostile_names_are_refused(void **state)
{
    (void)state;
    static const char *const words[] = {
        "", "../x", "/x", "=x", "a=", "a=../b", "-a", "a=b=c", "a b", "a\n"};
    char longest[80];
    struct config_ring ring;
    struct tdk_err err;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_int_equal(config_ring_parse(&ring, words[i], &err), TDK_ENAME);
    memset(longest, 'a', sizeof longest);
    longest[65] = '\0';
    assert_int_equal(config_ring_parse(&ring, longest, &err), TDK_ENAME);
    longest[64] = '\0';
    assert_int_equal(config_ring_parse(&ring, longest, &err), 0);
}

static void sync_is_one_of_three_words(void **state)
{
    (void)state;
    enum sync_mode mode;
    uint64_t interval;
    assert_int_equal(config_sync_parse("none", &mode, &interval, NULL), 0);
    assert_int_equal(mode, SYNC_NONE);
    assert_int_equal(config_sync_parse("batch", &mode, &interval, NULL), 0);
    assert_int_equal(mode, SYNC_BATCH);
    assert_int_equal(config_sync_parse("interval:250ms", &mode, &interval, NULL), 0);
    assert_int_equal(mode, SYNC_INTERVAL);
    assert_int_equal(interval, 250 * NS_PER_MS);
}

static void a_sync_that_says_nothing_is_refused(void **state)
{
    (void)state;
    static const char *const words[] = {"",           "interval",     "interval:", "interval:100",
                                        "interval:0", "interval:1us", "Batch",     "batch:1s"};
    enum sync_mode mode;
    uint64_t interval;
    struct tdk_err err;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_int_equal(config_sync_parse(words[i], &mode, &interval, &err), TDK_EVALUE);
}

/* ---- the watermark's listener ---- */

static void a_mark_is_one_line(void **state)
{
    (void)state;
    int ends[2];
    char line[64];
    assert_int_equal(pipe(ends), 0);
    struct ack ack = {.fd = ends[1]};
    assert_true(ack_tell(&ack, "binance", 1700000000000000000, 42));
    ssize_t size = read(ends[0], line, sizeof line - 1);
    assert_true(size > 0);
    line[size] = '\0';
    assert_string_equal(line, "binance 1700000000000000000 42\n");
    close(ends[0]);
    close(ends[1]);
}

static void a_full_listener_is_told_later_and_never_waited_for(void **state)
{
    (void)state;
    int ends[2];
    char page[4096];
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    struct ack ack = {.fd = ends[1]};
    unsigned told = 0;
    while (ack_tell(&ack, "binance", 1, told + 1) && told < 100000)
        told++;
    assert_true(told > 0 && told < 100000);
    assert_int_equal(ack.fd, ends[1]);
    assert_true(read(ends[0], page, sizeof page) > 0);
    assert_true(ack_tell(&ack, "binance", 1, told + 1));
    close(ends[0]);
    close(ends[1]);
}

static void a_listener_that_left_is_not_told_again(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct ack ack = {.fd = ends[1]};
    close(ends[0]);
    assert_true(ack_tell(&ack, "binance", 1, 1));
    assert_int_equal(ack.fd, -1);
    assert_true(ack_tell(&ack, "binance", 1, 2));
    close(ends[1]);
}

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as the service does */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_tick_is_next),
        cmocka_unit_test(a_hole_is_a_loss_of_exactly_so_many),
        cmocka_unit_test(a_repeat_is_wrong_once_something_was_taken),
        cmocka_unit_test(a_jump_beyond_belief_is_wrong),
        cmocka_unit_test(frames_before_any_epoch_are_wrong),
        cmocka_unit_test(after_a_restart_what_the_tape_has_is_passed_over),
        cmocka_unit_test(what_was_refused_while_we_were_away_is_a_loss),
        cmocka_unit_test(an_epoch_that_the_tape_has_left_is_passed_over_as_far_as_it_has_it),
        cmocka_unit_test(an_epoch_joined_in_the_middle_begins_with_what_comes),
        cmocka_unit_test(an_epoch_joined_at_its_start_begins_with_one),
        cmocka_unit_test(an_epoch_not_above_the_tapes_last_is_numbered_anew),
        cmocka_unit_test(the_end_of_an_epoch_tells_what_it_lost_last),
        cmocka_unit_test(an_epoch_of_another_ring_says_nothing_about_ours),
        cmocka_unit_test(an_epoch_that_goes_back_is_wrong),
        cmocka_unit_test(a_ring_may_name_its_track),
        cmocka_unit_test(hostile_names_are_refused),
        cmocka_unit_test(sync_is_one_of_three_words),
        cmocka_unit_test(a_sync_that_says_nothing_is_refused),
        cmocka_unit_test(a_mark_is_one_line),
        cmocka_unit_test(a_full_listener_is_told_later_and_never_waited_for),
        cmocka_unit_test(a_listener_that_left_is_not_told_again),
    };
    return cmocka_run_group_tests_name("recorder", tests, setup, NULL);
}
