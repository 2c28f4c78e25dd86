/* What is copied past the cache is what was there, and nothing beside it is touched. */
#include "tests/support/check.h"

#include <string.h>

#include "shm/past_cache.h"

enum { ROOM = 512, MARK = 0 }; /* 0: no byte of the source is */

static void every_size_at_every_place_is_copied_and_no_byte_more(void **state)
{
    (void)state;
    static _Alignas(64) unsigned char from[ROOM + 64], to[ROOM];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (unsigned char)(i % 255 + 1);
    for (size_t at = 0; at < 128; at += 8)
        for (size_t size = 0; at + size <= ROOM; size += 8) {
            const unsigned char *source = from + (at + size) % 64;
            memset(to, MARK, ROOM);
            past_cache_copy(to + at, source, size);
            assert_memory_equal(to + at, source, size);
            for (size_t i = 0; i < ROOM; i++)
                assert_true(to[i] == MARK || (i >= at && i < at + size));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_at_every_place_is_copied_and_no_byte_more),
    };
    return cmocka_run_group_tests_name("shm.past_cache", tests, NULL, NULL);
}
