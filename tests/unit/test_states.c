/* Which state the blocks of a segment have: the lists are made, packed, read back, refused. */
#include "tests/support/taping.h"

#include <errno.h>
#include <stdlib.h>

#include "tape/kinds.h"
#include "tape/states.h"

enum { ROOM = 64 << 10, BLOCKS = 3 };
#define HERE KINDS_PRESENT

struct fixture {
    struct block_scratch scratch;
    struct states_maker *maker;
    struct block_ref refs[BLOCKS];
    size_t blocks;
    _Alignas(8) unsigned char buffer[ROOM];
    struct block block;
    struct track_state state;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    block_scratch_init(&f->scratch);
    f->maker = states_maker_open();
    assert_non_null(f->maker);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    states_maker_close(f->maker);
    free(f);
    return 0;
}

static void begin(struct fixture *f, uint16_t track, uint64_t epoch)
{
    f->state = (struct track_state){.track = track, .epoch = epoch, .next_seq = 1};
    block_begin(&f->block, f->buffer, ROOM, &f->scratch, &f->state, TAPING_NOW);
}

static void add(struct fixture *f, uint8_t rtype, uint32_t size, uint32_t instrument_id)
{
    unsigned char payload[128] = {(unsigned char)(size / 4), rtype};
    memcpy(payload + 4, &instrument_id, sizeof instrument_id);
    assert_true(block_add_tick(&f->block, TDK_TYPE_DBN, 0, TAPING_NOW, payload, size));
}

static void end(struct fixture *f)
{
    block_seal(&f->block);
    struct block_view view = block_view_of(f->buffer);
    states_note(f->maker, &view);
    block_ref_of(view.head, 0, &f->refs[f->blocks]);
    f->refs[f->blocks++].segment = 5;
}

/* Trades are kind 1, mbp-1 are kind 2, status is 0x100. */
static void make_three(struct fixture *f)
{
    begin(f, 1, 70);
    add(f, TDK_RTYPE_TRADES, 48, 9);
    add(f, TDK_RTYPE_MBP_1, 80, 9);
    add(f, TDK_RTYPE_MBO, 56, 11); /* no state */
    add(f, TDK_RTYPE_MBP_1, 80, 7);
    add(f, TDK_RTYPE_TRADES, 48, 0); /* of no instrument */
    end(f);
    begin(f, 2, 70);
    add(f, TDK_RTYPE_TRADES, 48, 9);
    end(f);
    begin(f, 1, 70);
    add(f, TDK_RTYPE_STATUS, 40, 4000000000u);
    add(f, TDK_RTYPE_TRADES, 48, 7);
    end(f);
}

static void take(struct fixture *f, struct states *states)
{
    states_take(f->maker, f->blocks, states);
    assert_int_equal(states->kinds, KINDS_TOLD);
}

static void assert_block(const struct states *states, size_t block, const struct known *expected,
                         size_t count)
{
    static struct known items[BLOCK_ENTRIES_MAX];
    assert_int_equal(states_of_block(states, block, items), count);
    assert_memory_equal(items, expected, count * sizeof *expected);
}

static void each_block_has_its_instruments_and_their_kinds(void **state)
{
    struct fixture *f = *state;
    struct states states;
    make_three(f);
    take(f, &states);
    assert_block(&states, 0, (const struct known[]){{7, HERE | 2}, {9, HERE | 3}, {11, HERE}}, 3);
    assert_block(&states, 1, (const struct known[]){{9, HERE | 1}}, 1);
    assert_block(&states, 2, (const struct known[]){{7, HERE | 1}, {4000000000u, HERE | 0x100}}, 2);
    states_close(&states);
}

static bool have(const struct states *states, size_t block, uint32_t a, uint32_t b)
{
    return states_have(states, block, (const uint32_t[]){a, b}, 2);
}

static void a_block_says_whether_it_has_one_of_some(void **state)
{
    struct fixture *f = *state;
    struct states states;
    make_three(f);
    take(f, &states);
    assert_true(have(&states, 0, 7, 8));
    assert_true(have(&states, 0, 8, 9));
    assert_true(have(&states, 0, 10, 11));
    assert_false(have(&states, 0, 8, 10));
    assert_false(have(&states, 0, 12, 4000000000u));
    assert_false(have(&states, 0, 1, 6));
    assert_true(have(&states, 2, 8, 4000000000u));
    assert_false(have(&states, 2, 8, 4000000001u));
    assert_false(states_have(&states, 1, NULL, 0));
    states_close(&states);
}

/* An older segment lists state alone. What is not in its list may still be in the block. */
static void an_older_list_has_no_more_than_it_says(void **state)
{
    struct states states;
    unsigned char *bytes = malloc(3);
    (void)state;
    assert_non_null(bytes);
    memcpy(bytes, (const unsigned char[]){1, 9, 3}, 3);
    assert_int_equal(states_open(&states, bytes, 3, 1, KINDS_ALL), 0);
    assert_block(&states, 0, (const struct known[]){{9, 3}}, 1);
    assert_int_equal(states.kinds & KINDS_PRESENT, 0);
    states_close(&states);
}

struct seen {
    unsigned count;
    uint32_t of_7, of_9[3], of_11, of_last;
};

static int see(const struct state_ref *told, void *context)
{
    struct seen *seen = context;
    assert_int_equal(told->segment, 5);
    assert_int_equal(told->epoch, 70);
    seen->count++;
    if (told->instrument_id == 7)
        seen->of_7 = told->kinds;
    else if (told->instrument_id == 11)
        seen->of_11 = told->kinds;
    else if (told->instrument_id == 9)
        seen->of_9[told->track] = told->kinds;
    else
        seen->of_last = told->kinds;
    return 0;
}

static void a_segment_has_of_an_instrument_what_its_blocks_have(void **state)
{
    struct fixture *f = *state;
    struct states states;
    struct seen seen = {.count = 0};
    make_three(f);
    take(f, &states);
    assert_int_equal(states_each(&states, f->refs, see, &seen), 0);
    assert_int_equal(seen.count, 5);
    assert_int_equal(seen.of_7, HERE | 3);
    assert_int_equal(seen.of_9[1], HERE | 3);
    assert_int_equal(seen.of_9[2], HERE | 1);
    assert_int_equal(seen.of_11, HERE);
    assert_int_equal(seen.of_last, HERE | 0x100);
    states_close(&states);
}

static void a_block_that_was_not_noted_is_missed(void **state)
{
    struct fixture *f = *state;
    struct states states;
    make_three(f);
    states_take(f->maker, BLOCKS + 1, &states);
    assert_int_equal(states.kinds, 0);
    states_close(&states);
}

static int open_copy(const void *bytes, size_t size, size_t blocks, uint32_t told)
{
    struct states states = {.bytes = NULL};
    unsigned char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    int rc = states_open(&states, copy, size, blocks, told);
    states_close(&states);
    return rc;
}

static void what_is_cut_or_counts_wrongly_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t size;
    make_three(f);
    const unsigned char *made = states_made(f->maker, BLOCKS, &size);
    assert_non_null(made);
    assert_int_equal(open_copy(made, size, BLOCKS, KINDS_TOLD), 0);
    assert_int_equal(open_copy(made, size, BLOCKS, KINDS_ALL), TDK_ECORRUPT); /* 11 has no state */
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(open_copy(made, cut, BLOCKS, KINDS_TOLD), TDK_ECORRUPT);
    assert_int_equal(open_copy(made, size, BLOCKS - 1, KINDS_TOLD), TDK_ECORRUPT);
    assert_int_equal(open_copy(made, size, BLOCKS + 1, KINDS_TOLD), TDK_ECORRUPT);
    assert_int_equal(open_copy(made, size, BLOCKS, HERE | 3),
                     TDK_ECORRUPT); /* a kind that nobody looked for */
}

static void lists_that_go_back_or_overflow_are_refused(void **state)
{
    (void)state;
    const unsigned char twice[] = {2, 9, 1, 0, 1};
    const unsigned char no_kind[] = {1, 9, 0};
    const unsigned char tells_itself[] = {1, 9, 0x80, 0x80, 0x01}; /* KINDS_PRESENT */
    const unsigned char too_large[] = {1, 0xff, 0xff, 0xff, 0xff, 0x1f, 1};
    const unsigned char past_all[] = {2, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1, 1};
    const unsigned char endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    const unsigned char whole[] = {2, 9, 1, 1, 1};
    assert_int_equal(open_copy(twice, sizeof twice, 1, KINDS_ALL), TDK_ECORRUPT);
    assert_int_equal(open_copy(no_kind, sizeof no_kind, 1, KINDS_ALL), TDK_ECORRUPT);
    assert_int_equal(open_copy(no_kind, sizeof no_kind, 1, KINDS_TOLD), 0);
    assert_int_equal(open_copy(tells_itself, sizeof tells_itself, 1, KINDS_TOLD), TDK_ECORRUPT);
    assert_int_equal(open_copy(too_large, sizeof too_large, 1, KINDS_ALL), TDK_ECORRUPT);
    assert_int_equal(open_copy(past_all, sizeof past_all, 1, KINDS_ALL), TDK_ECORRUPT);
    assert_int_equal(open_copy(endless, sizeof endless, 1, KINDS_ALL), TDK_ECORRUPT);
    assert_int_equal(open_copy(whole, sizeof whole, 1, KINDS_ALL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_block_has_its_instruments_and_their_kinds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_block_says_whether_it_has_one_of_some, setup, teardown),
        cmocka_unit_test(an_older_list_has_no_more_than_it_says),
        cmocka_unit_test_setup_teardown(a_segment_has_of_an_instrument_what_its_blocks_have, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_block_that_was_not_noted_is_missed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_cut_or_counts_wrongly_is_refused, setup, teardown),
        cmocka_unit_test(lists_that_go_back_or_overflow_are_refused),
    };
    return cmocka_run_group_tests_name("tape.states", tests, NULL, NULL);
}
