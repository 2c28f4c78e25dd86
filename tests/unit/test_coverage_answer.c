/* Answers in pages: together they say what one walk of the tape says, however much of a walk is
 * kept between them. */
#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

#include "replayer/coverage_answer.h"
#include "tests/support/folder.h"
#include "tests/support/reel.h"
#include "tests/support/taping.h"

enum { LOSSES = 1500, TOLD_MAX = 16384, PAGES_MAX = 200 };

struct told {
    char track[TDK_NAME_MAX + 1];
    uint64_t epoch, seq; /* seq UINT64_MAX: this is the epoch's row */
    uint64_t count;      /* ticks lost in the gap; for a row, the epoch's ticks */
};

struct list {
    struct told items[TOLD_MAX];
    size_t count;
};

static void add(struct list *list, const char *track, uint64_t epoch, uint64_t seq, uint64_t count)
{
    assert_true(list->count < TOLD_MAX);
    struct told *told = &list->items[list->count++];
    memset(told, 0, sizeof *told);
    snprintf(told->track, sizeof told->track, "%s", track);
    told->epoch = epoch;
    told->seq = seq;
    told->count = count;
}

struct fixture {
    char path[FOLDER_PATH];
    struct tdk_tape *tape;
    struct coverage_shelf shelf;
    struct wire_decoder *decoder;
    struct list want, got;
    unsigned pages;
};

/* ---- a tape with many gaps ---- */

static void fill(struct reel *reel, uint16_t track, const char *name, uint64_t epoch)
{
    uint64_t ts = epoch * 1000000;
    for (unsigned i = 0; i < LOSSES; ts += 10) {
        reel_begin(reel, track, name, epoch);
        for (unsigned k = 0; k < 100 && i < LOSSES; k++, i++, ts += 10) {
            reel_loss(reel, 1 + i % 3, ts, ts + 1, ts + 2);
            reel_tick(reel, ts + 2);
        }
        reel_write(reel);
    }
}

static int want_gap(const struct tdk_gap *gap, void *context)
{
    add(context, gap->track, gap->epoch, gap->first_seq, gap->count);
    return 0;
}

static int want_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    add(context, epoch->track, epoch->epoch, UINT64_MAX, epoch->ticks);
    return 0;
}

static const struct tdk_query everything = {.to = UINT64_MAX};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct reel reel;
    struct tdk_err err;
    assert_non_null(f);
    folder_make(f->path);
    reel_open(&reel, f->path);
    fill(&reel, 1, "a", 7);
    fill(&reel, 1, "a", 8);
    fill(&reel, 2, "b", 9);
    reel_close(&reel);
    taping_ok(tdk_tape_open(&f->tape, f->path, &err), &err);
    const struct tdk_coverage_walk walk = {
        .gap = want_gap, .epoch = want_epoch, .context = &f->want};
    taping_ok(tdk_tape_coverage(f->tape, &everything, &walk, &err), &err);
    assert_int_equal(f->want.count, 3 * LOSSES + 3);
    assert_int_equal(wire_decoder_open(&f->decoder), 0);
    coverage_shelf_init(&f->shelf);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    coverage_shelf_close(&f->shelf);
    wire_decoder_close(f->decoder);
    tdk_tape_close(f->tape);
    folder_remove(f->path);
    free(f);
    return 0;
}

/* ---- answers ---- */

static void take_epoch(struct list *got, const char *track, struct wire_map epoch, bool cut)
{
    struct wire_list lost = {NULL, 0};
    uint64_t number = 0, ticks = 0, seq = 0, count = 0;
    struct wire_map row;
    assert_int_equal(wire_u64(epoch, "epoch", &number, NULL), 1);
    assert_int_equal(wire_u64(epoch, "ticks", &ticks, NULL), 1);
    assert_int_equal(ticks, LOSSES); /* all ticks of the epoch, also where its gaps go on */
    assert_int_equal(wire_list(epoch, "lost", &lost, NULL), 1);
    for (uint32_t i = 0; i < lost.count; i++) {
        assert_int_equal(wire_item_map(lost, i, &row, NULL), 1);
        assert_int_equal(wire_u64(row, "first_seq", &seq, NULL), 1);
        assert_int_equal(wire_u64(row, "count", &count, NULL), 1);
        add(got, track, number, seq, count);
    }
    if (!cut)
        add(got, track, number, UINT64_MAX, ticks);
}

static void take_track(struct list *got, struct wire_map track, const struct coverage_place *next)
{
    struct wire_list epochs = {NULL, 0};
    struct wire_map epoch;
    char name[TDK_NAME_MAX + 1];
    uint64_t number = 0;
    assert_int_equal(wire_string(track, "track", name, sizeof name, NULL), 1);
    assert_int_equal(wire_list(track, "epochs", &epochs, NULL), 1);
    for (uint32_t i = 0; i < epochs.count; i++) {
        assert_int_equal(wire_item_map(epochs, i, &epoch, NULL), 1);
        assert_int_equal(wire_u64(epoch, "epoch", &number, NULL), 1);
        take_epoch(got, name, epoch,
                   strcmp(next->track, name) == 0 && next->epoch == number &&
                       next->seq != UINT64_MAX);
    }
}

/* Take in one answer, and work out what to ask next. False: it was the last. */
static bool ask(struct fixture *f, struct coverage_wish *wish)
{
    struct text_buffer out;
    struct wire_message m;
    struct wire_list tracks = {NULL, 0};
    struct wire_map next = {NULL, 0}, track, params;
    struct tdk_err err;
    bool complete = true, more = false;
    text_init(&out);
    wire_begin_result(&out, 1);
    taping_ok(coverage_answer(f->tape, wish, &out, &err), &err);
    taping_ok(wire_decode(f->decoder, out.bytes, out.size, &m, &err), &err);
    params = m.params;
    wish->after = (struct coverage_place){.seq = 0};
    wish->walk = 0;
    assert_int_equal(wire_bool(params, "complete", &complete, NULL), 1);
    assert_int_equal(wire_bool(params, "more", &more, NULL), 1);
    assert_false(complete);
    assert_int_equal(wire_map(params, "next", &next, NULL), more);
    if (more) {
        assert_int_equal(
            wire_string(next, "track", wish->after.track, sizeof wish->after.track, NULL), 1);
        assert_int_equal(wire_u64(next, "epoch", &wish->after.epoch, NULL), 1);
        assert_int_equal(wire_u64(next, "seq", &wish->after.seq, NULL), 1);
        assert_int_equal(wire_u64(next, "walk", &wish->walk, NULL), 1);
    }
    assert_int_equal(wire_list(params, "tracks", &tracks, NULL), 1);
    for (uint32_t i = 0; i < tracks.count; i++) {
        assert_int_equal(wire_item_map(tracks, i, &track, NULL), 1);
        take_track(&f->got, track, &wish->after);
    }
    text_close(&out);
    f->pages++;
    assert_true(f->pages < PAGES_MAX);
    return more;
}

static void assert_all_told(const struct fixture *f)
{
    assert_int_equal(f->got.count, f->want.count);
    assert_memory_equal(f->got.items, f->want.items, f->want.count * sizeof f->want.items[0]);
}

static const atomic_bool never;

static struct coverage_wish wish_for(struct fixture *f)
{
    return (struct coverage_wish){.query = &everything, .shelf = &f->shelf, .stop = &never};
}

static void many_answers_cost_one_walk(void **state)
{
    struct fixture *f = *state;
    struct coverage_wish wish = wish_for(f);
    while (ask(f, &wish))
        ;
    assert_all_told(f);
    assert_true(f->pages > 3);
    assert_int_equal(f->shelf.walks, 1);
}

/* A caller with more gaps than a record holds causes one walk a record, wherever the record is
 * cut. */
static void a_record_that_is_cut_goes_on_with_the_next(void **state)
{
    struct fixture *f = *state;
    for (size_t size = 40 << 10; size <= 640 << 10; size += 24 << 10) {
        struct coverage_wish wish = wish_for(f);
        f->shelf.record_size = size;
        f->shelf.walks = 0;
        f->got.count = f->pages = 0;
        while (ask(f, &wish))
            ;
        assert_all_told(f);
        assert_in_range(f->shelf.walks, 1, f->pages);
    }
    assert_true(f->shelf.walks < f->pages);
}

static void who_does_not_say_the_walk_gets_the_same(void **state)
{
    struct fixture *f = *state;
    struct coverage_wish wish = wish_for(f);
    while (ask(f, &wish))
        wish.walk = 0;
    assert_all_told(f);
    assert_int_equal(f->shelf.walks, f->pages);
}

static void what_waits_is_of_one_range_and_not_for_ever(void **state)
{
    struct fixture *f = *state;
    const struct tdk_query other = {.to = UINT64_MAX - 1};
    struct coverage_wish wish = wish_for(f);
    assert_true(ask(f, &wish));
    uint64_t number = wish.walk;
    assert_null(coverage_shelf_take(&f->shelf, number, &other));
    assert_null(coverage_shelf_take(&f->shelf, number + 1, &everything));
    coverage_shelf_tend(&f->shelf, 0);
    struct coverage_record *record = coverage_shelf_take(&f->shelf, number, &everything);
    assert_non_null(record);
    assert_null(coverage_shelf_take(&f->shelf, number, &everything));
    coverage_shelf_put(&f->shelf, number, record, &everything);
    coverage_shelf_tend(&f->shelf, UINT64_MAX);
    assert_null(coverage_shelf_take(&f->shelf, number, &everything));
}

/* With one more than there are places, the oldest is dropped and has to be walked for again. */
static void the_oldest_makes_room(void **state)
{
    struct fixture *f = *state;
    struct coverage_wish first = wish_for(f);
    assert_true(ask(f, &first));
    for (unsigned i = 0; i < COVERAGE_SHELF_PLACES; i++) {
        struct coverage_wish other = wish_for(f);
        assert_true(ask(f, &other));
    }
    unsigned walks = COVERAGE_SHELF_PLACES + 1;
    assert_int_equal(f->shelf.walks, walks);
    assert_true(ask(f, &first));
    assert_int_equal(f->shelf.walks, walks + 1);
    assert_true(ask(f, &first));
    assert_int_equal(f->shelf.walks, walks + 1);
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(many_answers_cost_one_walk),
        TEST(a_record_that_is_cut_goes_on_with_the_next),
        TEST(who_does_not_say_the_walk_gets_the_same),
        TEST(what_waits_is_of_one_range_and_not_for_ever),
        TEST(the_oldest_makes_room),
    };
    return cmocka_run_group_tests_name("replayer.coverage_answer", tests, NULL, NULL);
}
