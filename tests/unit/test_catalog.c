#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tape/catalog.h"
#include "tapedeck/dbn.h"
#include "tests/support/learned.h"

#define NOW   (UINT64_C(1700000000) * NS_PER_S)
#define ROOM  ((size_t)256 << 10)
#define NEVER UINT64_MAX

struct fixture {
    struct catalog *catalog;
    struct block_scratch scratch;
    struct track_state state;
    struct block block;
    _Alignas(8) unsigned char bytes[ROOM];
};

static void ok(int rc, const struct tdk_err *err)
{
    if (rc < 0)
        fail_msg("%d: %s", rc, err->text);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct tdk_err err;
    uint16_t number;
    ok(catalog_open(&f->catalog, &err), &err);
    ok(catalog_track(f->catalog, "binance", TDK_KIND_DBN, &number, &err), &err);
    assert_int_equal(number, 1);
    block_scratch_init(&f->scratch);
    f->state = (struct track_state){.track = 1, .payload_max = 65536, .epoch = 5, .next_seq = 1};
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    catalog_close(f->catalog);
    free(f);
    return 0;
}

/* Treat the block so far as written to the tape, and begin the next one. */
static struct block_ref learn(struct fixture *f)
{
    struct tdk_err err;
    struct block_ref ref;
    struct block_place place = {.span = (uint32_t)block_seal(&f->block), .segment = 1};
    block_finish(f->bytes, &place);
    struct block_view view = block_view_of(f->bytes);
    block_ref_of(view.head, 4096, &ref);
    ok(catalog_learn(f->catalog, &view, &err), &err);
    ok(catalog_note(f->catalog, &ref, &err), &err);
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
    return ref;
}

static void add_symbol(struct fixture *f, uint32_t id, uint64_t from, uint64_t to, const char *name)
{
    unsigned char payload[128];
    struct tdk_symbol symbol = {.instrument_id = id, .from = from, .to = to};
    memcpy(payload, &symbol, sizeof symbol);
    memcpy(payload + sizeof symbol, name, strlen(name));
    assert_true(block_add_control(&f->block, TDK_TYPE_SYMBOL, 0, payload,
                                  (uint32_t)(sizeof symbol + strlen(name))));
}

static void add_info(struct fixture *f, const char *key, uint32_t total, uint32_t offset,
                     const void *part, uint32_t size)
{
    static unsigned char payload[65536];
    struct tdk_info info = {.total = total, .offset = offset, .key_size = (uint16_t)strlen(key)};
    memcpy(payload, &info, sizeof info);
    memcpy(payload + sizeof info, key, info.key_size);
    memcpy(payload + sizeof info + info.key_size, part, size);
    assert_true(block_add_control(&f->block, TDK_TYPE_INFO, 0, payload,
                                  (uint32_t)sizeof info + info.key_size + size));
}

static void add_tick(struct fixture *f, uint64_t ts)
{
    assert_true(block_add_tick(&f->block, TDK_TYPE_OPAQUE, 0, ts, "tick", 4));
}

static const char *name_at(const struct fixture *f, uint32_t id, uint64_t ts)
{
    const char *name = learned_symbol(f->catalog, 1, 5, id, ts);
    return name != NULL ? name : "-";
}

/* ---- tracks ---- */

static void track_keeps_its_number(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    uint16_t number;
    ok(catalog_track(f->catalog, "kraken", TDK_KIND_OPAQUE, &number, &err), &err);
    assert_int_equal(number, 2);
    ok(catalog_track(f->catalog, "binance", TDK_KIND_DBN, &number, &err), &err);
    assert_int_equal(number, 1);
    assert_int_equal(catalog_find(f->catalog, "kraken"), 2);
    assert_int_equal(catalog_find(f->catalog, "Kraken"), 0);
    assert_string_equal(catalog_name(f->catalog, 2), "kraken");
    assert_null(catalog_name(f->catalog, 3));
    assert_int_equal(catalog_track(f->catalog, "../x", TDK_KIND_DBN, &number, &err), TDK_ENAME);
}

static void track_whose_name_is_lost_gets_it_back(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    f->state.track = 9;
    ok(catalog_guess_track(f->catalog, 9, &err), &err);
    assert_string_equal(catalog_name(f->catalog, 9), "lost-9");
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
    assert_true(block_add_track(&f->block, "coinbase", TDK_KIND_DBN));
    learn(f);
    assert_string_equal(catalog_name(f->catalog, 9), "coinbase");
}

/* ---- epochs ---- */

static void put_epoch_of_ring(struct fixture *f, uint64_t epoch, uint64_t ring_epoch, bool tick)
{
    const struct tdk_epoch told = {
        .epoch = epoch, .ring_epoch = ring_epoch, .ring_uuid = "a ring, its uuid"};
    f->state.epoch = epoch;
    f->state.next_seq = 1;
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
    assert_true(block_add_epoch(&f->block, &told));
    if (tick)
        add_tick(f, NOW);
    learn(f);
}

static void epoch_of_a_ring_is_the_last_that_is_on_the_tape(void **state)
{
    struct fixture *f = *state;
    const uint8_t cut[16] = "a ring, its uui", other[16] = "another's uuid";
    uint8_t uuid[16];
    memcpy(uuid, "a ring, its uuid", sizeof uuid);
    put_epoch_of_ring(f, 5, 4, true);
    put_epoch_of_ring(f, 6, 4, true);
    put_epoch_of_ring(f, 7, 9, true);
    assert_int_equal(catalog_ring_epoch(f->catalog, 1, uuid, 4)->epoch, 6);
    put_epoch_of_ring(f, 8, 4, false);
    assert_int_equal(catalog_ring_epoch(f->catalog, 1, uuid, 4)->epoch, 8);
    assert_int_equal(catalog_ring_epoch(f->catalog, 1, uuid, 9)->epoch, 7);
    assert_null(catalog_ring_epoch(f->catalog, 1, uuid, 5));
    assert_null(catalog_ring_epoch(f->catalog, 1, cut, 4));
    assert_null(catalog_ring_epoch(f->catalog, 1, other, 4));
    assert_null(catalog_ring_epoch(f->catalog, 2, uuid, 4));
    assert_null(catalog_ring_epoch(f->catalog, 0, uuid, 4));
    catalog_recount(f->catalog, &(struct epoch_ref){.track = 1, .epoch = 8}); /* deleted */
    assert_int_equal(catalog_ring_epoch(f->catalog, 1, uuid, 4)->epoch, 6);
}

static void epoch_counts_what_its_blocks_hold(void **state)
{
    struct fixture *f = *state;
    struct tdk_epoch epoch = {.epoch = 5, .ring_epoch = 4, .ring_uuid = "a ring"};
    struct tdk_loss loss = {.first_seq = 3, .count = 7, .first_ts = NOW + 5, .last_ts = NOW + 1};
    assert_true(block_add_epoch(&f->block, &epoch));
    add_tick(f, NOW + 9);
    add_tick(f, NOW + 5);
    learn(f);
    assert_true(block_add_loss(&f->block, &loss, NOW + 11));
    add_tick(f, NOW + 11);
    add_tick(f, UINT64_MAX);
    learn(f);
    const struct epoch_ref *ref = catalog_epoch(f->catalog, 1, 5);
    assert_non_null(ref);
    assert_int_equal(ref->ring_epoch, 4);
    assert_string_equal((const char *)ref->ring_uuid, "a ring");
    assert_int_equal(ref->ticks, 4);
    assert_int_equal(ref->lost, 7);
    assert_int_equal(ref->odd, 1);
    assert_int_equal(ref->first_seq, 1);
    assert_int_equal(ref->last_seq, 11);
    assert_int_equal(ref->min_ts, NOW + 5);
    assert_int_equal(ref->max_ts, NOW + 11);
    assert_int_equal(ref->step_back, 4);
    assert_int_equal(catalog_last_epoch(f->catalog, 1), 5);
}

static void block_written_twice_counts_once(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    for (int i = 0; i < 10; i++)
        add_tick(f, NOW);
    struct block_ref ref = learn(f);
    ok(catalog_note(f->catalog, &ref, &err), &err);
    assert_int_equal(catalog_epoch(f->catalog, 1, 5)->ticks, 10);
    ref.first_seq = 6;
    ref.last_seq = 15;
    ok(catalog_note(f->catalog, &ref, &err), &err);
    assert_int_equal(catalog_epoch(f->catalog, 1, 5)->ticks, 15);
}

/* ---- properties ---- */

static void property_comes_in_parts(void **state)
{
    struct fixture *f = *state;
    size_t size;
    add_info(f, "venue", 10, 0, "BINA", 4);
    learn(f);
    assert_null(learned_info(f->catalog, 1, 5, "venue", &size));
    add_info(f, "venue", 10, 4, "NCE-US", 6);
    add_info(f, "empty", 0, 0, "", 0);
    learn(f);
    assert_memory_equal(learned_info(f->catalog, 1, 5, "venue", &size), "BINANCE-US", 10);
    assert_int_equal(size, 10);
    assert_non_null(learned_info(f->catalog, 1, 5, "empty", &size));
    assert_int_equal(size, 0);
    add_info(f, "venue", 3, 0, "CME", 3); /* sent again */
    learn(f);
    assert_memory_equal(learned_info(f->catalog, 1, 5, "venue", &size), "CME", 3);
}

/* The sender died half way through. The index keeps what it had. */
static void property_told_in_part_leaves_the_index_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct index *index;
    const uint8_t tape_id[16] = {1};
    void *value;
    size_t size;
    struct tdk_err err;
    ok(index_open_private(&index, tape_id, &err), &err);
    add_info(f, "venue", 3, 0, "CME", 3);
    learn(f);
    for (int i = 0; i < 2; i++) {
        ok(index_begin(index, &err), &err);
        ok(catalog_store(f->catalog, index, &err), &err);
        ok(index_commit(index, &err), &err);
        ok(index_info(index, 1, 5, "venue", &value, &size, &err), &err);
        assert_int_equal(size, 3);
        assert_memory_equal(value, "CME", 3);
        free(value);
        add_info(f, "venue", 3, 0, "CME", 3); /* whole, */
        add_info(f, "venue", 10, 0, "BI", 2); /* and begun again before it is stored */
        learn(f);
    }
    index_close(index);
}

static void property_parts_that_do_not_fit_teach_nothing(void **state)
{
    struct fixture *f = *state;
    size_t size;
    add_info(f, "a", 4, 0, "ab", 2);
    add_info(f, "a", 4, 1, "bcd", 3);        /* does not begin where the last part ended */
    add_info(f, "a", 5, 2, "cde", 3);        /* says another total length */
    add_info(f, "b", 2, 0, "too long", 8);   /* more than it announced */
    add_info(f, "c", UINT32_MAX, 0, "x", 1); /* nothing is allocated for an announced size */
    learn(f);
    assert_null(learned_info(f->catalog, 1, 5, "a", &size));
    assert_null(learned_info(f->catalog, 1, 5, "b", &size));
    assert_null(learned_info(f->catalog, 1, 5, "c", &size));
    unsigned char torn[20] = {0};
    for (uint32_t cut = 0; cut < sizeof torn; cut++) {
        memset(torn, 0xff, sizeof torn);
        for (int type = TDK_TYPE_TRACK; type <= TDK_TYPE_INFO; type++)
            assert_true(block_add_control(&f->block, (uint8_t)type, 0, torn, cut));
        assert_true(block_add_control(&f->block, TDK_TYPE_SYMBOL, 0, torn, cut));
    }
    learn(f);
}

/* ---- symbols ---- */

static void symbol_holds_from_when_to_when(void **state)
{
    struct fixture *f = *state;
    add_symbol(f, 7, 100, 200, "BTC-USD");
    add_symbol(f, 7, 300, NEVER, "BTC-USDT");
    add_symbol(f, 7, 400, NEVER, "BTC-EUR");
    learn(f);
    assert_string_equal(name_at(f, 7, 99), "-");
    assert_string_equal(name_at(f, 7, 100), "BTC-USD");
    assert_string_equal(name_at(f, 7, 199), "BTC-USD");
    assert_string_equal(name_at(f, 7, 200), "-");
    assert_string_equal(name_at(f, 7, 399), "BTC-USDT"); /* it was open until the next came */
    assert_string_equal(name_at(f, 7, 400), "BTC-EUR");
    assert_string_equal(name_at(f, 7, NEVER), "BTC-EUR");
    assert_string_equal(name_at(f, 8, 100), "-");
}

static void of_two_names_at_one_time_the_first_told_counts(void **state)
{
    struct fixture *f = *state;
    add_symbol(f, 7, 100, 200, "ESH1");
    add_symbol(f, 7, 100, 200, "ES.c.0");
    learn(f);
    assert_string_equal(name_at(f, 7, 150), "ESH1");
}

static void many_symbols_are_found(void **state)
{
    struct fixture *f = *state;
    char name[16];
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "S%u", i);
        add_symbol(f, i * 2654435761u, 0, NEVER, name);
        if (i % 500 == 499)
            learn(f);
    }
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "S%u", i);
        assert_string_equal(name_at(f, i * 2654435761u, 1), name);
    }
}

static void dbn_records_name_their_instruments(void **state)
{
    struct fixture *f = *state;
    struct tdk_dbn_symbol_mapping mapping = {.head = {.length = sizeof mapping / 4,
                                                      .rtype = TDK_RTYPE_SYMBOL_MAPPING,
                                                      .instrument_id = 7,
                                                      .ts_event = NOW},
                                             .stype_in_symbol = "ES.c.0",
                                             .stype_out_symbol = "ESH1",
                                             .start_ts = NEVER,
                                             .end_ts = NEVER};
    struct tdk_dbn_definition definition = {.head = {.length = sizeof definition / 4,
                                                     .rtype = TDK_RTYPE_DEFINITION,
                                                     .instrument_id = 8},
                                            .raw_symbol = "NQH1"};
    assert_true(block_add_tick(&f->block, TDK_TYPE_DBN, 0, NOW, &mapping, sizeof mapping));
    strcpy(mapping.stype_out_symbol, "ESM1");
    assert_true(block_add_tick(&f->block, TDK_TYPE_DBN, 0, NOW + 10, &mapping, sizeof mapping));
    assert_true(block_add_tick(&f->block, TDK_TYPE_DBN, 0, NOW, &definition, sizeof definition));
    definition.head.instrument_id = 7;
    assert_true(block_add_tick(&f->block, TDK_TYPE_DBN, 0, NOW, &definition, sizeof definition));
    learn(f);
    assert_string_equal(name_at(f, 7, NOW - 1), "ESH1"); /* the first also holds before */
    assert_string_equal(name_at(f, 7, NOW + 9), "ESH1");
    assert_string_equal(name_at(f, 7, NOW + 10), "ESM1");
    assert_string_equal(name_at(f, 8, NOW), "NQH1");
}

/* A metadata header with one mapping over two days. `id_first`: it maps ids to symbols. */
static size_t make_metadata(unsigned char *bytes, uint8_t version, bool id_first)
{
    size_t width = version == 1 ? 22 : 71, fixed = 112, at = fixed;
    memset(bytes, 0, 4096);
    memcpy(bytes, "DBN", 3);
    bytes[3] = version;
    bytes[version == 1 ? 58 : 50] = id_first ? 0 : 1;
    bytes[version == 1 ? 59 : 51] = id_first ? 1 : 0;
    if (version > 1)
        store_u16(bytes + 53, 71);
    store_u32(bytes + at, 1); /* one symbol was requested */
    at += 4 + width;
    store_u32(bytes + at, 0);
    store_u32(bytes + at + 4, 0);
    store_u32(bytes + at + 8, 1); /* one mapping */
    at += 12;
    strcpy((char *)bytes + at, id_first ? "5482" : "ESH1");
    at += width;
    store_u32(bytes + at, 2);
    at += 4;
    for (int i = 0; i < 2; i++) {
        store_u32(bytes + at, i == 0 ? 20201228 : 20201230);
        store_u32(bytes + at + 4, i == 0 ? 20201229 : 20210101);
        strcpy((char *)bytes + at + 8, id_first ? "ESH1" : "5482");
        at += 8 + width;
    }
    at = align_up(at, 8);
    store_u32(bytes + 4, (uint32_t)at - 8);
    return at;
}

static void dbn_metadata_names_its_instruments_by_day(void **state)
{
    const uint64_t day = 86400 * NS_PER_S, first = UINT64_C(1609113600) * NS_PER_S;
    struct fixture *f = *state;
    unsigned char bytes[4096];
    for (uint8_t version = 1; version <= 3; version++)
        for (int id_first = 0; id_first <= 1; id_first++) {
            size_t size = make_metadata(bytes, version, id_first == 1);
            f->state.epoch = 5;
            block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
            add_info(f, "dbn.metadata", (uint32_t)size, 0, bytes, (uint32_t)size);
            learn(f);
            assert_string_equal(name_at(f, 5482, first - 1), "-");
            assert_string_equal(name_at(f, 5482, first), "ESH1");
            assert_string_equal(name_at(f, 5482, first + day), "-");
            assert_string_equal(name_at(f, 5482, first + 2 * day), "ESH1");
            assert_string_equal(name_at(f, 5482, first + 4 * day - 1), "ESH1");
            assert_string_equal(name_at(f, 5482, first + 4 * day), "-");
        }
}

static void dbn_metadata_that_is_cut_or_changed_does_no_harm(void **state)
{
    (void)state;
    unsigned char bytes[4096];
    size_t size = make_metadata(bytes, 3, false);
    for (size_t cut = 0; cut <= size; cut++) {
        struct symbols_of symbols = {.track = 1, .epoch = 1};
        unsigned char *copy = malloc(cut + 1); /* so that a read too far is seen */
        memcpy(copy, bytes, cut);
        assert_int_equal(symbols_from_metadata(&symbols, copy, cut), 0);
        symbols_close(&symbols);
        free(copy);
    }
    for (size_t i = 0; i < size * 8; i++) {
        struct symbols_of symbols = {.track = 1, .epoch = 1};
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_int_equal(symbols_from_metadata(&symbols, bytes, size), 0);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        symbols_close(&symbols);
    }
}

/* ---- out of memory into the index, and back ---- */

static void fill(struct fixture *f)
{
    struct tdk_epoch epoch = {.epoch = 5, .ring_epoch = 4, .ring_uuid = "a ring"};
    assert_true(block_add_epoch(&f->block, &epoch));
    add_symbol(f, 7, 100, 200, "BTC-USD");
    add_symbol(f, 7, 300, NEVER, "BTC-USDT");
    add_symbol(f, 7, 400, NEVER, "BTC-EUR");
    add_info(f, "venue", 7, 0, "BINANCE", 7);
    add_tick(f, NOW);
    add_tick(f, NOW + 1);
}

static void assert_filled(const struct fixture *f)
{
    size_t size;
    assert_string_equal(catalog_name(f->catalog, 1), "binance");
    assert_string_equal(name_at(f, 7, 150), "BTC-USD");
    assert_string_equal(name_at(f, 7, 350), "BTC-USDT");
    assert_string_equal(name_at(f, 7, 450), "BTC-EUR");
    assert_memory_equal(learned_info(f->catalog, 1, 5, "venue", &size), "BINANCE", 7);
    assert_int_equal(catalog_last_epoch(f->catalog, 1), 5);
    assert_int_equal(catalog_epoch(f->catalog, 1, 5)->ring_epoch, 4);
}

static void footer_holds_what_its_segment_needs(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    void *bytes;
    size_t size;
    fill(f);
    struct block_ref ref = learn(f);
    ok(catalog_encode(f->catalog, &ref, 1, &bytes, &size, &err), &err);
    catalog_close(f->catalog);
    ok(catalog_open(&f->catalog, &err), &err);
    ok(catalog_decode(f->catalog, bytes, size, &err), &err);
    assert_filled(f);
    assert_int_equal(catalog_epoch(f->catalog, 1, 5)->ticks, 0); /* blocks count them */

    /* A cut is an error, or it falls between two items. It is never a crash. */
    for (size_t cut = 0; cut < size; cut++) {
        unsigned char *copy = malloc(cut + 1);
        struct catalog *other;
        memcpy(copy, bytes, cut);
        ok(catalog_open(&other, &err), &err);
        int rc = catalog_decode(other, copy, cut, &err);
        assert_true(rc == 0 || rc == TDK_ECORRUPT);
        catalog_close(other);
        free(copy);
    }
    free(bytes);
}

static void index_holds_all_of_it(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    struct index *index;
    const uint8_t id[16] = "a tape";
    fill(f);
    learn(f);
    ok(index_open_private(&index, id, &err), &err);
    ok(index_begin(index, &err), &err);
    ok(catalog_store(f->catalog, index, &err), &err);
    ok(index_commit(index, &err), &err);
    catalog_close(f->catalog);
    ok(catalog_open(&f->catalog, &err), &err);
    ok(catalog_load(f->catalog, index, &err), &err);
    assert_filled(f);
    assert_int_equal(catalog_epoch(f->catalog, 1, 5)->ticks, 2);

    /* What changes after the load is stored in the same places. */
    add_tick(f, NOW + 2);
    add_symbol(f, 7, 500, NEVER, "BTC-GBP");
    learn(f);
    ok(index_begin(index, &err), &err);
    ok(catalog_store(f->catalog, index, &err), &err);
    ok(index_commit(index, &err), &err);
    catalog_close(f->catalog);
    ok(catalog_open(&f->catalog, &err), &err);
    ok(catalog_load(f->catalog, index, &err), &err);
    assert_string_equal(name_at(f, 7, 450), "BTC-EUR");
    assert_string_equal(name_at(f, 7, 550), "BTC-GBP");
    assert_int_equal(catalog_epoch(f->catalog, 1, 5)->ticks, 3);
    index_close(index);
}

static void reopen(struct fixture *f)
{
    struct tdk_err err;
    catalog_close(f->catalog);
    ok(catalog_open(&f->catalog, &err), &err);
}

/* For names of one time, the index lists them in another order than they came in. Feet are made
 * from that list. */
static void of_two_names_at_one_time_the_first_stays_the_first(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    struct index *index;
    const uint8_t id[16] = "a tape";
    void *bytes;
    size_t size;
    add_symbol(f, 7, 100, NEVER, "AAA");
    add_symbol(f, 7, 100, NEVER, "BBB");
    add_tick(f, NOW);
    struct block_ref ref = learn(f);
    ok(index_open_private(&index, id, &err), &err);
    ok(index_begin(index, &err), &err);
    ok(catalog_store(f->catalog, index, &err), &err);
    ok(index_commit(index, &err), &err);
    reopen(f);
    ok(catalog_load(f->catalog, index, &err), &err);
    assert_string_equal(name_at(f, 7, 150), "AAA");
    ok(catalog_encode(f->catalog, &ref, 1, &bytes, &size, &err), &err);
    reopen(f);
    ok(catalog_decode(f->catalog, bytes, size, &err), &err);
    assert_string_equal(name_at(f, 7, 150), "AAA");
    free(bytes);
    index_close(index);
}

static void more_properties_than_there_is_room_for_are_counted(void **state)
{
    struct fixture *f = *state;
    char key[16];
    assert_int_equal(catalog_refused(f->catalog), 0);
    for (int i = 0; i < 4100; i++) {
        snprintf(key, sizeof key, "key %d", i);
        add_info(f, key, 1, 0, "x", 1);
        if (i % 100 == 99)
            learn(f);
    }
    assert_int_equal(catalog_refused(f->catalog), 4);
}

static void what_is_over_is_forgotten_when_it_is_stored(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    struct index *index;
    const uint8_t id[16] = "a tape";
    size_t size;
    fill(f);
    learn(f);
    ok(index_open_private(&index, id, &err), &err);
    ok(index_begin(index, &err), &err);
    ok(catalog_store(f->catalog, index, &err), &err);
    catalog_forget(f->catalog);
    f->state.epoch = 6;
    f->state.next_seq = 1;
    block_begin(&f->block, f->bytes, sizeof f->bytes, &f->scratch, &f->state, NOW);
    fill(f);
    learn(f);
    ok(catalog_store(f->catalog, index, &err), &err);
    assert_non_null(learned_info(f->catalog, 1, 5, "venue", &size));
    catalog_forget(f->catalog);
    assert_null(learned_info(f->catalog, 1, 5, "venue", &size));
    assert_non_null(learned_info(f->catalog, 1, 6, "venue", &size));
    assert_int_equal(catalog_epoch(f->catalog, 1, 5)->ticks, 2);
    index_close(index);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(track_keeps_its_number),
        TEST(track_whose_name_is_lost_gets_it_back),
        TEST(epoch_counts_what_its_blocks_hold),
        TEST(epoch_of_a_ring_is_the_last_that_is_on_the_tape),
        TEST(block_written_twice_counts_once),
        TEST(property_comes_in_parts),
        TEST(property_told_in_part_leaves_the_index_as_it_was),
        TEST(property_parts_that_do_not_fit_teach_nothing),
        TEST(symbol_holds_from_when_to_when),
        TEST(of_two_names_at_one_time_the_first_told_counts),
        TEST(many_symbols_are_found),
        TEST(dbn_records_name_their_instruments),
        TEST(dbn_metadata_names_its_instruments_by_day),
        TEST(dbn_metadata_that_is_cut_or_changed_does_no_harm),
        TEST(footer_holds_what_its_segment_needs),
        TEST(index_holds_all_of_it),
        TEST(of_two_names_at_one_time_the_first_stays_the_first),
        TEST(more_properties_than_there_is_room_for_are_counted),
        TEST(what_is_over_is_forgotten_when_it_is_stored),
    };
    return cmocka_run_group_tests_name("tape.catalog", tests, NULL, NULL);
}
