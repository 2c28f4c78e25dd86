/*
 * An index that lies. Each entry in turn states another place, size or count, or is no entry at
 * all, and the clean mark vouches for it. What is served must still be right, and what is not
 * served must be reported.
 */
#include "tests/support/check.h"

#include <string.h>

#include "index/store.h"
#include "tests/support/taping.h"
#include "tests/support/whole.h"

enum { TICKS = 300, BLOCKS_MAX = 32 };

struct fixture {
    char tape[FOLDER_PATH];
    struct folder folder;
    struct block_ref refs[BLOCKS_MAX];
    int count;
    uint64_t next; /* the next tick's payload must be at least this */
    unsigned served, damaged;
};

static struct index *open_index(const struct fixture *f)
{
    struct index *index;
    struct tdk_err err;
    taping_ok(index_open(&index, f->folder.index, f->folder.tape_id, true, &err), &err);
    return index;
}

static int note_epoch(const struct epoch_ref *epoch, void *context)
{
    struct index_range *range = context;
    range->track = epoch->track;
    range->epoch = epoch->epoch;
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct index_range range = {.to = UINT64_MAX};
    struct tdk_err err;
    folder_make(f->tape);
    taping_make(f->tape, TICKS, 4096, 16 << 10);
    taping_ok(folder_open(&f->folder, f->tape, &err), &err);
    struct index *index = open_index(f);
    taping_ok(index_epochs(index, 1, note_epoch, &range, &err), &err);
    f->count = index_find(index, &range, NULL, false, f->refs, BLOCKS_MAX, &err);
    assert_true(f->count > 3);
    index_close(index);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    folder_remove(f->tape);
    free(f);
    return 0;
}

/* Put an entry into the index and mark the index as clean. */
static void put(const struct fixture *f, const struct block_ref *ref)
{
    struct tdk_err err;
    struct index *index = open_index(f);
    index_begin(index, &err);
    index_put_block(index, ref, &err);
    taping_ok(index_commit(index, &err), &err);
    taping_ok(index_sync(index, &err), &err);
    index_close(index);
    taping_ok(folder_mark_clean(&f->folder, f->refs[f->count - 1].segment, &err), &err);
}

static int look_at(const struct tdk_run *run, const struct tdk_frame *frame, void *context)
{
    struct fixture *f = context;
    uint32_t value;
    (void)run;
    if (!tdk_frame_is_tick(frame))
        return 0;
    memcpy(&value, tdk_frame_payload(frame), sizeof value);
    if (value < f->next || frame->seq != value + 1 || frame->ts != TAPING_NOW + value)
        return 1;
    f->next = value + 1;
    f->served++;
    return 0;
}

static void check_served(struct fixture *f, int i, const char *lie)
{
    struct tdk_err err = {.text = ""};
    f->next = f->served = f->damaged = 0;
    int rc = whole_read(f->tape, look_at, f, &f->damaged, &err);
    if (rc == 1)
        fail_msg("%s of block %d: what is no tick there was served", lie, i);
    if (f->served < TICKS && f->damaged == 0 && rc == 0)
        fail_msg("%s of block %d: %u of %u ticks were served, and nothing told", lie, i, f->served,
                 TICKS);
    if (f->served + f->refs[i].count < TICKS)
        fail_msg("%s of block %d: %u of %u ticks were served: %s", lie, i, f->served, TICKS,
                 err.text);
}

static void a_lie_about_a_blocks_place_or_size_is_not_believed(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < f->count; i++) {
        const struct block_ref *truth = &f->refs[i], *other = &f->refs[(i + 1) % f->count];
        struct block_ref lies[10];
        const char *const names[10] = {"the place",  "the segment", "the offset", "the span",
                                       "no span",    "the size",    "no size",    "the count",
                                       "the frames", "the number"};
        for (int k = 0; k < 10; k++)
            lies[k] = *truth;
        lies[0].segment = other->segment;
        lies[0].offset = other->offset;
        lies[1].segment = 7;
        lies[2].offset += 8;
        lies[3].span = 1u << 31;
        lies[4].span = 0;
        lies[5].stored_size = 1u << 30;
        lies[6].stored_size = 0;
        lies[7].count++;
        lies[8].frames_size = UINT64_C(1) << 40;
        lies[9].block += 3;
        for (int k = 0; k < 10; k++) {
            put(f, &lies[k]);
            check_served(f, i, names[k]);
        }
        put(f, truth);
    }
    check_served(f, 0, "the truth");
    assert_int_equal(f->served, TICKS);
}

/* Replace a block's entry by a value that is too short for an entry. */
static void put_short(const struct fixture *f, const struct block_ref *ref)
{
    struct tdk_err err;
    struct store *store;
    struct batch batch = {0};
    struct key key;
    key_block(&key, KEY_BLOCK, ref);
    assert_int_equal(batch_put(&batch, &key, "short", 5), 0);
    taping_ok(store_open(&store, f->folder.index, true, &err), &err);
    taping_ok(store_write(store, &batch, &err), &err);
    taping_ok(store_sync(store, &err), &err);
    store_close(store);
    batch_close(&batch);
    taping_ok(folder_mark_clean(&f->folder, f->refs[f->count - 1].segment, &err), &err);
}

static void an_entry_that_is_none_is_told_and_ends_every_answer(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < f->count; i++)
        for (int mode = 0; mode < 3; mode++) {
            const struct tdk_query query = {
                .to = UINT64_MAX, .reverse = mode == 1, .count_only = mode == 2};
            struct tdk_tape *tape;
            struct tdk_cursor *cursor;
            struct tdk_run run;
            struct tdk_err err;
            uint64_t ticks = 0;
            int turns = 0, told = 0, rc;
            put_short(f, &f->refs[i]);
            taping_ok(tdk_tape_open(&tape, f->tape, &err), &err);
            taping_ok(tdk_cursor_open(&cursor, tape, &query, &err), &err);
            while ((rc = tdk_cursor_read(cursor, &run, &err)) != 0 && turns++ < 2 * TICKS) {
                ticks += rc == 1 ? run.ticks : 0;
                told += rc == TDK_ECORRUPT;
            }
            assert_int_equal(rc, 0);
            assert_true(told > 0 && ticks < TICKS);
            tdk_cursor_close(cursor);
            tdk_tape_close(tape);
            put(f, &f->refs[i]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lie_about_a_blocks_place_or_size_is_not_believed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_entry_that_is_none_is_told_and_ends_every_answer, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("crash.lying_index", tests, NULL, NULL);
}
