/* Rare instruments on a long tape. They are found in few blocks if segments list what is in
 * them. */
#include "tests/support/taping.h"

#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "base/crc32c.h"
#include "tape/verify.h"
#include "tapedeck/dbn.h"
#include "tapedeck/tape.h"

enum { TICKS = 20000, COMMON = 200, RARE = 2900001, RARER = 2900002 };

struct fixture {
    char path[FOLDER_PATH];
};

/* 200 instruments in turn, which fill every filter. RARE occurs twice, in the last quarter, and
 * RARER once. */
static uint32_t instrument_of(unsigned i)
{
    if (i == 15001 || i == 19991)
        return RARE;
    return i == 8001 ? RARER : 1 + i % COMMON * 7919;
}

/* An order has no state. */
static void append_order(struct append *append, uint32_t instrument_id, uint64_t ts)
{
    struct tdk_err err;
    struct tdk_dbn_mbo mbo = {.head = {.length = sizeof mbo / 4,
                                       .rtype = TDK_RTYPE_MBO,
                                       .instrument_id = instrument_id,
                                       .ts_event = ts},
                              .ts_recv = ts};
    taping_ok(append_tick(append, TDK_TYPE_DBN, 0, ts, &mbo, sizeof mbo, &err), &err);
}

static int setup(void **state)
{
    struct tdk_err err;
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    folder_make(f->path);
    struct append *append = taping_open(f->path, 20 << 10, 200 << 10);
    taping_ok(append_begin(append, "orders", TDK_KIND_DBN, &err), &err);
    for (unsigned i = 0; i < TICKS; i++)
        append_order(append, instrument_of(i), TAPING_NOW + i);
    taping_close(append);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    folder_remove(f->path);
    free(f);
    return 0;
}

/* How many ticks a query for these symbols finds. *blocks_read: the blocks that were read for
 * it. */
static uint64_t find(const struct fixture *f, const char *const *symbols, size_t count,
                     bool reverse, uint64_t *blocks_read)
{
    const struct tdk_query query = {
        .to = UINT64_MAX, .symbols = symbols, .symbol_count = count, .reverse = reverse};
    struct tdk_tape *tape;
    struct tdk_cursor *cursor;
    struct tdk_cursor_stats stats;
    struct tdk_run run;
    struct tdk_err err;
    uint64_t ticks = 0;
    int rc;
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    taping_ok(tdk_cursor_open(&cursor, tape, &query, &err), &err);
    while ((rc = tdk_cursor_read(cursor, &run, &err)) == 1)
        ticks += run.ticks;
    taping_ok(rc, &err);
    tdk_cursor_stats(cursor, &stats);
    *blocks_read = stats.blocks_read;
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    return ticks;
}

static uint64_t find_one(const struct fixture *f, const char *symbol, uint64_t *blocks_read)
{
    return find(f, &symbol, 1, false, blocks_read);
}

static void a_rare_instrument_costs_few_blocks(void **state)
{
    struct fixture *f = *state;
    uint64_t read;
    assert_int_equal(find_one(f, "#2900001", &read), 2);
    assert_in_range(read, 2, 6); /* four before the lists are asked */
    assert_int_equal(find_one(f, "#2900002", &read), 1);
    assert_in_range(read, 1, 5);
    assert_int_equal(find_one(f, "#2900003", &read), 0); /* none at all */
    assert_in_range(read, 0, 4);
}

static void a_common_one_is_found_in_every_block(void **state)
{
    struct fixture *f = *state;
    uint64_t read;
    assert_int_equal(find_one(f, "#1", &read), TICKS / COMMON);
    assert_true(read > 60);
}

static void either_way_and_with_others(void **state)
{
    struct fixture *f = *state;
    uint64_t read;
    const char *const both[] = {"#2900002", "#2900001"};
    assert_int_equal(find(f, both, 2, false, &read), 3);
    assert_in_range(read, 3, 7);
    assert_int_equal(find(f, both, 2, true, &read), 3);
    assert_in_range(read, 3, 7);
    const char *const with_common[] = {"#2900001", "#1"};
    assert_int_equal(find(f, with_common, 2, false, &read), 2 + TICKS / COMMON);
}

static void break_lists(const struct fixture *f)
{
    char path[128];
    for (uint64_t number = 1; number < 1000; number++) {
        taping_path(f->path, number, ".seg", path);
        if (access(path, F_OK) < 0)
            break;
        taping_break_states(f->path, number);
    }
}

/* The index says which segments have the instrument. In those, each block is looked into. */
static void a_list_that_is_rotten_costs_its_segment(void **state)
{
    struct fixture *f = *state;
    uint64_t read;
    break_lists(f);
    assert_int_equal(find_one(f, "#2900001", &read), 2);
    assert_in_range(read, 4, 40);
}

/* As on a tape that was recorded before such lists existed: neither the footers nor the index say
 * anything. */
static void where_nothing_is_told_all_are_looked_into(void **state)
{
    struct fixture *f = *state;
    char path[128];
    uint64_t read;
    break_lists(f);
    snprintf(path, sizeof path, "%s/index/clean", f->path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(find_one(f, "#2900001", &read), 2);
    assert_true(read > 60);
}

static void an_index_that_was_made_anew_knows_them_too(void **state)
{
    struct fixture *f = *state;
    char path[128];
    uint64_t read;
    snprintf(path, sizeof path, "%s/index/clean", f->path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(find_one(f, "#2900001", &read), 2);
    assert_in_range(read, 2, 6);
}

/* ---- lists that lie ---- */

/* In the first block's list, put instrument 2 in the place of 1. */
static void change_list(unsigned char *list)
{
    static const unsigned char as_made[] = {0xc8, 0x01, 1, 0, 0xef, 0x3d, 0};
    assert_memory_equal(list, as_made, sizeof as_made); /* 200 of them: 1, then 7919 higher */
    list[2] = 2;
    list[4]--;
}

/* Put the same lie into the foot of a segment, with all checksums right. */
static void lie(const struct fixture *f, uint64_t number)
{
    char path[128];
    size_t size;
    struct segment_foot foot;
    unsigned char list[1 << 16];
    taping_path(f->path, number, ".seg", path);
    unsigned char *bytes = taping_load(path, &size);
    memcpy(&foot, bytes + size - sizeof foot, sizeof foot);
    unsigned char *at = bytes + foot.end + foot.table_size + foot.catalog_size;
    size_t raw = ZSTD_decompress(list, sizeof list, at, foot.states_size);
    assert_false(ZSTD_isError(raw));
    change_list(list);
    size_t room = (size_t)(bytes + size - sizeof foot - at);
    foot.states_size = ZSTD_compress(at, room, list, raw, 1);
    assert_false(ZSTD_isError(foot.states_size));
    foot.states_crc = crc32c(0, at, foot.states_size);
    foot.crc = 0;
    foot.crc = crc32c(0, &foot, sizeof foot);
    memcpy(bytes + size - sizeof foot, &foot, sizeof foot);
    taping_store(path, bytes, size);
    free(bytes);
}

static void keep_finding(const struct verify_finding *finding, void *context)
{
    snprintf(context, 200, "%s", finding->what);
}

static void verify_finds_a_list_that_lies(void **state)
{
    struct fixture *f = *state;
    char found[200] = "";
    const struct verify_options options = {.threads = 1, .finding = keep_finding, .context = found};
    struct verify_totals totals;
    struct tdk_err err;
    taping_ok(tape_verify(f->path, &options, &totals, &err), &err);
    assert_string_equal(found, "");
    lie(f, 2);
    taping_ok(tape_verify(f->path, &options, &totals, &err), &err);
    assert_true(totals.findings >= 1);
    assert_non_null(strstr(found, "segment 2"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rare_instrument_costs_few_blocks),
        TEST(a_common_one_is_found_in_every_block),
        TEST(either_way_and_with_others),
        TEST(a_list_that_is_rotten_costs_its_segment),
        TEST(where_nothing_is_told_all_are_looked_into),
        TEST(an_index_that_was_made_anew_knows_them_too),
        TEST(verify_finds_a_list_that_lies),
    };
    return cmocka_run_group_tests_name("tape.listing", tests, NULL, NULL);
}
