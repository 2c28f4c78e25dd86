/* The keys of the index: their bytes sort as what they stand for. */
#include "tests/support/check.h"

#include <string.h>

#include "base/bytes.h"
#include "index/key.h"
#include "tests/support/indexing.h"

static void key_sorts_blocks_by_time_then_seq(void **state)
{
    const uint64_t values[] = {0, 1, 255, 256, UINT32_MAX, UINT64_C(1) << 40, UINT64_MAX};
    struct key last = {0};
    (void)state;
    for (size_t i = 0; i < array_size(values); i++)
        for (size_t j = 0; j < array_size(values); j++) {
            struct block_ref block = indexing_block(values[i], values[j]);
            struct key key;
            key_block(&key, KEY_BLOCK, &block);
            assert_int_equal(key.size, KEY_BLOCK_SIZE);
            assert_true(key_compare(&last, &key) < 0);
            last = key;
        }
}

static void key_of_a_track_begins_the_keys_of_its_epochs(void **state)
{
    struct key track, epoch;
    (void)state;
    key_of_track(&track, KEY_SYMBOL, 0x1234);
    key_epoch(&epoch, KEY_SYMBOL, 0x1234, 99);
    assert_int_equal(epoch.size, KEY_EPOCH_SIZE);
    assert_memory_equal(epoch.bytes, track.bytes, track.size);
}

static void key_refuses_a_property_name_that_is_too_long(void **state)
{
    char name[KEY_MAX + 1];
    struct key key;
    (void)state;
    memset(name, 'x', sizeof name);
    name[KEY_MAX - KEY_EPOCH_SIZE + 1] = '\0';
    assert_false(key_info(&key, 1, 1, name));
    name[KEY_MAX - KEY_EPOCH_SIZE] = '\0';
    assert_true(key_info(&key, 1, 1, name));
    assert_int_equal(key.size, KEY_MAX);
    assert_false(key_info(&key, 1, 1, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_sorts_blocks_by_time_then_seq),
        cmocka_unit_test(key_of_a_track_begins_the_keys_of_its_epochs),
        cmocka_unit_test(key_refuses_a_property_name_that_is_too_long),
    };
    return cmocka_run_group_tests_name("index.key", tests, NULL, NULL);
}
