#include "tests/support/check.h"

#include <string.h>

#include "tape/select.h"
#include "tape/tallies.h"

/* The directory of a block with `count` instruments, 10, 20, ...: the first has one tick, the
 * second two, and so on. */
struct sample {
    struct block_head head;
    struct block_ref ref;
    struct {
        struct directory_head head;
        struct directory_entry entries[BLOCK_ENTRIES_MAX];
    } directory;
    struct block_view view;
};

static struct sample *sample_make(uint64_t segment, uint32_t block, uint32_t count)
{
    struct sample *s = calloc(1, sizeof *s);
    assert_non_null(s);
    for (uint32_t i = 0; i < count; i++) {
        s->directory.entries[i] = (struct directory_entry){10 * (i + 1), s->head.count};
        s->head.count += i + 1;
    }
    s->directory.head.entries = count;
    s->ref = (struct block_ref){.segment = segment, .block = block, .count = s->head.count};
    s->view = (struct block_view){.head = &s->head, .directory = (void *)&s->directory};
    return s;
}

static struct picks picks_of(struct pick *items, size_t count)
{
    return (struct picks){.items = items, .count = count};
}

static void tallies_count_what_a_directory_told(void **state)
{
    (void)state;
    struct tallies tallies;
    uint64_t ticks;
    struct pick items[] = {{.instrument_id = 20},
                           {.instrument_id = 20, .from = 7},
                           {.instrument_id = 25},
                           {.instrument_id = 30}};
    const struct picks picks = picks_of(items, 4);
    struct sample *s = sample_make(1, 5, 3);
    tallies_init(&tallies);
    assert_false(tallies_count(&tallies, &s->ref, &picks, &ticks));
    tallies_keep(&tallies, &s->ref, &s->view);
    assert_true(tallies_count(&tallies, &s->ref, &picks, &ticks));
    assert_int_equal(ticks, 2 + 3); /* an instrument counts once */
    tallies_close(&tallies);
    free(s);
}

static void tallies_take_no_block_for_another(void **state)
{
    (void)state;
    struct tallies tallies;
    uint64_t ticks;
    struct pick item = {.instrument_id = 10};
    const struct picks picks = picks_of(&item, 1);
    struct sample *s = sample_make(1, 5, 3), *other = sample_make(1, 5 + TALLIES_SLOTS, 2);
    tallies_init(&tallies);
    tallies_keep(&tallies, &s->ref, &s->view);
    struct block_ref packed = s->ref;
    packed.flags = 1 << 8; /* another generation */
    assert_false(tallies_count(&tallies, &packed, &picks, &ticks));
    assert_false(tallies_count(&tallies, &other->ref, &picks, &ticks));
    tallies_keep(&tallies, &other->ref, &other->view); /* the same slot: the newer one stays */
    assert_true(tallies_count(&tallies, &other->ref, &picks, &ticks));
    assert_false(tallies_count(&tallies, &s->ref, &picks, &ticks));
    tallies_close(&tallies);
    free(s);
    free(other);
}

static void tallies_have_a_bound(void **state)
{
    (void)state;
    struct tallies tallies;
    uint64_t ticks;
    struct pick item = {.instrument_id = 10};
    const struct picks picks = picks_of(&item, 1);
    struct sample *s = sample_make(1, 0, BLOCK_ENTRIES_MAX / 8);
    unsigned kept = 0;
    tallies_init(&tallies);
    for (s->ref.block = 0; s->ref.block < 2000; s->ref.block++) {
        tallies_keep(&tallies, &s->ref, &s->view);
        assert_true(tallies.bytes <= TALLIES_BYTES);
    }
    for (s->ref.block = 0; s->ref.block < 2000; s->ref.block++)
        kept += tallies_count(&tallies, &s->ref, &picks, &ticks);
    assert_in_range(kept, 100, 1999);
    s->ref.block = 0; /* the first ones stay */
    assert_true(tallies_count(&tallies, &s->ref, &picks, &ticks));
    tallies_close(&tallies);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tallies_count_what_a_directory_told),
        cmocka_unit_test(tallies_take_no_block_for_another),
        cmocka_unit_test(tallies_have_a_bound),
    };
    return cmocka_run_group_tests_name("tape.tallies", tests, NULL, NULL);
}
