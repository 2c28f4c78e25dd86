#include "tests/support/check.h"

#include <string.h>

#include "replayer/piece.h"
#include "tests/support/dice.h"

static _Alignas(8) unsigned char memory[4096];
static unsigned char *fill_at;

static int setup(void **state)
{
    (void)state;
    memset(memory, 0, sizeof memory);
    fill_at = memory;
    return 0;
}

static struct tdk_frame *add(uint8_t type, uint32_t size, uint64_t ts)
{
    struct tdk_frame *frame = (struct tdk_frame *)(void *)fill_at;
    *frame = (struct tdk_frame){.size = size, .type = type, .ts = ts};
    fill_at += tdk_frame_span(size);
    return frame;
}

static const struct tdk_frame *first(void)
{
    return (const struct tdk_frame *)(void *)memory;
}

static const struct tdk_frame *end(void)
{
    return (const struct tdk_frame *)(void *)fill_at;
}

static void a_piece_is_as_many_frames_as_fit(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        add(TDK_TYPE_DBN, 40, 1);
    struct piece piece = piece_from(first(), end(), 3 * 64 + 63);
    assert_int_equal(piece.bytes, 3 * 64);
    assert_int_equal(piece.ticks, 3);
    piece = piece_from(first(), end(), 1 << 20);
    assert_int_equal(piece.bytes, 10 * 64);
}

/* Form a piece in the plainest way, to compare with. */
static struct piece walk(size_t max)
{
    struct piece piece = {.first = first()};
    for (const struct tdk_frame *at = first(); at < end(); at = tdk_frame_after(at)) {
        size_t span = tdk_frame_span(at->size);
        if (piece.bytes > 0 && (piece.bytes + span > max || !piece_takes(at)))
            break;
        piece.bytes += span;
        piece.ticks += tdk_frame_is_tick(at) ? 1 : 0;
        if (piece_is_timed(at))
            piece.last_ts = at->ts;
    }
    return piece;
}

static void ticks_alike_and_not_make_the_same_piece(void **state)
{
    (void)state;
    static const uint64_t times[] = {0, 5, 5, TDK_TS_UNDEFINED, 4, 9};
    struct dice dice = {1};
    for (unsigned round = 0; round < 3000; round++) {
        setup(NULL);
        unsigned kinds = 1 + round % 4; /* 1: all alike */
        for (int i = 0; i < 20; i++) {
            unsigned kind = dice_roll(&dice, kinds);
            struct tdk_frame *frame = add(kind == 3 ? TDK_TYPE_MARK : TDK_TYPE_DBN, 40 + 8 * kind,
                                          times[dice_roll(&dice, 6)]);
            frame->flags = dice_one_in(&dice, 4) ? TDK_FLAG_TS_UNTRUSTED : 0;
            frame->seq = (uint64_t)i;
        }
        size_t max = dice_roll(&dice, 1600);
        struct piece piece = piece_from(first(), end(), max), expected = walk(max);
        assert_int_equal(piece.bytes, expected.bytes);
        assert_int_equal(piece.ticks, expected.ticks);
        assert_int_equal(piece.last_ts, expected.last_ts);
        if (kinds > 1)
            continue;
        piece = piece_of_ticks(first(), end(), max, tdk_frame_span(40));
        assert_memory_equal(&piece, &expected, sizeof piece);
    }
}

static void a_piece_is_one_frame_at_least(void **state)
{
    (void)state;
    add(TDK_TYPE_OPAQUE, 1000, 1);
    add(TDK_TYPE_OPAQUE, 1000, 1);
    struct piece piece = piece_from(first(), end(), 0);
    assert_int_equal(piece.bytes, tdk_frame_span(1000));
    assert_int_equal(piece.ticks, 1);
}

static void a_piece_ends_before_what_a_replay_ring_does_not_get(void **state)
{
    (void)state;
    static const uint8_t left_out[] = {TDK_TYPE_EPOCH, TDK_TYPE_TRACK,   TDK_TYPE_JOIN,
                                       TDK_TYPE_END,   TDK_TYPE_PADDING, 0xFF};
    for (size_t i = 0; i < sizeof left_out; i++) {
        setup(NULL);
        add(TDK_TYPE_DBN, 40, 1);
        const struct tdk_frame *other = add(left_out[i], 16, 1);
        add(TDK_TYPE_DBN, 40, 1);
        assert_false(piece_takes(other));
        assert_int_equal(piece_from(first(), end(), 4096).bytes, 64);
    }
}

static void a_loss_is_taken_and_its_ticks_counted_apart(void **state)
{
    (void)state;
    add(TDK_TYPE_DBN, 40, 1);
    struct tdk_frame *frame = add(TDK_TYPE_LOSS, sizeof(struct tdk_loss), 2);
    ((struct tdk_loss *)(frame + 1))->count = 17;
    add(TDK_TYPE_LOSS, 8, 2); /* too short to be believed */
    struct piece piece = piece_from(first(), end(), 4096);
    assert_int_equal(piece.ticks, 1);
    assert_int_equal(piece.lost, 17);
    assert_ptr_equal((const unsigned char *)piece.first + piece.bytes, end());
}

static uint64_t ts_in(const unsigned char *copy, const struct tdk_frame *frame)
{
    uint64_t ts;
    const size_t at = (size_t)((const unsigned char *)frame - memory);
    memcpy(&ts, copy + at + offsetof(struct tdk_frame, ts), sizeof ts);
    return ts;
}

static void a_shift_moves_all_times_but_undefined_ones(void **state)
{
    (void)state;
    struct tdk_frame *a = add(TDK_TYPE_DBN, 40, 1000);
    struct tdk_frame *b = add(TDK_TYPE_DBN, 41, TDK_TS_UNDEFINED);
    struct tdk_frame *c = add(TDK_TYPE_LOSS, 48, 5000);
    const size_t bytes = (size_t)(fill_at - memory);
    unsigned char *copy = malloc(bytes);
    assert_non_null(copy);
    piece_copy_shifted(copy, first(), bytes, (uint64_t)-300);
    assert_int_equal(ts_in(copy, a), 700);
    assert_true(ts_in(copy, b) == TDK_TS_UNDEFINED);
    assert_int_equal(ts_in(copy, c), 4700);
    piece_copy_shifted(copy, first(), bytes, 0);
    assert_memory_equal(copy, memory, bytes);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_piece_is_as_many_frames_as_fit, setup),
        cmocka_unit_test_setup(ticks_alike_and_not_make_the_same_piece, setup),
        cmocka_unit_test_setup(a_piece_is_one_frame_at_least, setup),
        cmocka_unit_test_setup(a_piece_ends_before_what_a_replay_ring_does_not_get, setup),
        cmocka_unit_test_setup(a_loss_is_taken_and_its_ticks_counted_apart, setup),
        cmocka_unit_test_setup(a_shift_moves_all_times_but_undefined_ones, setup),
    };
    return cmocka_run_group_tests_name("replayer.piece", tests, NULL, NULL);
}
