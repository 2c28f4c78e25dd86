#include "tests/support/check.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/crc32c_inner.h"

static void crc32c_gives_the_published_values(void **state)
{
    (void)state;
    unsigned char zeros[32] = {0}, ones[32], up[32];
    memset(ones, 0xff, sizeof ones);
    for (unsigned char i = 0; i < 32; i++)
        up[i] = i;
    /* RFC 3720, B.4 */
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43);
    assert_int_equal(crc32c(0, up, 32), 0x46dd794e);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
}

static void crc32c_is_the_same_at_every_size_and_alignment(void **state)
{
    (void)state;
    static unsigned char bytes[40000];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)((seed = seed * 1664525u + 1013904223u) >> 24);
    for (size_t size = 0; size + 8 < sizeof bytes; size += size < 3000 ? 1 : 997) {
        size_t at = size % 8;
        assert_int_equal(crc32c(7, bytes + at, size), crc32c_plain(7, bytes + at, size));
        assert_int_equal(crc32c_instruction(7, bytes + at, size), crc32c(7, bytes + at, size));
    }
}

static void crc32c_goes_on_from_part_to_part(void **state)
{
    (void)state;
    const char *text = "the quick brown fox jumps over the lazy dog";
    size_t size = strlen(text);
    for (size_t cut = 0; cut <= size; cut++) {
        uint32_t a = crc32c(0, text, cut);
        assert_int_equal(crc32c(a, text + cut, size - cut), crc32c(0, text, size));
    }
}

static void crc32c_of_chunks_is_that_of_each(void **state)
{
    (void)state;
    static unsigned char bytes[8 * 1024 + 100];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 31 >> 3);
    for (size_t size = 0; size <= sizeof bytes; size += 41) {
        uint32_t crcs[9];
        crc32c_chunks(bytes, size, 1024, crcs);
        for (size_t at = 0; at < size; at += 1024) {
            size_t n = size - at < 1024 ? size - at : 1024;
            assert_int_equal(crcs[at / 1024], crc32c(0, bytes + at, n));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_published_values),
        cmocka_unit_test(crc32c_is_the_same_at_every_size_and_alignment),
        cmocka_unit_test(crc32c_goes_on_from_part_to_part),
        cmocka_unit_test(crc32c_of_chunks_is_that_of_each),
    };
    int failed = cmocka_run_group_tests_name("base.crc32c", tests, NULL, NULL);
    crc32c_narrow(); /* where there are wide registers, both ways are tested */
    return failed + cmocka_run_group_tests_name("base.crc32c.narrow", tests, NULL, NULL);
}
