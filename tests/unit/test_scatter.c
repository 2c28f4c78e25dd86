/* Ids that somebody chose to meet in one slot of a table do not meet in ours. */
#include "tests/support/check.h"

#include <stdlib.h>

#include "tape/scatter.h"

enum { IDS = 16384, SLOTS = 32768 };

/* The cost of a table with linear probing: the slots looked at for all ids, in the order they
 * come. */
static uint64_t steps_of(uint32_t (*id)(uint32_t i))
{
    struct scatter scatter;
    unsigned char *taken = calloc(SLOTS, 1);
    uint64_t steps = 0;
    scatter_init(&scatter);
    for (uint32_t i = 0; i < IDS; i++) {
        uint32_t at = scatter_of(&scatter, id(i)) >> 17;
        for (; taken[at]; at = (at + 1) % SLOTS)
            steps++;
        taken[at] = 1;
    }
    free(taken);
    return steps;
}

static uint32_t row(uint32_t i)
{
    return 1000 + i;
}

static uint32_t stride(uint32_t i)
{
    return 4096 * i;
}

/* Ids of one slot under the multiplication that tables of this size mostly use. They are made with
 * its inverse. */
static uint32_t meeting(uint32_t i)
{
    return (UINT32_C(77) << 17 | i) * UINT32_C(0x0e8b2f51);
}

static void ids_of_any_kind_are_spread(void **state)
{
    (void)state;
    uint32_t (*const kinds[])(uint32_t) = {row, stride, meeting};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (int again = 0; again < 200; again++)
            assert_true(steps_of(kinds[i]) < 2 * IDS); /* 0.5 by chance; 8000 in one slot */
}

static void two_tables_are_not_alike(void **state)
{
    struct scatter a, b;
    (void)state;
    scatter_init(&a);
    scatter_init(&b);
    unsigned same = 0;
    for (uint32_t i = 0; i < 1000; i++)
        same += scatter_of(&a, i) >> 17 == scatter_of(&b, i) >> 17;
    assert_true(same < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_any_kind_are_spread),
        cmocka_unit_test(two_tables_are_not_alike),
    };
    return cmocka_run_group_tests_name("tape.scatter", tests, NULL, NULL);
}
