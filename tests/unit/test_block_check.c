/* Blocks that are read back: whole, flipped, cut, made by a stranger, packed. */
#include "tests/support/check.h"

#include <string.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tests/support/dice.h"
#include "tests/support/feeding.h"

/* Every byte is under a checksum or is a mistake: flip each, one at a time. */
static void block_check_finds_a_flip_in_any_byte(void **state)
{
    struct feeding *f = *state;
    struct block_view view;
    feed_market(f, 40);
    feed_bytes(f, "and another", 11);
    size_t taken;
    assert_int_equal(feed_add(f, &taken), BLOCK_TAKEN);
    size_t size = block_seal(&f->block);
    memset(f->bytes + size, 0, 512);
    f->place.span = (uint32_t)size + 512;
    block_finish(f->bytes, &f->place);
    assert_int_equal(block_check(f->bytes, f->place.span, &view, NULL), 0);
    for (size_t i = 0; i < f->place.span; i++)
        for (int bit = 0; bit < 8; bit += 7) {
            f->bytes[i] ^= (unsigned char)(1 << bit);
            assert_int_equal(block_check(f->bytes, f->place.span, &view, NULL), TDK_ECORRUPT);
            f->bytes[i] ^= (unsigned char)(1 << bit);
        }
    assert_int_equal(block_check(f->bytes, f->place.span, &view, NULL), 0);
}

/* The first frame can still be read as long as the damage lies after the first frame's chunk. */
static void first_frame_is_had_unless_it_may_have_rotted(void **state)
{
    struct feeding *f = *state;
    feed_market(f, 200);
    struct block_view view = feed_seal_all(f);
    const size_t size = f->place.span, first = sizeof(struct block_head);
    const size_t second = first + BLOCK_CHUNK, tail = first + view.head->frames_size;
    assert_true(tail > second + BLOCK_CHUNK);
    for (size_t i = 0; i < first + view.head->stored_size; i += 3) {
        f->bytes[i] ^= 0x20;
        const struct tdk_frame *frame = block_first_frame(f->bytes, size);
        f->bytes[i] ^= 0x20;
        if (i >= second && i < tail)
            assert_ptr_equal(frame, view.frames);
        else
            assert_null(frame);
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_null(block_first_frame(f->bytes, cut));
}

static void block_check_finds_every_cut(void **state)
{
    struct feeding *f = *state;
    struct block_view view;
    feed_market(f, 40);
    feed_seal_all(f);
    for (size_t size = 0; size < f->place.span; size++)
        assert_int_equal(block_check(f->bytes, size, &view, NULL), TDK_ECORRUPT);
}

static void zeros_are_no_block(void **state)
{
    struct feeding *f = *state;
    struct block_view view;
    memset(f->bytes, 0, sizeof f->bytes);
    assert_int_equal(block_check(f->bytes, sizeof f->bytes, &view, NULL), TDK_ECORRUPT);
}

/* Correct all checksums over bytes that were changed. Only contradictions in the contents are
 * left. */
static void sum_contents(unsigned char *bytes)
{
    struct block_head *head = (void *)bytes;
    unsigned char *frames = bytes + sizeof *head, *tail = frames + head->frames_size;
    uint32_t entries = load_u32(tail);
    crc32c_chunks(frames, head->frames_size, BLOCK_CHUNK, (void *)(tail + head->directory_size));
    if (entries < 20)
        head->entries_crc = crc32c(0, tail, 16 + 8 * entries);
    head->tail_crc = crc32c(0, tail, head->stored_size - head->frames_size);
}

static void sum_head(unsigned char *bytes)
{
    struct block_head *head = (void *)bytes;
    head->head_crc = 0;
    head->head_crc = crc32c(0, head, sizeof *head);
}

/* A stranger may have computed the checksums. Then a change is refused or harmless, and never a
 * crash. */
static void block_with_right_sums_and_wrong_contents_does_no_harm(void **state)
{
    struct feeding *f = *state;
    struct block_view view;
    struct dice dice = {1};
    for (unsigned i = 0; i < 50; i++) {
        feed_trade(f, 10 + i % 5, FEED_NOW + i);
        if (i % 9 == 0)
            feed_bytes(f, "something else", 14);
    }
    feed_seal_all(f);
    size_t size = f->place.span;
    unsigned char *good = malloc(size);
    memcpy(good, f->bytes, size);
    for (int round = 0; round < 40000; round++) {
        memcpy(f->bytes, good, size);
        size_t at = dice_next(&dice) % size;
        f->bytes[at] ^= (unsigned char)(1 + dice_next(&dice) % 255);
        if (at >= sizeof(struct block_head))
            sum_contents(f->bytes);
        sum_head(f->bytes);
        (void)block_first_frame(f->bytes, size);
        if (block_check(f->bytes, size, &view, NULL) < 0)
            continue;
        struct directory_walk walk;
        directory_check(&view);
        for (uint32_t id = 9; id < 16; id++)
            if (directory_find(&view, id, &walk) > 0)
                while (directory_next(&walk) >= 0)
                    ;
    }
    free(good);
}

static void packed_block_comes_back_as_it_was(void **state)
{
    struct feeding *f = *state;
    feed_market(f, 1000);
    struct block_view raw = feed_seal_all(f);
    size_t plain_size = (size_t)raw.head->frames_size + raw.head->directory_size;
    unsigned char *packed = calloc(1, FEED_ROOM), *plain = malloc(plain_size);
    struct block_head head = *raw.head;
    size_t stored =
        ZSTD_compress(packed + sizeof head, FEED_ROOM - sizeof head, raw.frames, plain_size, 3);
    assert_false(ZSTD_isError(stored));
    head.codec = BLOCK_ZSTD;
    head.entries_crc = 0;
    head.stored_size = (uint32_t)stored;
    head.tail_crc = crc32c(0, packed + sizeof head, stored);
    head.span = (uint32_t)align_up(sizeof head + stored, 8);
    head.head_crc = 0;
    head.head_crc = crc32c(0, &head, sizeof head);
    memcpy(packed, &head, sizeof head);

    struct block_view view;
    assert_int_equal(block_check(packed, head.span, &view, NULL), 0);
    assert_null(view.frames);
    assert_true(block_unpack(packed, NULL, plain, plain_size - 1, &view, NULL) < 0);
    assert_int_equal(block_unpack(packed, NULL, plain, plain_size, &view, NULL), 0);
    assert_memory_equal(view.frames, raw.frames, raw.head->frames_size);
    assert_int_equal(directory_check(&view), 0);

    /* The size that the block unpacks to is checked before anything is unpacked. */
    head.frames_size -= 8;
    memcpy(packed, &head, sizeof head);
    assert_int_equal(block_unpack(packed, NULL, plain, plain_size, &view, NULL), TDK_ECORRUPT);
    free(plain);
    free(packed);
}

static void block_of_another_place_is_not_the_one_meant(void **state)
{
    struct feeding *f = *state;
    struct block_ref ref;
    feed_market(f, 3);
    struct block_view view = feed_seal_all(f);
    block_ref_of(view.head, 4096, &ref);
    assert_true(block_is_ref(view.head, &ref));
    f->place.block++;
    block_finish(f->bytes, &f->place);
    assert_false(block_is_ref((const void *)f->bytes, &ref));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, feeding_setup, feeding_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(block_check_finds_a_flip_in_any_byte),
        TEST(first_frame_is_had_unless_it_may_have_rotted),
        TEST(block_check_finds_every_cut),
        TEST(zeros_are_no_block),
        TEST(block_with_right_sums_and_wrong_contents_does_no_harm),
        TEST(packed_block_comes_back_as_it_was),
        TEST(block_of_another_place_is_not_the_one_meant),
    };
    return cmocka_run_group_tests_name("tape.block_check", tests, NULL, NULL);
}
