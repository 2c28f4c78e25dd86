/* Large buffers: aligned, zeroed, whole, and given back. */
#include "tests/support/check.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffers.h"

#define MIB ((size_t)1 << 20)

static size_t resident(unsigned char *memory, size_t size)
{
    static unsigned char pages[8 * MIB / 4096];
    size_t count = 0, page = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(mincore(memory, size, pages), 0);
    for (size_t i = 0; i < size / page; i++)
        count += (pages[i] & 1) * page;
    return count;
}

static void a_buffer_is_aligned_and_zero_and_all_there(void **state)
{
    const size_t sizes[] = {1, 4096, 2 * MIB, 2 * MIB + 1, 5 * MIB};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *memory = buffers_map(sizes[i]);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % (2 * MIB), 0);
        assert_int_equal(resident(memory, 2 * MIB), 2 * MIB);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(memory[k], 0);
        memset(memory, 0xff, sizes[i]);
        buffers_unmap(memory, sizes[i]);
    }
    buffers_unmap(NULL, 4096);
}

static void nothing_is_left_of_one_that_is_given_back(void **state)
{
    unsigned char page;
    (void)state;
    unsigned char *memory = buffers_map(3 * MIB);
    assert_non_null(memory);
    buffers_unmap(memory, 3 * MIB);
    assert_int_equal(mincore(memory, 4096, &page), -1);
    assert_int_equal(mincore(memory + 4 * MIB - 4096, 4096, &page), -1);
}

static void what_cannot_be_had_is_an_error_and_no_signal(void **state)
{
    (void)state;
    errno = 0;
    assert_null(buffers_map((size_t)1 << 60));
    assert_int_equal(errno, ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_is_aligned_and_zero_and_all_there),
        cmocka_unit_test(nothing_is_left_of_one_that_is_given_back),
        cmocka_unit_test(what_cannot_be_had_is_an_error_and_no_signal),
    };
    return cmocka_run_group_tests_name("base.buffers", tests, NULL, NULL);
}
