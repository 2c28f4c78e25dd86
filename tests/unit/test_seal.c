/* Segments that are packed: the answers stay the same, whatever fails on the way and whoever reads
 * meanwhile. */
#include "tests/support/check.h"

#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tape/seal_tape.h"
#include "tapedeck/dbn.h"
#include "tapedeck/digest.h"
#include "tapedeck/tape.h"
#include "tests/support/dirty.h"
#include "tests/support/faulty.h"
#include "tests/support/seeds.h"
#include "tests/support/telling.h"

enum { TICKS = 6000, SEGMENTS_MIN = 3 };

struct fixture {
    char path[FOLDER_PATH];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    folder_make(f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    faulty_end();
    folder_remove(f->path);
    free(f);
    return 0;
}

/* Trades of a few instruments, with marks and ties between them, on two tracks and in several
 * segments. */
static void add_trades(struct append *append, const char *track, unsigned count)
{
    struct tdk_err err;
    taping_ok(append_begin(append, track, TDK_KIND_DBN, &err), &err);
    for (unsigned i = 0; i < count; i++) {
        uint64_t ts = TAPING_NOW + i / 3 * 1000 - (i % 500 == 7 ? 4000 : 0);
        struct tdk_dbn_trades trade = {
            .head = {.length = sizeof trade / 4,
                     .rtype = TDK_RTYPE_TRADES,
                     .instrument_id = 10 + i * 7 % 5,
                     .ts_event = ts - 300},
            .price = (int64_t)(100 + i % 9) * 10000000,
            .size = 1 + i % 20,
            .ts_recv = ts,
            .sequence = i,
        };
        if (i % 700 == 5)
            taping_ok(append_control(append, TDK_TYPE_MARK, "here", 4, &err), &err);
        taping_ok(append_tick(append, TDK_TYPE_DBN, 0, ts, &trade, sizeof trade, &err), &err);
    }
}

static void make_tape(const struct fixture *f)
{
    folder_remove(f->path);
    struct append *append = taping_open(f->path, 4096, 128 << 10);
    add_trades(append, "a", TICKS / 2);
    add_trades(append, "b", TICKS / 2);
    taping_close(append);
}

static int seal(const struct fixture *f, struct seal_totals *totals, struct tdk_err *err)
{
    const struct seal_tape_options options = {.threads = 1};
    return seal_tape(f->path, &options, totals, err);
}

/* ---- answers ---- */

struct answer {
    char digest[33];
    uint64_t ticks, controls, damaged;
};

static struct tdk_cursor *ask(struct tdk_tape *tape, bool reverse, bool control)
{
    const struct tdk_query query = {.reverse = reverse, .control = control, .to = UINT64_MAX};
    struct tdk_cursor *cursor;
    struct tdk_err err;
    taping_ok(tdk_cursor_open(&cursor, tape, &query, &err), &err);
    return cursor;
}

static bool read_run(struct tdk_cursor *cursor, struct tdk_digest *digest, struct answer *answer)
{
    struct tdk_run run;
    struct tdk_err err;
    int rc = tdk_cursor_read(cursor, &run, &err);
    if (rc == TDK_ECORRUPT) {
        answer->damaged++;
        return true;
    }
    taping_ok(rc, &err);
    if (rc == 0)
        return false;
    const unsigned char *at = (const void *)run.frames;
    for (size_t done = 0; done < run.size;) {
        const struct tdk_frame *frame = (const void *)(at + done);
        tdk_digest_add(digest, run.track, run.epoch, frame);
        answer->controls += tdk_type_is_control(frame->type) != 0;
        done += tdk_frame_span(frame->size);
    }
    return true;
}

static void finish(struct tdk_cursor *cursor, struct tdk_digest *digest, struct answer *answer)
{
    uint8_t value[16];
    while (read_run(cursor, digest, answer))
        ;
    tdk_digest_value(digest, value, answer->digest);
    answer->ticks = tdk_digest_ticks(digest);
    tdk_digest_close(digest);
    tdk_cursor_close(cursor);
}

static struct tdk_tape *open_tape(const struct fixture *f)
{
    struct tdk_tape *tape;
    struct tdk_err err;
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    return tape;
}

static struct tdk_digest *open_digest(void)
{
    struct tdk_digest *digest;
    assert_int_equal(tdk_digest_open(&digest), 0);
    return digest;
}

static struct answer answer_of(const struct fixture *f, bool reverse, bool control)
{
    struct answer answer = {.ticks = 0};
    struct tdk_tape *tape = open_tape(f);
    finish(ask(tape, reverse, control), open_digest(), &answer);
    tdk_tape_close(tape);
    return answer;
}

static void assert_answer(const struct answer *got, const struct answer *want)
{
    assert_int_equal(got->damaged, 0);
    assert_int_equal(got->ticks, want->ticks);
    assert_string_equal(got->digest, want->digest);
    assert_int_equal(got->controls, want->controls);
}

/* ---- tests ---- */

static void a_packed_tape_answers_as_before(void **state)
{
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    make_tape(f);
    struct answer before[4], after;
    for (int i = 0; i < 4; i++)
        before[i] = answer_of(f, i & 1, i & 2);
    assert_int_equal(before[0].ticks, TICKS);
    taping_ok(seal(f, &totals, &err), &err);
    assert_true(totals.segments >= SEGMENTS_MIN && totals.failed == 0);
    assert_true(totals.bytes_after * 4 < totals.bytes_before);
    for (int i = 0; i < 4; i++) {
        after = answer_of(f, i & 1, i & 2);
        assert_answer(&after, &before[i]);
    }
    telling_whole(f->path);
}

static void packing_twice_does_nothing(void **state)
{
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    make_tape(f);
    taping_ok(seal(f, &totals, &err), &err);
    taping_ok(seal(f, &totals, &err), &err);
    assert_int_equal(totals.to_do, 0);
    telling_whole(f->path);
}

static void a_packed_tape_is_known_without_its_index(void **state)
{
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    struct recovered tape;
    char path[FOLDER_PATH + 32];
    make_tape(f);
    struct answer before = answer_of(f, false, true);
    taping_ok(seal(f, &totals, &err), &err);
    snprintf(path, sizeof path, "%s/index", f->path);
    folder_remove(path);
    struct answer after = answer_of(f, false, true);
    assert_answer(&after, &before);
    taping_ok(recover_open(&tape, f->path, NULL, &err), &err);
    assert_int_equal(tape.report.damaged, 0);
    taping_ok(recover_close(&tape, true, &err), &err);
    telling_whole(f->path);
}

/* More is written after packed segments. What was there stays in the chain. */
static void a_packed_tape_is_written_on(void **state)
{
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    make_tape(f);
    taping_ok(seal(f, &totals, &err), &err);
    struct append *append = taping_open(f->path, 4096, 128 << 10);
    add_trades(append, "a", 500);
    taping_close(append);
    telling_whole(f->path);
    struct answer answer = answer_of(f, false, false);
    assert_int_equal(answer.ticks, TICKS + 500);
}

/* A reader then goes by an index of its own, and nobody tells that index what is packed. */
static void lose_index(const struct fixture *f)
{
    char path[FOLDER_PATH + 8];
    snprintf(path, sizeof path, "%s/index", f->path);
    folder_remove(path);
}

static void who_reads_meanwhile_is_not_disturbed(void **state)
{
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    for (int i = 0; i < 8; i++) {
        bool reverse = i & 1, control = i & 2, own = i & 4;
        for (int runs = 0; runs < 40; runs += 1 + runs) {
            make_tape(f);
            struct answer before = answer_of(f, reverse, control), answer = {.ticks = 0};
            if (own)
                lose_index(f);
            struct tdk_tape *tape = open_tape(f);
            struct tdk_cursor *cursor = ask(tape, reverse, control);
            struct tdk_digest *digest = open_digest();
            for (int run = 0; run < runs; run++)
                assert_true(read_run(cursor, digest, &answer));
            taping_ok(seal(f, &totals, &err), &err);
            finish(cursor, digest, &answer);
            tdk_tape_close(tape);
            assert_int_equal(answer.damaged, 0);
            assert_int_equal(answer.ticks, before.ticks);
            assert_string_equal(answer.digest, before.digest);
        }
    }
}

/* Losses lie everywhere: one after another, after a first tick, after many ticks of one size. */
static const unsigned lost_before[] = {1, 2, 3, 10, 12, 5000, 5001, 5003};

static void assert_holes_are_told(const struct fixture *f)
{
    struct tdk_tape *tape = open_tape(f);
    for (size_t i = 0; i < array_size(lost_before); i++) {
        const uint64_t ts = TAPING_NOW + lost_before[i] * UINT64_C(1000);
        struct tdk_cursor_stats stats;
        assert_int_equal(asking_count(tape, ts - 600, ts - 400, &stats), 0);
        if (stats.lost != 2)
            fail_msg("before tick %u: %llu lost", lost_before[i], (unsigned long long)stats.lost);
    }
    tdk_tape_close(tape);
}

static void a_loss_is_met_between_its_ticks_when_it_is_packed(void **state)
{
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    struct append *append = taping_open(f->path, 1 << 20, 16 << 20);
    taping_ok(append_begin(append, "t", TDK_KIND_OPAQUE, &err), &err);
    for (unsigned i = 0, next = 0; i < TICKS; i++) {
        const uint64_t ts = TAPING_NOW + i * UINT64_C(1000);
        if (next < array_size(lost_before) && i == lost_before[next] && ++next > 0)
            taping_ok(append_loss(append, 2, ts - 1000, ts, &err), &err);
        taping_ok(append_tick(append, TDK_TYPE_OPAQUE, 0, ts, &i, sizeof i, &err), &err);
    }
    taping_close(append);
    assert_holes_are_told(f);
    struct answer before = answer_of(f, false, true), after;
    taping_ok(seal(f, &totals, &err), &err);
    after = answer_of(f, false, true);
    assert_answer(&after, &before);
    assert_holes_are_told(f);
    telling_whole(f->path);
}

/* What a track says before its first tick becomes a block of its own, at that tick's place. Both
 * blocks are there, and each is missed once when they are not. */
static void controls_and_one_tick_lie_at_one_place(void **state)
{
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    char path[128];
    struct append *append = taping_open(f->path, 4096, 128 << 10);
    add_trades(append, "one", 1);
    taping_close(append);
    telling_whole(f->path);
    taping_ok(seal(f, &totals, &err), &err);
    telling_whole(f->path);
    taping_path(f->path, 1, ".g1.seg", path);
    assert_int_equal(unlink(path), 0);
    struct answer answer = answer_of(f, false, true);
    assert_int_equal(answer.ticks, 0);
    assert_int_equal(answer.damaged, 2);
}

/* A coverage walk that is told how many ticks there are, while the tape is packed under it. */
struct survey {
    const struct fixture *fixture;
    unsigned blocks, pack_at;
    uint64_t ticks, damaged;
};

static int on_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct survey *s = context;
    s->ticks += epoch->ticks;
    s->damaged += epoch->damaged;
    return 0;
}

static int on_block(uint64_t bytes_read, uint64_t ticks, void *context)
{
    struct survey *s = context;
    struct seal_totals totals;
    struct tdk_err err;
    (void)bytes_read;
    (void)ticks;
    if (s->blocks++ == s->pack_at)
        taping_ok(seal(s->fixture, &totals, &err), &err);
    return 0;
}

static void packing_meanwhile_is_no_gap(void **state)
{
    const struct tdk_query all = {.to = UINT64_MAX};
    for (unsigned at = 0; at < 400; at += at % 4 == 3 ? 1 + at : 1) {
        struct survey s = {.fixture = *state, .pack_at = at / 4};
        const struct tdk_coverage_walk walk = {
            .unread = at & 1, .epoch = on_epoch, .progress = on_block, .context = &s};
        struct tdk_err err;
        make_tape(*state);
        if (at & 2)
            lose_index(*state);
        struct tdk_tape *tape = open_tape(*state);
        taping_ok(tdk_tape_coverage(tape, &all, &walk, &err), &err);
        tdk_tape_close(tape);
        assert_int_equal(s.ticks, TICKS);
        assert_int_equal(s.damaged, 0);
    }
}

/* Packs a tape during one of the reads of whoever looks at it. */
static struct packer {
    const struct fixture *fixture;
    unsigned reads, pack_at;
} packer;

static ssize_t packing_pread(int fd, void *bytes, size_t size, uint64_t offset)
{
    if (packer.reads++ == packer.pack_at) {
        struct seal_totals totals;
        struct tdk_err err;
        files = &files_posix;
        taping_ok(seal(packer.fixture, &totals, &err), &err);
    }
    return files_posix.pread(fd, bytes, size, offset);
}

/* In reverse, blocks are looked through from the first on before any is returned. */
static void packing_is_no_trouble_to_who_looks_for_the_way_back(void **state)
{
    struct file_ops packing = files_posix;
    struct fixture *f = *state;
    unsigned at = 0;
    packing.pread = packing_pread;
    packing.pread_cached = NULL;
    do {
        make_tape(f);
        const struct answer before = answer_of(f, true, true);
        struct answer after = {.ticks = 0};
        struct tdk_tape *tape = open_tape(f);
        packer = (struct packer){.fixture = f, .pack_at = at};
        files = &packing;
        struct tdk_cursor *cursor = ask(tape, true, true);
        struct tdk_digest *digest = open_digest();
        (void)read_run(cursor, digest, &after);
        files = &files_posix;
        finish(cursor, digest, &after);
        tdk_tape_close(tape);
        assert_answer(&after, &before);
    } while (packer.reads > at++);
    assert_true(at > SEGMENTS_MIN);
}

static void whatever_fails_the_tape_stays_whole_and_packing_can_go_on(void **state)
{
    struct fixture *f = *state;
    make_tape(f);
    struct answer before = answer_of(f, false, true), after;
    for (int kind = 0; kind < 3; kind++) {
        unsigned at = 1, failed = 0;
        for (bool reached = true; reached; at += SEEDS_SANITIZED ? 17 : 1) {
            struct seal_totals totals;
            struct recovered tape;
            struct tdk_err err;
            make_tape(f);
            before = answer_of(f, false, true);
            faulty_begin(at, kind > 0, kind == 2 ? -ENOSPC : -EIO);
            failed += seal(f, &totals, &err) < 0;
            reached = faulty.calls >= faulty.fail_at;
            faulty_end();
            after = answer_of(f, false, true);
            assert_answer(&after, &before);
            taping_ok(recover_open(&tape, f->path, NULL, &err), &err);
            assert_int_equal(tape.report.damaged + tape.report.set_aside, 0);
            taping_ok(recover_close(&tape, true, &err), &err);
            taping_ok(seal(f, &totals, &err), &err);
            after = answer_of(f, false, true);
            assert_answer(&after, &before);
            telling_whole(f->path);
        }
        assert_true(failed > (SEEDS_SANITIZED ? 2 : 10));
    }
}

/* A byte of a block is wrong. Its segment stays as it is, and the others are packed if that is
 * asked for. */
static void what_cannot_be_read_is_not_packed(void **state)
{
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    char path[128];
    make_tape(f);
    taping_path(f->path, 2, ".seg", path);
    taping_flip(path, 9000);
    const struct seal_tape_options options = {.threads = 2, .keep_going = true};
    assert_true(seal(f, &totals, &err) < 0);
    assert_non_null(strstr(err.text, "segment 2"));
    taping_ok(seal_tape(f->path, &options, &totals, &err), &err);
    assert_int_equal(totals.failed, 1);
    taping_flip(path, 9000);
    telling_whole(f->path);
}

/* Every second tick steps back, also the first of some segments. Each tick is found when it alone
 * is asked for. */
static void a_tick_that_steps_back_is_found_in_what_is_packed(void **state)
{
    struct fixture *f = *state;
    struct append *append = taping_open(f->path, 8192, 64 << 10);
    const struct seal_tape_options options = {.threads = 1};
    const unsigned char payload[40] = {0};
    struct seal_totals totals;
    struct tdk_cursor_stats stats;
    struct tdk_err err;
    taping_ok(append_begin(append, "t", TDK_KIND_OPAQUE, &err), &err);
    for (unsigned i = 0; i < TICKS / 2; i++)
        taping_ok(append_tick(append, TDK_TYPE_OPAQUE, 0, TAPING_NOW + i / 2 * 1000 - i % 2 * 50,
                              payload, sizeof payload, &err),
                  &err);
    taping_close(append);
    taping_ok(seal_tape(f->path, &options, &totals, &err), &err);
    assert_true(totals.segments >= SEGMENTS_MIN);
    struct tdk_tape *tape = asking_open(f->path);
    for (unsigned i = 0; i < TICKS / 2; i++) {
        const uint64_t ts = TAPING_NOW + i / 2 * 1000 - i % 2 * 50;
        assert_int_equal(asking_count(tape, ts, ts + 1, &stats), 1);
    }
    tdk_tape_close(tape);
}

static void nothing_gives_way_before_what_it_became_is_durable(void **state)
{
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    make_tape(f);
    dirty_begin();
    taping_ok(seal(f, &totals, &err), &err);
    assert_true(dirty_end() >= totals.segments && totals.segments >= SEGMENTS_MIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_packed_tape_answers_as_before),
        TEST(packing_twice_does_nothing),
        TEST(nothing_gives_way_before_what_it_became_is_durable),
        TEST(a_packed_tape_is_known_without_its_index),
        TEST(a_packed_tape_is_written_on),
        TEST(who_reads_meanwhile_is_not_disturbed),
        TEST(a_loss_is_met_between_its_ticks_when_it_is_packed),
        TEST(controls_and_one_tick_lie_at_one_place),
        TEST(packing_meanwhile_is_no_gap),
        TEST(packing_is_no_trouble_to_who_looks_for_the_way_back),
        TEST(whatever_fails_the_tape_stays_whole_and_packing_can_go_on),
        TEST(what_cannot_be_read_is_not_packed),
        TEST(a_tick_that_steps_back_is_found_in_what_is_packed),
    };
    return cmocka_run_group_tests_name("tape.seal", tests, NULL, NULL);
}
