/* Files of lines, and how a source finds out what a file is. */
#include "tests/support/sourcing.h"

#include <errno.h>
#include <zlib.h>

#include "base/bytes.h"
#include "formats/five_names.h"
#include "tapedeck/dbn.h"

static void append_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "ab");
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void members_one_after_another_are_one_file(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    scratch_file(path, "", 0);
    for (int i = 0; i < 3; i++) {
        gzFile file = gzopen(path, "ab");
        assert_non_null(file);
        gzprintf(file, "%d one\n%d two\n", i, i);
        gzclose(file);
    }
    struct told told = read_path(path, &defaults);
    assert_int_equal(told.rc, 0);
    assert_int_equal(told.ticks, 6);
    append_bytes(path, "junk", 4);
    told = read_path(path, &defaults);
    assert_int_equal(told.rc, TDK_ECORRUPT);
    assert_int_equal(told.ticks, 6);
    assert_int_equal(truncate(path, 20), 0); /* inside the first member */
    told = read_path(path, &defaults);
    assert_int_equal(told.rc, TDK_ETRUNCATED);
    unlink(path);
}

/* As a tape drive pads, and as files are that were padded and then appended to. */
static void zeros_between_members_hide_nothing(void **state)
{
    (void)state;
    static const char zeros[512];
    char path[PATH_SIZE];
    scratch_file(path, "", 0);
    for (int i = 0; i < 2; i++) {
        gzFile file = gzopen(path, "ab");
        gzprintf(file, "%d one\n", i);
        gzclose(file);
        append_bytes(path, zeros, sizeof zeros);
    }
    struct told told = read_path(path, &defaults);
    assert_int_equal(told.rc, 0);
    assert_int_equal(told.ticks, 2);
    append_bytes(path, "junk", 4);
    told = read_path(path, &defaults);
    assert_int_equal(told.rc, TDK_ECORRUPT);
    assert_int_equal(told.ticks, 2);
    unlink(path);
}

/* A frame that needs 2 GiB of memory, of one block with "1 a". */
static void a_window_that_is_too_large_says_what_to_do(void **state)
{
    (void)state;
    static const char frame[] = "\x28\xb5\x2f\xfd\0\xa8\x21\0\0"
                                "1 a\n";
    struct told told = read_bytes(frame, sizeof frame - 1, &defaults);
    assert_int_equal(told.rc, TDK_ECORRUPT);
    assert_non_null(strstr(told.err.text, "zstd -d --long=31"));
}

/* The beginning of a line that broke off could pass for a whole line. */
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

static void a_byte_order_mark_in_front_of_a_text_is_nothing(void **state)
{
    (void)state;
    static const struct {
        enum source_format format;
        const char *map, *text; /* two ticks */
    } files[] = {
        {SOURCE_FIVE, NULL, FIVE("A", "1", "trade") "\n" FIVE("A", "2", "trade") "\n"},
        {SOURCE_LINES, NULL, "1 a\n2 b\n"},
        {SOURCE_CRYPTOFEED, NULL, "1.5: {}\n2.5: {}\n"},
        {SOURCE_CSV, "ts=t", "t,x\n1,a\n2,b\n"},
        {SOURCE_CSV, "ts=#1", "1,a\n2,b\n"},
    };
    for (size_t i = 0; i < array_size(files); i++)
        for (int known = 0; known < 2; known++) {
            struct source_options options = defaults;
            options.format = known ? files[i].format : SOURCE_AUTO;
            options.map = files[i].map;
            char text[256] = "\xef\xbb\xbf";
            strcat(text, files[i].text);
            struct told told = read_bytes(text, strlen(text), &options);
            assert_int_equal(told.rc, 0);
            assert_int_equal(told.malformed, 0);
            assert_int_equal(told.ticks, 2);
        }
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
    assert_non_null(strstr(told.err.text, ": line 2: \"timestamp\" is missing"));

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
        told = read_bytes("", 0, &options); /* the format was given: no ticks, no error */
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

/* Whoever writes slowly into a pipe sees each line taken as soon as it is whole. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_one_after_another_are_one_file),
        cmocka_unit_test(zeros_between_members_hide_nothing),
        cmocka_unit_test(a_window_that_is_too_large_says_what_to_do),
        cmocka_unit_test(a_line_that_breaks_off_in_packed_data_is_not_taken),
        cmocka_unit_test(five_field_lines_announce_what_is_new),
        cmocka_unit_test(a_byte_order_mark_in_front_of_a_text_is_nothing),
        cmocka_unit_test(files_of_one_epoch_share_their_names),
        cmocka_unit_test(a_malformed_line_is_skipped_and_named),
        cmocka_unit_test(a_line_longer_than_a_payload_is_skipped),
        cmocka_unit_test(what_is_nothing_known_says_what_was_tried),
        cmocka_unit_test(a_bad_first_line_does_not_hide_what_follows),
        cmocka_unit_test(a_pipe_is_read_as_it_comes),
    };
    return cmocka_run_group_tests_name("formats.source", tests, NULL, NULL);
}
