/* Receive times: what comes out is what went in, with and without wide registers. Nothing comes out
 * of too few bytes. */
#include "tape/stamps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "tape/wide.h"
#include "tests/support/dice.h"

enum { COUNT = 4096 + 77 };

static struct dice dice;

static uint64_t draw(void)
{
    return dice_next(&dice);
}

/* Distances of at most `bytes` bytes each. One in `rare` has up to `more` bytes. */
struct plan {
    unsigned bytes, more, rare;
    bool is_signed;
};

static void make(const struct plan *plan, uint64_t *stamps, uint32_t count)
{
    uint64_t ts = UINT64_C(1) << 62;
    for (uint32_t i = 0; i < count; i++) {
        unsigned bytes = plan->rare > 0 && draw() % plan->rare == 0
                             ? plan->more
                             : (unsigned)(draw() % (plan->bytes + 1));
        uint64_t step = bytes == 0 ? 0 : draw() >> (64 - 8 * bytes);
        ts = plan->is_signed && draw() % 2 == 0 ? ts - step : ts + step;
        stamps[i] = ts;
    }
}

/* Read from a buffer that ends where the times do. */
static void check(const struct plan *plan, uint32_t count)
{
    static struct stamps stamps;
    uint64_t told[COUNT], read[STAMPS_STRIDE];
    unsigned char *room = malloc(stamps_bound(count));
    assert_non_null(room);
    make(plan, told, count);
    size_t size = stamps_write(told, count, room);
    assert_true(size % 8 == 0 && size <= stamps_bound(count));
    unsigned char *bytes = realloc(room, size);
    assert_non_null(bytes);
    assert_true(stamps_open(&stamps, bytes, size, count));
    for (uint32_t at = 0; at * STAMPS_STRIDE < count; at++) {
        uint32_t rest = count - at * STAMPS_STRIDE;
        size_t n = rest < STAMPS_STRIDE ? rest : STAMPS_STRIDE;
        assert_true(stamps_read(&stamps, at, read));
        assert_memory_equal(read, told + (size_t)at * STAMPS_STRIDE, n * sizeof *read);
    }
    free(bytes);
}

static void times_come_out_as_they_went_in(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 5, 127, 128, 129, 1000, COUNT};
    for (unsigned bytes = 0; bytes <= 7; bytes++)
        for (int is_signed = 0; is_signed < 2; is_signed++)
            for (size_t i = 0; i < array_size(counts); i++) {
                const struct plan plan = {.bytes = bytes, .is_signed = is_signed != 0};
                check(&plan, counts[i]);
            }
}

static void a_pause_here_and_there_is_no_harm(void **state)
{
    (void)state;
    for (unsigned more = 4; more <= 7; more++)
        for (unsigned rare = 10; rare <= 1000; rare *= 10) {
            check(&(struct plan){.bytes = 3, .more = more, .rare = rare}, COUNT);
            check(&(struct plan){.bytes = 2, .more = more, .rare = rare, .is_signed = true}, COUNT);
        }
}

/* This holds whatever the tables at the beginning of the data say. */
static void nothing_is_read_from_behind_the_data(void **state)
{
    (void)state;
    static struct stamps stamps;
    uint64_t told[COUNT], read[STAMPS_STRIDE];
    unsigned char *bytes = malloc(stamps_bound(COUNT));
    assert_non_null(bytes);
    make(&(struct plan){.bytes = 4}, told, COUNT);
    const size_t size = stamps_write(told, COUNT, bytes);
    for (size_t i = 0; i < 3000; i++) {
        size_t at = draw() % (i % 2 == 0 ? 16 : size);
        unsigned char *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, bytes, size);
        copy[at] = (unsigned char)draw();
        if (stamps_open(&stamps, copy, size, COUNT))
            for (uint32_t s = 0; s * STAMPS_STRIDE < COUNT; s++)
                if (!stamps_read(&stamps, s, read))
                    break;
        free(copy);
    }
    assert_false(stamps_open(&stamps, bytes, 24, COUNT));
    store_u32(bytes + 8, (uint32_t)size);
    assert_false(stamps_open(&stamps, bytes, size, COUNT));
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_come_out_as_they_went_in),
        cmocka_unit_test(a_pause_here_and_there_is_no_harm),
        cmocka_unit_test(nothing_is_read_from_behind_the_data),
    };
    int failed = cmocka_run_group_tests_name("tape.stamps", tests, NULL, NULL);
    wide_is_off = true; /* where there are wide registers, both ways are tested */
    return failed + cmocka_run_group_tests_name("tape.stamps.narrow", tests, NULL, NULL);
}
