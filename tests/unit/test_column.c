/* Columns, in planes and in bits: values come out as they went in, and a column that contradicts
 * itself is refused. */
#include "tape/column.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "tape/wide.h"
#include "tests/support/dice.h"

static struct dice dice;

static uint64_t draw(void)
{
    return dice_next(&dice);
}

struct made {
    uint64_t values[COLUMN_TICKS_MAX], read[COLUMN_TICKS_MAX];
    uint32_t count;
    uint16_t starts[64];
    struct column_strands strands;
    unsigned char *bytes; /* exactly its size, plus what its reader may read after it */
    size_t size;
    struct column_head head;
};

static struct column_scratch scratch;

enum form { COLUMN_IN_PLANES, COLUMN_IN_BITS };

static void write_values(struct made *m, uint8_t value_size, enum form form)
{
    static unsigned char outs[2][sizeof(struct column_head) + 16 + 8 * COLUMN_TICKS_MAX];
    const unsigned char *out = outs[form];
    m->strands = (struct column_strands){m->starts, 0};
    for (uint32_t at = 0; at < m->count && m->strands.count < array_size(m->starts);
         at += 1 + (uint32_t)(draw() % 300))
        m->starts[m->strands.count++] = (uint16_t)at;
    struct column_sizes sizes =
        column_write(&scratch, m->values, m->count, value_size, NULL, 0, &m->strands,
                     outs[COLUMN_IN_PLANES], form == COLUMN_IN_BITS ? outs[COLUMN_IN_BITS] : NULL);
    m->size = form == COLUMN_IN_BITS ? sizes.bits : sizes.planes;
    assert_true(m->size <= column_bound(m->count));
    m->bytes = malloc(m->size + COLUMN_BEHIND);
    assert_non_null(m->bytes);
    memcpy(m->bytes, out, m->size);
    memset(m->bytes + m->size, 0xa5, COLUMN_BEHIND);
}

static void assert_read(struct made *m, uint64_t mask)
{
    struct column column;
    assert_int_equal(column_check(m->bytes, m->size, m->count, &m->head), m->size);
    if (m->size > 0)
        assert_int_equal(column_check(m->bytes, m->size - 1, m->count, &m->head), 0);
    column_open(&column, m->bytes, &m->head, m->count);
    for (uint32_t i = 0, end; i < m->count; i = end) {
        end = m->count - i < COLUMN_ROWS ? m->count : i + COLUMN_ROWS;
        column_read(&column, i, end, &m->strands, m->read + i);
    }
    for (uint32_t i = 0; i < m->count; i++)
        assert_int_equal(m->read[i] & mask, m->values[i]);
}

static const uint32_t counts[] = {1, 2, 7, 8, 127, 128, 129, 1000, COLUMN_TICKS_MAX};

static void numbers_of_any_size_come_back(void **state)
{
    (void)state;
    static struct made m;
    for (unsigned bits = 0; bits <= 32; bits++)
        for (size_t c = 0; c < array_size(counts); c++)
            for (int form = COLUMN_IN_PLANES; form <= COLUMN_IN_BITS; form++) {
                m.count = counts[c];
                for (uint32_t i = 0; i < m.count; i++)
                    m.values[i] =
                        draw() % 90 == 0 ? UINT32_MAX : draw() & ((UINT64_C(1) << bits) - 1);
                write_values(&m, 4, (enum form)form);
                assert_read(&m, UINT32_MAX);
                assert_true(form == COLUMN_IN_BITS || m.head.bits == 0);
                if (form == COLUMN_IN_BITS && bits > 1 && bits < 15 && bits % 8 != 0 &&
                    m.count >= 1000)
                    assert_true(m.head.bits != 0);
                free(m.bytes);
            }
}

static void walks_come_back(void **state)
{
    (void)state;
    static struct made m;
    for (uint64_t step = 1; step < 4000; step = step * 3 + 1)
        for (size_t c = 0; c < array_size(counts); c++)
            for (int form = COLUMN_IN_PLANES; form <= COLUMN_IN_BITS; form++) {
                uint64_t price = UINT64_C(5000000000000);
                m.count = counts[c];
                for (uint32_t i = 0; i < m.count; i++) {
                    price += (draw() % step - step / 2) * 10000000;
                    m.values[i] = draw() % 200 == 0 ? INT64_MAX : price;
                }
                write_values(&m, 8, (enum form)form);
                assert_read(&m, UINT64_MAX);
                free(m.bytes);
            }
}

/* The values are far apart, but few: 100, 200, 1600, 77. */
static void a_few_different_values_are_places_in_a_table(void **state)
{
    (void)state;
    static struct made m;
    for (uint32_t different = 16; different <= 300; different += 9) {
        m.count = 3000;
        for (uint32_t i = 0; i < m.count; i++)
            m.values[i] = draw() % different * 7919 % 60000 + 1;
        write_values(&m, 4, COLUMN_IN_BITS);
        assert_read(&m, UINT32_MAX);
        bool has_table = (m.head.mode & COLUMN_TABLE) != 0;
        assert_int_equal(has_table, different <= COLUMN_TABLE_MAX);
        free(m.bytes);
    }
}

static void heads_that_contradict_themselves_are_none(void **state)
{
    (void)state;
    static const struct column_head wrong[] = {
        {.ref = COLUMN_NO_REF, .bits = 17},
        {.ref = COLUMN_NO_REF, .bits = 4, .width = 1},
        {.ref = COLUMN_NO_REF, .bits = 4, .entries = 3},
        {.ref = COLUMN_NO_REF, .width = 1, .entries = 3},
        {.ref = COLUMN_NO_REF, .mode = COLUMN_TABLE, .width = 1},
        {.ref = COLUMN_NO_REF, .mode = COLUMN_TABLE, .bits = 4, .width = 1, .entries = 17},
        {.ref = COLUMN_NO_REF, .mode = COLUMN_TABLE, .bits = 4, .width = 1},
        {.ref = COLUMN_NO_REF, .mode = COLUMN_TABLE, .bits = 4, .width = 5, .entries = 3},
        {.ref = COLUMN_NO_REF, .mode = COLUMN_TABLE, .bits = 9, .width = 1, .entries = 300},
        {.ref = COLUMN_NO_REF, .mode = 2 * COLUMN_TABLE, .bits = 4},
    };
    static unsigned char bytes[4096];
    struct column_head head = {.ref = COLUMN_NO_REF, .bits = 16};
    memcpy(bytes, &head, sizeof head);
    assert_int_equal(column_check(bytes, sizeof bytes, 5, &head), sizeof head + 10);
    for (size_t i = 0; i < array_size(wrong); i++) {
        memcpy(bytes, &wrong[i], sizeof head);
        assert_int_equal(column_check(bytes, sizeof bytes, 5, &head), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_any_size_come_back),
        cmocka_unit_test(walks_come_back),
        cmocka_unit_test(a_few_different_values_are_places_in_a_table),
        cmocka_unit_test(heads_that_contradict_themselves_are_none),
    };
    int failed = cmocka_run_group_tests_name("tape.column", tests, NULL, NULL);
    wide_is_off = true; /* where there are wide registers, both ways are tested */
    return failed + cmocka_run_group_tests_name("tape.column.narrow", tests, NULL, NULL);
}
