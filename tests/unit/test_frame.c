/* The walk that finds where a message ends, tried at every cut and every bound. */
#include "tests/support/check.h"

#include <string.h>

#include "wire/frame.h"
#include "wire/message.h"

static struct text_buffer hello(void)
{
    struct text_buffer out;
    text_init(&out);
    wire_begin_request(&out, 7, "hello");
    wire_put_map(&out, 4);
    wire_pair_string(&out, "client", "a client whose name takes more than thirty-two bytes");
    wire_pair_u64(&out, "protocol", UINT64_MAX);
    wire_put_string(&out, "blob");
    wire_put_bytes(&out, "\0\xc1\xff", 3);
    wire_put_string(&out, "none");
    wire_put_list(&out, 0);
    return out;
}

static int walk(const void *bytes, size_t size, size_t *used)
{
    struct frame frame;
    frame_begin(&frame, &frame_from_client);
    return frame_walk(&frame, bytes, size, used, NULL);
}

static void a_message_ends_at_the_same_byte_however_it_is_cut(void **state)
{
    (void)state;
    struct text_buffer m = hello();
    size_t whole = m.size, used;
    text_add(&m, "rest", 4);
    assert_int_equal(walk(m.bytes, m.size, &used), 1);
    assert_int_equal(used, whole);
    for (size_t first = 1; first < whole; first++) {
        struct frame frame;
        frame_begin(&frame, &frame_from_client);
        assert_int_equal(frame_walk(&frame, m.bytes, first, &used, NULL), 0);
        assert_int_equal(used, first);
        assert_true(frame_is_begun(&frame));
        assert_int_equal(frame_walk(&frame, m.bytes + first, m.size - first, &used, NULL), 1);
        assert_int_equal(first + used, whole);
        assert_int_equal(frame.size, whole);
    }
    text_close(&m);
}

static void a_message_ends_at_the_same_byte_when_it_comes_byte_by_byte(void **state)
{
    (void)state;
    struct text_buffer m = hello();
    struct frame frame;
    size_t used;
    frame_begin(&frame, &frame_from_client);
    for (size_t i = 0; i + 1 < m.size; i++)
        assert_int_equal(frame_walk(&frame, m.bytes + i, 1, &used, NULL), 0);
    assert_int_equal(frame_walk(&frame, m.bytes + m.size - 1, 1, &used, NULL), 1);
    text_close(&m);
}

/* Each kind of item passes. With one byte less it is not complete. */
static void every_kind_of_item_has_its_size(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t head, body;
    } items[] = {
        {"\x00", 1, 0},           {"\x7f", 1, 0},           {"\xe0", 1, 0},
        {"\xc0", 1, 0},           {"\xc2", 1, 0},           {"\xc3", 1, 0},
        {"\xc4\x03", 2, 3},       {"\xc5\x00\x03", 3, 3},   {"\xc6\0\0\0\x03", 5, 3},
        {"\xc7\x03\x01", 3, 3},   {"\xc8\0\x03\x01", 4, 3}, {"\xc9\0\0\0\x03\x01", 6, 3},
        {"\xca", 1, 4},           {"\xcb", 1, 8},           {"\xcc", 1, 1},
        {"\xcd", 1, 2},           {"\xce", 1, 4},           {"\xcf", 1, 8},
        {"\xd0", 1, 1},           {"\xd1", 1, 2},           {"\xd2", 1, 4},
        {"\xd3", 1, 8},           {"\xd4", 1, 2},           {"\xd5", 1, 3},
        {"\xd6", 1, 5},           {"\xd7", 1, 9},           {"\xd8", 1, 17},
        {"\xd9\x03", 2, 3},       {"\xda\0\x03", 3, 3},     {"\xdb\0\0\0\x03", 5, 3},
        {"\xa3", 1, 3},           {"\x92\x01", 2, 1},       {"\x81\x01", 2, 1},
        {"\xdc\0\x02", 3, 2},     {"\xdd\0\0\0\x02", 5, 2}, {"\xde\0\x01", 3, 2},
        {"\xdf\0\0\0\x01", 5, 2},
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        char bytes[32] = "\x91";
        size_t size = 1 + items[i].head + items[i].body, used;
        memcpy(bytes + 1, items[i].bytes, items[i].head);
        assert_int_equal(walk(bytes, size - 1, &used), 0);
        assert_int_equal(walk(bytes, sizeof bytes, &used), 1);
        assert_int_equal(used, size);
    }
}

static void what_is_no_message_is_refused_at_its_first_byte(void **state)
{
    (void)state;
    static const char firsts[] = {0,          'G',        (char)0xc0, (char)0xc1,
                                  (char)0x81, (char)0xa1, (char)0xdf, (char)0xff};
    size_t used;
    for (size_t i = 0; i < sizeof firsts; i++)
        assert_int_equal(walk(&firsts[i], 1, &used), TDK_EFORMAT);
    assert_int_equal(walk("\x92\x00\xc1", 3, &used), TDK_EFORMAT); /* and deeper inside */
}

static void a_length_counts_when_it_is_declared(void **state)
{
    (void)state;
    size_t used;
    assert_int_equal(walk("\x91\xc6\xff\xff\xff\xff", 6, &used), TDK_EFULL);
    assert_int_equal(walk("\x91\xdb\x00\x01\x00\x00", 6, &used), TDK_EFULL);
    assert_int_equal(walk("\x91\xc9\xff\xff\xff\xff", 6, &used), TDK_EFULL);
    assert_int_equal(walk("\xdd\xff\xff\xff\xff", 5, &used), TDK_EFULL);
    assert_int_equal(walk("\x91\xdf\xff\xff\xff\xff", 6, &used), TDK_EFULL);
}

static void a_message_of_the_largest_size_passes_and_one_byte_more_does_not(void **state)
{
    (void)state;
    static char bytes[FRAME_REQUEST_SIZE + 1] = "\x91\xc6";
    size_t used, body = FRAME_REQUEST_SIZE - 6;
    bytes[3] = (char)(body >> 16);
    bytes[4] = (char)(body >> 8 & 0xff);
    bytes[5] = (char)(body & 0xff);
    assert_int_equal(walk(bytes, sizeof bytes, &used), 1);
    assert_int_equal(used, FRAME_REQUEST_SIZE);
    bytes[5]++;
    assert_int_equal(walk(bytes, 6, &used), TDK_EFULL);
}

/* What a message has promised so far is known at each moment. The limit looks at that. */
static void promises_add_up(void **state)
{
    (void)state;
    size_t used;
    struct frame frame;
    frame_begin(&frame, &frame_from_client);
    assert_int_equal(frame_walk(&frame, "\xdc\x04\x00", 3, &used, NULL), 0);
    for (unsigned i = 0; i < 7; i++) /* nested: none of them comes to its end */
        assert_int_equal(frame_walk(&frame, "\xde\x04\x00", 3, &used, NULL), 0);
    assert_int_equal(frame.owed, 1024 - 1 + 7 * (2048 - 1) + 1);
    assert_int_equal(walk("\xdc\x04\x01", 3, &used), TDK_EFULL); /* 1025 items */
}

static void eight_levels_pass_and_nine_do_not(void **state)
{
    (void)state;
    static const char nine[] = "\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0";
    size_t used;
    assert_int_equal(walk(nine + 1, 9, &used), 1);
    assert_int_equal(walk(nine, 10, &used), TDK_EFULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_ends_at_the_same_byte_however_it_is_cut),
        cmocka_unit_test(a_message_ends_at_the_same_byte_when_it_comes_byte_by_byte),
        cmocka_unit_test(every_kind_of_item_has_its_size),
        cmocka_unit_test(what_is_no_message_is_refused_at_its_first_byte),
        cmocka_unit_test(a_length_counts_when_it_is_declared),
        cmocka_unit_test(a_message_of_the_largest_size_passes_and_one_byte_more_does_not),
        cmocka_unit_test(promises_add_up),
        cmocka_unit_test(eight_levels_pass_and_nine_do_not),
    };
    return cmocka_run_group_tests_name("wire.frame", tests, NULL, NULL);
}
