#include "tests/support/files.h"

#include <errno.h>
#include <zlib.h>

#include "formats/dbn.h"
#include "formats/dbn_write.h"
#include "formats/five_names.h"
#include "formats/input.h"
#include "formats/source.h"

static const struct source_options defaults = {.payload_max = TDK_PAYLOAD_DEFAULT_MAX};

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

/* `count` bars of a second each; metadata or none. */
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

struct told {
    uint64_t ticks, controls, malformed;
    int rc;             /* of the last call, or of source_open() */
    struct tdk_err err; /* of the last failure */
};

static struct told read_path(const char *path, const struct source_options *options)
{
    struct told told = {0};
    struct source *source;
    struct source_item item;
    told.rc = source_open(&source, path, options, &told.err);
    if (told.rc < 0)
        return told;
    for (;;) {
        told.rc = source_next(source, &item, &told.err);
        if (told.rc == TDK_EVALUE)
            told.malformed++;
        else if (told.rc != 1)
            break;
        else if (tdk_type_is_control(item.type))
            told.controls++;
        else
            told.ticks++;
    }
    assert_int_equal(source_next(source, &item, NULL), 0); /* once over, it stays over */
    source_close(source);
    return told;
}

static struct told read_bytes(const void *bytes, size_t size, const struct source_options *options)
{
    char path[PATH_SIZE];
    scratch_file(path, bytes, size);
    struct told told = read_path(path, options);
    unlink(path);
    return told;
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
        /* A bit that changes nothing is fine: the checksum says that the content is the same. */
        assert_true(told.rc < 0 || told.ticks == 40);
        whole.at[i] ^= 0x10;
    }
    free(whole.at);
}

static void frames_and_members_one_after_another_are_one_file(void **state)
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

    char path[PATH_SIZE];
    scratch_file(path, "", 0);
    for (int i = 0; i < 3; i++) {
        gzFile file = gzopen(path, "ab");
        assert_non_null(file);
        gzprintf(file, "%d one\n%d two\n", i, i);
        gzclose(file);
    }
    told = read_path(path, &defaults);
    assert_int_equal(told.rc, 0);
    assert_int_equal(told.ticks, 6);
    FILE *file = fopen(path, "ab");
    fputs("junk", file);
    fclose(file);
    told = read_path(path, &defaults);
    assert_int_equal(told.rc, TDK_ECORRUPT);
    assert_int_equal(told.ticks, 6);
    assert_int_equal(truncate(path, 20), 0); /* inside the first member */
    told = read_path(path, &defaults);
    assert_int_equal(told.rc, TDK_ETRUNCATED);
    unlink(path);
}

/* The beginning of a line that broke off could pass for a line. */
static void a_line_that_breaks_off_in_packed_data_is_not_taken(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    scratch_file(path, "", 0);
    gzFile file = gzopen(path, "wb");
    gzprintf(file, "1 first\n2 second");
    gzflush(file, Z_SYNC_FLUSH);
    gzprintf(file, " goes on\n");
    gzclose(file);
    assert_int_equal(truncate(path, 34), 0);
    struct told told = read_path(path, &defaults);
    assert_int_equal(told.rc, TDK_ETRUNCATED);
    assert_int_equal(told.ticks, 1);
    unlink(path);
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

    fragment.at[1] = 0x77; /* nothing tells what this is, unless somebody says so */
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

#define FIVE(symbol, timestamp, type)                                                              \
    "{\"symbol\":\"" symbol "\",\"timestamp\":" timestamp                                          \
    ",\"price\":1.5,\"volume\":2,\"message_type\":\"" type "\"}"

static void five_field_lines_announce_what_is_new(void **state)
{
    (void)state;
    static const char lines[] = FIVE("A", "1", "trade") "\n" FIVE(
        "B", "2", "quote") "\r\n\n\r\n" FIVE("A", "3", "quote") "\n" FIVE("A", "4", "trade");
    static const uint8_t wanted[] = {TDK_TYPE_SYMBOL, TDK_TYPE_WIDE, TDK_TYPE_SYMBOL, TDK_TYPE_INFO,
                                     TDK_TYPE_WIDE,   TDK_TYPE_WIDE, TDK_TYPE_WIDE};
    char path[PATH_SIZE];
    scratch_file(path, lines, sizeof lines - 1);
    struct source *source;
    struct source_item item;
    assert_int_equal(source_open(&source, path, &defaults, NULL), 0);
    uint32_t id = 0;
    uint64_t ticks = 0;
    for (size_t i = 0; i < array_size(wanted); i++) {
        assert_int_equal(source_next(source, &item, NULL), 1);
        assert_int_equal(item.type, wanted[i]);
        if (item.type == TDK_TYPE_SYMBOL) {
            struct tdk_symbol symbol;
            memcpy(&symbol, item.payload, sizeof symbol);
            assert_int_equal(item.size, sizeof symbol + 1);
            assert_int_equal(symbol.from, 0);
            assert_int_equal(symbol.to, UINT64_MAX);
            id = symbol.instrument_id;
        } else if (item.type == TDK_TYPE_WIDE) {
            const struct tdk_wide_trade *trade = item.payload;
            assert_true(tdk_dbn_check(TDK_TYPE_WIDE, trade, item.size));
            assert_int_equal(item.ts, ++ticks * 1000000000);
            assert_int_equal(trade->head.ts_event, item.ts);
            assert_int_equal(trade->price, 1500000000);
            assert_int_equal(trade->size, 2000000000);
            assert_int_equal(trade->kind == 0, ticks == 1 || ticks == 4);
            assert_true(ticks > 2 || trade->head.instrument_id == id);
        }
    }
    assert_int_equal(source_next(source, &item, NULL), 0);
    source_close(source);
    unlink(path);
}

static void files_of_one_epoch_share_their_names(void **state)
{
    (void)state;
    static const char lines[] = FIVE("A", "1", "quote") "\n";
    struct source_options options = defaults;
    assert_int_equal(five_names_open(&options.names), 0);
    struct told first = read_bytes(lines, sizeof lines - 1, &options);
    struct told second = read_bytes(lines, sizeof lines - 1, &options);
    assert_int_equal(first.controls, 2);
    assert_int_equal(second.controls, 0); /* known already */
    five_names_close(options.names);
}

static void a_malformed_line_is_skipped_and_named(void **state)
{
    (void)state;
    static const char lines[] =
        FIVE("A", "1", "t") "\n{\"symbol\":\"A\"}\n" FIVE("A", "2", "t") "\n";
    struct told told = read_bytes(lines, sizeof lines - 1, &defaults);
    assert_int_equal(told.rc, 0);
    assert_int_equal(told.ticks, 2);
    assert_int_equal(told.malformed, 1);
    assert_non_null(strstr(told.err.text, ": line 2: no \"timestamp\""));

    static const char plain[] = "1 a\nbad\n3 c";
    told = read_bytes(plain, sizeof plain - 1, &defaults);
    assert_int_equal(told.ticks, 2);
    assert_int_equal(told.malformed, 1);
    assert_non_null(strstr(told.err.text, ": line 2: does not begin with a time in ns"));
}

static void a_line_longer_than_a_payload_is_skipped(void **state)
{
    (void)state;
    size_t size = 3 << 20;
    char *lines = malloc(size);
    assert_non_null(lines);
    memset(lines, 'x', size);
    memcpy(lines, "1 a\n2 ", 6); /* then far too much */
    memcpy(lines + size - 9, "\n3 c\n4 d\n", 9);
    struct told told = read_bytes(lines, size, &defaults);
    assert_int_equal(told.ticks, 3);
    assert_int_equal(told.malformed, 1);
    assert_non_null(strstr(told.err.text, "line 2: longer than"));

    struct source_options options = {.payload_max = 4096};
    memcpy(lines, "1 a\n", 4);
    lines[4 + 2 + 4096] = '\n'; /* a payload of just 4096 */
    memcpy(lines + 4 + 2 + 4097, "2 ", 2);
    lines[4 + 2 + 4097 + 2 + 4097] = '\n'; /* and one of 4097 */
    told = read_bytes(lines, 4 + 2 + 4097 + 2 + 4098, &options);
    assert_int_equal(told.ticks, 2);
    assert_int_equal(told.malformed, 1);
    assert_non_null(strstr(told.err.text, "line 3: a payload of 4097 bytes; at most 4096 fit"));
    free(lines);
}

static void what_is_nothing_known_says_what_was_tried(void **state)
{
    (void)state;
    struct source_options options = defaults;
    struct told told = read_bytes("hello world\n", 12, &defaults);
    assert_int_equal(told.rc, TDK_EFORMAT);
    assert_non_null(strstr(told.err.text, "neither DBN"));
    assert_int_equal(read_bytes("", 0, &defaults).rc, TDK_EFORMAT);
    assert_int_equal(read_bytes("DBN\x04\x64\0\0\0", 8, &defaults).rc, TDK_EVERSION);
    assert_int_equal(read_bytes("12345\n", 6, &defaults).rc, TDK_EFORMAT);
    for (options.format = SOURCE_DBN; options.format <= SOURCE_LINES; options.format++) {
        told = read_bytes("", 0, &options); /* it was said what it is: no ticks, no error */
        assert_int_equal(told.rc, 0);
        assert_int_equal(told.ticks, 0);
    }
    options = (struct source_options){.payload_max = 100};
    assert_int_equal(read_bytes("1 a\n", 4, &options).rc, TDK_EVALUE);
    told = read_path("/nowhere/to/be/found", &defaults);
    assert_int_equal(told.rc, -ENOENT);
    assert_string_equal(told.err.text, "open /nowhere/to/be/found: No such file or directory");
    assert_int_equal(read_path("/tmp", &defaults).rc, -EISDIR);
}

static void a_bad_first_line_does_not_hide_what_follows(void **state)
{
    (void)state;
    static const char lines[] = "garbage\n" FIVE("A", "1", "t") "\n" FIVE("A", "2", "t");
    struct told told = read_bytes(lines, sizeof lines - 1, &defaults);
    assert_int_equal(told.ticks, 2);
    assert_int_equal(told.malformed, 1);
    assert_non_null(strstr(told.err.text, ": line 1: "));
    told = read_bytes("\n\r\n\n12 a\n", 10, &defaults);
    assert_int_equal(told.ticks, 1);
    static const char other[] = "int main(void)\n{\n    return 0;\n}\n";
    assert_int_equal(read_bytes(other, sizeof other - 1, &defaults).rc, TDK_EFORMAT);
}

/* Whoever writes slowly into a pipe sees each line taken when it is whole. */
static void a_pipe_is_read_as_it_comes(void **state)
{
    (void)state;
    int ends[2];
    char path[PATH_SIZE];
    struct source *source;
    struct source_item item;
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    assert_int_equal(write(ends[1], "1 a\n", 4), 4);
    assert_int_equal(source_open(&source, path, &defaults, NULL), 0);
    assert_int_equal(source_next(source, &item, NULL), 1);
    assert_int_equal(item.type, TDK_TYPE_INFO);
    for (uint64_t i = 1; i < 4; i++) {
        assert_int_equal(source_next(source, &item, NULL), 1);
        assert_int_equal(item.ts, i);
        char line[8];
        int size = snprintf(line, sizeof line, "%u a\n", (unsigned)i + 1);
        assert_int_equal(write(ends[1], line, (size_t)size), size);
    }
    close(ends[1]);
    assert_int_equal(source_next(source, &item, NULL), 1);
    assert_int_equal(source_next(source, &item, NULL), 0);
    source_close(source);
    close(ends[0]);
}

static void formats_have_names(void **state)
{
    (void)state;
    enum source_format format;
    assert_true(source_format_parse("jsonl", &format));
    assert_int_equal(format, SOURCE_FIVE);
    assert_true(source_format_parse("auto", &format));
    assert_int_equal(format, SOURCE_AUTO);
    assert_false(source_format_parse("DBN", &format));
}

/* A length may say anything: memory is taken only for bytes that are there. */
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
        cmocka_unit_test(frames_and_members_one_after_another_are_one_file),
        cmocka_unit_test(a_line_that_breaks_off_in_packed_data_is_not_taken),
        cmocka_unit_test(a_fragment_is_told_by_its_first_record),
        cmocka_unit_test(long_metadata_is_told_in_parts),
        cmocka_unit_test(five_field_lines_announce_what_is_new),
        cmocka_unit_test(files_of_one_epoch_share_their_names),
        cmocka_unit_test(a_malformed_line_is_skipped_and_named),
        cmocka_unit_test(a_line_longer_than_a_payload_is_skipped),
        cmocka_unit_test(what_is_nothing_known_says_what_was_tried),
        cmocka_unit_test(a_bad_first_line_does_not_hide_what_follows),
        cmocka_unit_test(a_pipe_is_read_as_it_comes),
        cmocka_unit_test(formats_have_names),
        cmocka_unit_test(metadata_that_claims_to_be_huge_takes_no_memory),
        cmocka_unit_test(records_span_the_pieces_in_which_a_file_is_read),
    };
    return cmocka_run_group_tests_name("formats.source", tests, NULL, NULL);
}
