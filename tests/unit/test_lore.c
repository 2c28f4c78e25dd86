#include "tests/support/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/lore.h"
#include "tapedeck/dbn.h"

static _Alignas(8) unsigned char memory[8192];

struct fixture {
    struct lore *lore;
    struct output_facts facts;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || lore_open(&f->lore, "live", 100) < 0)
        return -1;
    f->facts = lore_facts(f->lore);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lore_close(f->lore);
    free(f);
    return 0;
}

static int learn(struct fixture *f, uint8_t type, uint16_t track, const void *head,
                 size_t head_size, const void *body, size_t body_size)
{
    struct tdk_frame *frame = (struct tdk_frame *)(void *)memory;
    memset(memory, 0, sizeof memory);
    *frame =
        (struct tdk_frame){.size = (uint32_t)(head_size + body_size), .track = track, .type = type};
    memcpy(frame + 1, head, head_size);
    if (body_size > 0)
        memcpy((char *)(frame + 1) + head_size, body, body_size);
    return lore_learn(f->lore, frame);
}

static void tell_track(struct fixture *f, uint16_t number, uint64_t epoch, const char *name)
{
    struct tdk_track_head head = {
        .epoch = epoch, .number = number, .name_size = (uint8_t)strlen(name)};
    assert_int_equal(learn(f, TDK_TYPE_TRACK, number, &head, sizeof head, name, strlen(name)), 0);
}

static void tell_symbol(struct fixture *f, uint16_t track, uint32_t id, uint64_t from, uint64_t to,
                        const char *name)
{
    struct tdk_symbol head = {.instrument_id = id, .from = from, .to = to};
    assert_int_equal(learn(f, TDK_TYPE_SYMBOL, track, &head, sizeof head, name, strlen(name)), 0);
}

static void tell_info(struct fixture *f, uint16_t track, const char *key, const char *value,
                      uint32_t total, uint32_t offset)
{
    char body[512];
    struct tdk_info head = {.total = total, .offset = offset, .key_size = (uint16_t)strlen(key)};
    int n = snprintf(body, sizeof body, "%s%s", key, value);
    assert_int_equal(learn(f, TDK_TYPE_INFO, track, &head, sizeof head, body, (size_t)n), 0);
}

static const char *symbol(struct fixture *f, uint16_t number, uint64_t epoch, uint32_t id,
                          uint64_t ts)
{
    return f->facts.symbol(f->facts.context, "any", number, epoch, id, ts);
}

static void a_live_ring_is_one_track_by_its_own_name(void **state)
{
    struct fixture *f = *state;
    struct lore_track track = lore_track(f->lore, 0);
    assert_string_equal(track.name, "live");
    assert_int_equal(track.epoch, 100);
    assert_null(lore_track(f->lore, 1).name);
}

static void a_new_epoch_forgets_what_the_old_one_told(void **state)
{
    struct fixture *f = *state;
    struct tdk_epoch epoch = {.epoch = 101};
    tell_symbol(f, 0, 7, 0, UINT64_MAX, "BTC-USD");
    assert_string_equal(symbol(f, 0, 100, 7, 1), "BTC-USD");
    assert_int_equal(learn(f, TDK_TYPE_EPOCH, 0, &epoch, sizeof epoch, NULL, 0), 0);
    assert_int_equal(lore_track(f->lore, 0).epoch, 101);
    assert_null(symbol(f, 0, 101, 7, 1));
}

static void a_replay_names_its_tracks(void **state)
{
    struct fixture *f = *state;
    tell_track(f, 4, 55, "binance");
    tell_symbol(f, 4, 7, 10, 20, "A");
    tell_symbol(f, 4, 7, 20, UINT64_MAX, "B");
    assert_string_equal(lore_track(f->lore, 4).name, "binance");
    assert_int_equal(lore_track(f->lore, 4).epoch, 55);
    assert_null(symbol(f, 4, 55, 7, 9));
    assert_string_equal(symbol(f, 4, 55, 7, 19), "A");
    assert_string_equal(symbol(f, 4, 55, 7, 20), "B");
    assert_null(symbol(f, 0, 100, 7, 19));
}

static void a_value_in_parts_is_whole_with_its_last(void **state)
{
    struct fixture *f = *state;
    void *value;
    size_t size;
    tell_info(f, 0, "type.3", "li", 4, 0);
    assert_int_equal(f->facts.property(f->facts.context, "live", 100, "type.3", &value, &size),
                     -ENOENT);
    tell_info(f, 0, "type.3", "ne", 4, 2);
    assert_int_equal(f->facts.property(f->facts.context, "live", 100, "type.3", &value, &size), 0);
    assert_int_equal(size, 4);
    assert_memory_equal(value, "line", 4);
    free(value);
    assert_int_equal(f->facts.property(f->facts.context, "other", 100, "type.3", &value, &size),
                     -ENOENT);
}

static void parts_that_do_not_fit_are_not_taken(void **state)
{
    struct fixture *f = *state;
    void *value;
    size_t size;
    tell_info(f, 0, "k", "abcdef", 4, 0); /* more than its total */
    tell_info(f, 0, "l", "ab", 4, 0);
    tell_info(f, 0, "l", "cd", 4, 3);          /* a hole */
    tell_info(f, 0, "m", "ab", UINT32_MAX, 0); /* more than anybody has */
    for (const char *key = "klm"; *key != '\0'; key++) {
        char name[2] = {*key, '\0'};
        assert_int_equal(f->facts.property(f->facts.context, "live", 100, name, &value, &size),
                         -ENOENT);
    }
}

static void a_rebased_play_tells_its_shift(void **state)
{
    struct fixture *f = *state;
    tell_track(f, 4, 55, "binance");
    tell_info(f, 4, "tapedeck.rebase", "-12345", 6, 0);
    assert_true(lore_track(f->lore, 4).shift == (uint64_t)-12345);
    assert_int_equal(lore_track(f->lore, 0).shift, 0);
}

static void a_live_mapping_record_names_its_instrument(void **state)
{
    struct fixture *f = *state;
    struct tdk_dbn_symbol_mapping record = {
        .head = {.length = sizeof record / 4,
                 .rtype = TDK_RTYPE_SYMBOL_MAPPING,
                 .instrument_id = 9},
        .stype_out_symbol = "ESH1",
        .start_ts = TDK_TS_UNDEFINED,
        .end_ts = TDK_TS_UNDEFINED,
    };
    assert_int_equal(learn(f, TDK_TYPE_DBN, 0, &record, sizeof record, NULL, 0), 0);
    assert_string_equal(symbol(f, 0, 100, 9, 1), "ESH1");
}

/* As on a tape, a definition names an instrument only if nothing else does. */
static void a_definition_names_what_nothing_else_does(void **state)
{
    struct fixture *f = *state;
    struct tdk_dbn_definition record = {
        .head = {.length = sizeof record / 4, .rtype = TDK_RTYPE_DEFINITION, .instrument_id = 9},
        .raw_symbol = "ESH4",
    };
    assert_int_equal(learn(f, TDK_TYPE_DBN, 0, &record, sizeof record, NULL, 0), 0);
    assert_string_equal(symbol(f, 0, 100, 9, 1), "ESH4");
    tell_symbol(f, 0, 10, 0, UINT64_MAX, "ES.c.0");
    record.head.instrument_id = 10;
    assert_int_equal(learn(f, TDK_TYPE_DBN, 0, &record, sizeof record, NULL, 0), 0);
    assert_string_equal(symbol(f, 0, 100, 10, 1), "ES.c.0");
}

/* With one list of names for each of 512 remainders this took minutes. */
static void names_are_not_looked_through_one_by_one(void **state)
{
    struct fixture *f = *state;
    const uint32_t count = 200000;
    char name[16];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "S%u", i);
        tell_symbol(f, 0, i * 512, 0, UINT64_MAX, name); /* one bucket, when there were 512 */
    }
    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "S%u", i);
        assert_string_equal(symbol(f, 0, 100, i * 512, 1), name);
    }
}

/* As on a tape: of two names that hold from the same time the first counts, and a later name ends
 * an earlier one. */
static void of_two_names_the_one_that_a_tape_would_tell(void **state)
{
    struct fixture *f = *state;
    tell_symbol(f, 0, 7, 10, UINT64_MAX, "A");
    tell_symbol(f, 0, 7, 10, UINT64_MAX, "B");
    tell_symbol(f, 0, 7, 20, UINT64_MAX, "C");
    assert_string_equal(symbol(f, 0, 100, 7, 19), "A");
    assert_string_equal(symbol(f, 0, 100, 7, 20), "C");
}

/* Frames of every kind are cut to every length. One that is too short is passed over. */
static void frames_cut_anywhere_teach_nothing_and_break_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned char junk[256];
    memset(junk, 0xFF, sizeof junk);
    for (unsigned type = 1; type < 256; type++)
        for (size_t size = 0; size <= sizeof junk; size++)
            assert_int_equal(learn(f, (uint8_t)type, 5, junk, size, NULL, 0), 0);
    assert_string_equal(lore_track(f->lore, 0).name, "live");
}

static void more_tracks_than_can_be_are_refused(void **state)
{
    struct fixture *f = *state;
    int rc = 0;
    for (unsigned number = 1; rc == 0 && number < 65536; number++) {
        struct tdk_symbol head = {.instrument_id = 1, .to = UINT64_MAX};
        rc = learn(f, TDK_TYPE_SYMBOL, (uint16_t)number, &head, sizeof head, "A", 1);
    }
    assert_int_equal(rc, TDK_EFULL);
}

static void more_properties_than_can_be_are_passed_over(void **state)
{
    struct fixture *f = *state;
    char key[32];
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "key.%u", i);
        tell_info(f, 0, key, "", 0, 0);
    }
    void *value = NULL;
    size_t size;
    assert_int_equal(f->facts.property(f->facts.context, "live", 100, "key.0", &value, &size), 0);
    free(value);
    assert_int_equal(f->facts.property(f->facts.context, "live", 100, "key.2999", &value, &size),
                     -ENOENT);
    tell_info(f, 0, "key.0", "again", 5, 0); /* a known one may change */
    assert_int_equal(f->facts.property(f->facts.context, "live", 100, "key.0", &value, &size), 0);
    assert_int_equal(size, 5);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_live_ring_is_one_track_by_its_own_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_epoch_forgets_what_the_old_one_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_replay_names_its_tracks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_in_parts_is_whole_with_its_last, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_that_do_not_fit_are_not_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rebased_play_tells_its_shift, setup, teardown),
        cmocka_unit_test_setup_teardown(a_definition_names_what_nothing_else_does, setup, teardown),
        cmocka_unit_test_setup_teardown(a_live_mapping_record_names_its_instrument, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(names_are_not_looked_through_one_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(of_two_names_the_one_that_a_tape_would_tell, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(frames_cut_anywhere_teach_nothing_and_break_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(more_tracks_than_can_be_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(more_properties_than_can_be_are_passed_over, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("cli.lore", tests, NULL, NULL);
}
