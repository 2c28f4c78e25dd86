/* Files of DBN records: whole, packed, cut anywhere, damaged. */
#include "tests/support/sourcing.h"

#include "formats/dbn.h"
#include "formats/dbn_write.h"

struct bytes {
    unsigned char *at;
    size_t size;
};

static int to_bytes(void *context, const void *bytes, size_t size)
{
    struct bytes *b = context;
    b->at = realloc(b->at, b->size + size);
    assert_non_null(b->at);
    memcpy(b->at + b->size, bytes, size);
    b->size += size;
    return 0;
}

/* `count` bars of a second each, with metadata or without. */
static struct bytes make_dbn(uint32_t count, bool metadata, bool zstd)
{
    static const char *const names[] = {"ESH1", "ESM1"};
    static const struct dbn_interval days[] = {{20201228, 20210101, "5482"}};
    static const struct dbn_mapping mappings[] = {{"ESH1", days, 1}};
    struct dbn_metadata m = {.version = 3,
                             .schema = 5,
                             .dataset = "GLBX.MDP3",
                             .stype_in = 1,
                             .end = UINT64_MAX,
                             .symbols = {names, 2},
                             .mappings = mappings,
                             .mapping_count = 1};
    struct bytes made = {0};
    struct dbn_writer *writer;
    assert_int_equal(dbn_writer_open(&writer, metadata ? &m : NULL, zstd, to_bytes, &made, NULL),
                     0);
    for (uint32_t i = 0; i < count; i++) {
        struct tdk_dbn_ohlcv bar = {.head = {14, TDK_RTYPE_OHLCV_1S, 1, 5482, i + 1}, .volume = i};
        assert_int_equal(dbn_writer_add(writer, &bar, sizeof bar, NULL), 0);
    }
    assert_int_equal(dbn_writer_finish(writer, NULL), 0);
    dbn_writer_close(writer);
    return made;
}

static void a_file_cut_at_any_byte_keeps_its_whole_records(void **state)
{
    (void)state;
    struct bytes whole = make_dbn(5, true, false);
    size_t head = whole.size - 5 * sizeof(struct tdk_dbn_ohlcv);
    for (size_t cut = 3; cut <= whole.size; cut++) {
        struct told told = read_bytes(whole.at, cut, &defaults);
        if (cut < head) {
            assert_int_equal(told.rc, TDK_ETRUNCATED);
            continue;
        }
        size_t records = (cut - head) / sizeof(struct tdk_dbn_ohlcv);
        size_t rest = (cut - head) % sizeof(struct tdk_dbn_ohlcv);
        assert_int_equal(told.ticks, records);
        assert_int_equal(told.controls, 1);
        assert_int_equal(told.rc, rest == 0 ? 0 : TDK_ETRUNCATED);
        if (rest == 0)
            continue;
        char offset[64];
        snprintf(offset, sizeof offset, "at offset %zu", head + records * 56);
        assert_non_null(strstr(told.err.text, offset));
    }
    free(whole.at);
}

static void packed_data_cut_at_any_byte_gives_what_is_good_and_says_so(void **state)
{
    (void)state;
    struct bytes whole = make_dbn(40, true, true);
    for (size_t cut = 4; cut < whole.size; cut++) {
        struct told told = read_bytes(whole.at, cut, &defaults);
        assert_int_equal(told.rc, TDK_ETRUNCATED);
        assert_true(told.ticks <= 40);
    }
    struct told told = read_bytes(whole.at, whole.size, &defaults);
    assert_int_equal(told.rc, 0);
    assert_int_equal(told.ticks, 40);
    free(whole.at);
}

static void packed_data_with_a_flipped_byte_is_damage_not_ticks_in_silence(void **state)
{
    (void)state;
    struct bytes whole = make_dbn(40, true, true);
    for (size_t i = 0; i < whole.size; i++) {
        whole.at[i] ^= 0x10;
        struct told told = read_bytes(whole.at, whole.size, &defaults);
        /* A flip that changes nothing is fine, because the checksum says that the content is the
         * same. */
        assert_true(told.rc < 0 || told.ticks == 40);
        whole.at[i] ^= 0x10;
    }
    free(whole.at);
}

static void frames_one_after_another_are_one_file(void **state)
{
    (void)state;
    static const char skippable[] = "\x50\x2a\x4d\x18\x04\0\0\0skip";
    struct bytes all = {0};
    struct bytes a = make_dbn(3, true, true), b = make_dbn(4, false, true);
    to_bytes(&all, skippable, 12);
    to_bytes(&all, a.at, a.size);
    to_bytes(&all, skippable, 12);
    to_bytes(&all, b.at, b.size);
    struct told told = read_bytes(all.at, all.size, &defaults);
    assert_int_equal(told.rc, 0);
    assert_int_equal(told.ticks, 7);
    free(a.at);
    free(b.at);
    free(all.at);
}

static void a_fragment_is_told_by_its_first_record(void **state)
{
    (void)state;
    struct bytes fragment = make_dbn(3, false, false);
    struct told told = read_bytes(fragment.at, fragment.size, &defaults);
    assert_int_equal(told.rc, 0);
    assert_int_equal(told.ticks, 3);
    assert_int_equal(told.controls, 0);

    fragment.at[56] = 2; /* the second record's length: 8 bytes */
    told = read_bytes(fragment.at, fragment.size, &defaults);
    assert_int_equal(told.rc, TDK_ECORRUPT);
    assert_int_equal(told.ticks, 1);
    assert_non_null(strstr(told.err.text, "damaged at offset 56"));

    fragment.at[56] = 14;
    fragment.at[57] = 0x77; /* an unknown type: kept, whatever it is */
    told = read_bytes(fragment.at, fragment.size, &defaults);
    assert_int_equal(told.rc, 0);
    assert_int_equal(told.ticks, 3);

    fragment.at[1] = 0x77; /* nothing tells what this is, unless the caller does */
    told = read_bytes(fragment.at, fragment.size, &defaults);
    assert_int_equal(told.rc, TDK_EFORMAT);
    struct source_options dbn = {.format = SOURCE_DBN};
    told = read_bytes(fragment.at, fragment.size, &dbn);
    assert_int_equal(told.ticks, 3);
    free(fragment.at);
}

static void long_metadata_is_told_in_parts(void **state)
{
    (void)state;
    static char names[300][8];
    static const char *items[300];
    for (size_t i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "S%zu", i);
        items[i] = names[i];
    }
    struct dbn_metadata m = {.version = 3, .schema = 5, .symbols = {items, 300}};
    void *wanted;
    size_t size, at = 0;
    assert_int_equal(dbn_metadata_encode(&m, &wanted, &size, NULL), 0);
    char path[PATH_SIZE];
    scratch_file(path, wanted, size);
    struct source *source;
    struct source_item item;
    struct source_options options = {.payload_max = 4096};
    assert_int_equal(source_open(&source, path, &options, NULL), 0);
    while (source_next(source, &item, NULL) == 1) {
        struct tdk_info info;
        memcpy(&info, item.payload, sizeof info);
        size_t part = item.size - sizeof info - info.key_size;
        assert_true(item.size <= 4096);
        assert_int_equal(info.total, size);
        assert_int_equal(info.offset, at);
        assert_memory_equal((const char *)item.payload + sizeof info + info.key_size,
                            (const char *)wanted + at, part);
        at += part;
    }
    assert_int_equal(at, size);
    source_close(source);
    unlink(path);
    free(wanted);
}

/* A length may say anything. Memory is taken only for bytes that are there. */
static void metadata_that_claims_to_be_huge_takes_no_memory(void **state)
{
    (void)state;
    struct bytes dbn = make_dbn(0, true, false);
    memcpy(dbn.at + 4, "\xf0\xff\xff\x0f", 4); /* just below the limit */
    struct told told = read_bytes(dbn.at, dbn.size, &defaults);
    assert_int_equal(told.rc, TDK_ETRUNCATED);
    free(dbn.at);
}

static void records_span_the_pieces_in_which_a_file_is_read(void **state)
{
    (void)state;
    struct bytes dbn = make_dbn(100000, true, false); /* 5.6 MB in pieces of 1 MiB */
    char path[PATH_SIZE];
    scratch_file(path, dbn.at, dbn.size);
    struct source *source;
    struct source_item item;
    assert_int_equal(source_open(&source, path, &defaults, NULL), 0);
    assert_int_equal(source_next(source, &item, NULL), 1);
    for (uint64_t i = 0; i < 100000; i++) {
        struct tdk_dbn_ohlcv bar;
        assert_int_equal(source_next(source, &item, NULL), 1);
        assert_int_equal(item.size, sizeof bar);
        memcpy(&bar, item.payload, sizeof bar);
        assert_int_equal(bar.volume, i);
        assert_int_equal(item.ts, i + 1);
    }
    assert_int_equal(source_next(source, &item, NULL), 0);
    source_close(source);
    unlink(path);
    free(dbn.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_cut_at_any_byte_keeps_its_whole_records),
        cmocka_unit_test(packed_data_cut_at_any_byte_gives_what_is_good_and_says_so),
        cmocka_unit_test(packed_data_with_a_flipped_byte_is_damage_not_ticks_in_silence),
        cmocka_unit_test(frames_one_after_another_are_one_file),
        cmocka_unit_test(a_fragment_is_told_by_its_first_record),
        cmocka_unit_test(long_metadata_is_told_in_parts),
        cmocka_unit_test(metadata_that_claims_to_be_huge_takes_no_memory),
        cmocka_unit_test(records_span_the_pieces_in_which_a_file_is_read),
    };
    return cmocka_run_group_tests_name("formats.source_dbn", tests, NULL, NULL);
}
