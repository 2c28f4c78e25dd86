/* What messages say, and what is not a message. */
#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "wire/message.h"

static struct wire_decoder *decoder;

static int setup(void **state)
{
    (void)state;
    return wire_decoder_open(&decoder);
}

static int teardown(void **state)
{
    (void)state;
    wire_decoder_close(decoder);
    return 0;
}

static int decode(const struct text_buffer *bytes, struct wire_message *m)
{
    return wire_decode(decoder, bytes->bytes, bytes->size, m, NULL);
}

static void a_request_says_what_was_put_in(void **state)
{
    (void)state;
    struct text_buffer out;
    struct wire_message m;
    uint64_t number = 0;
    bool flag = false;
    char name[8];
    struct wire_text bytes;
    struct wire_list list;
    text_init(&out);
    wire_begin_request(&out, UINT64_MAX, "play");
    size_t map = wire_open_map(&out);
    wire_pair_u64(&out, "number", UINT64_MAX);
    wire_pair_bool(&out, "flag", true);
    wire_pair_string(&out, "name", "abcdefg");
    wire_put_string(&out, "bytes");
    wire_put_bytes(&out, "\0\1", 2);
    wire_put_string(&out, "list");
    size_t items = wire_open_list(&out);
    wire_put_u64(&out, 1);
    wire_put_nil(&out);
    wire_close_list(&out, items, 2);
    wire_close_map(&out, map, 5);

    assert_int_equal(decode(&out, &m), 0);
    assert_int_equal(m.kind, WIRE_REQUEST);
    assert_true(m.has_id && m.id == UINT64_MAX);
    assert_true(wire_text_is(m.method, "play"));
    assert_int_equal(wire_u64(m.params, "number", &number, NULL), 1);
    assert_true(number == UINT64_MAX);
    assert_int_equal(wire_bool(m.params, "flag", &flag, NULL), 1);
    assert_true(flag);
    assert_int_equal(wire_string(m.params, "name", name, sizeof name, NULL), 1);
    assert_string_equal(name, "abcdefg");
    assert_int_equal(wire_bytes(m.params, "bytes", &bytes, NULL), 1);
    assert_int_equal(bytes.size, 2);
    assert_int_equal(wire_list(m.params, "list", &list, NULL), 1);
    assert_int_equal(list.count, 2);
    assert_int_equal(wire_item_u64(list, 0, &number, NULL), 1);
    assert_int_equal(wire_item_u64(list, 1, &number, NULL), 0);
    text_close(&out);
}

static void a_value_of_another_kind_is_refused_by_its_name(void **state)
{
    (void)state;
    struct text_buffer out;
    struct wire_message m;
    struct tdk_err err;
    uint64_t number = 5;
    char name[4];
    text_init(&out);
    wire_begin_notification(&out, "x");
    wire_put_map(&out, 4);
    wire_pair_string(&out, "from", "yesterday");
    wire_put_string(&out, "limit");
    text_add_char(&out, (char)0xff); /* -1 */
    wire_put_string(&out, "none");
    wire_put_nil(&out);
    wire_put_string(&out, "nul");
    text_add(&out,
             "\xa3"
             "a\0b",
             4);
    assert_int_equal(decode(&out, &m), 0);
    assert_int_equal(wire_u64(m.params, "from", &number, &err), TDK_EVALUE);
    assert_string_equal(err.text, "from: not an integer from 0 on");
    assert_int_equal(wire_u64(m.params, "limit", &number, &err), TDK_EVALUE);
    assert_int_equal(wire_u64(m.params, "none", &number, &err), 0);
    assert_int_equal(wire_u64(m.params, "absent", &number, &err), 0);
    assert_int_equal(number, 5);
    assert_int_equal(wire_string(m.params, "from", name, sizeof name, &err), TDK_EVALUE);
    assert_int_equal(wire_string(m.params, "nul", name, sizeof name, &err), TDK_EVALUE);
    text_close(&out);
}

static void an_error_comes_back_as_it_went(void **state)
{
    (void)state;
    struct text_buffer out;
    struct wire_message m;
    struct tdk_err err = {.code = TDK_ECORRUPT, .text = "segment 3: damaged \xff"}, told;
    uint64_t id = 3, wait = 0;
    char name[32];
    text_init(&out);
    wire_put_failure(&out, &id, &err, 12345);
    assert_int_equal(decode(&out, &m), 0);
    assert_int_equal(m.kind, WIRE_RESPONSE);
    assert_true(m.failed && m.has_id && m.id == 3);
    assert_true(wire_get_error(m.error, &told));
    assert_int_equal(told.code, TDK_ECORRUPT);
    assert_string_equal(told.text, "segment 3: damaged ?"); /* always text, whatever was in it */
    assert_int_equal(wire_string(m.error, "name", name, sizeof name, NULL), 1);
    assert_string_equal(name, "ECORRUPT");
    assert_int_equal(wire_u64(m.error, "retry_after", &wait, NULL), 1);
    assert_int_equal(wait, 12345);

    text_clear(&out);
    wire_put_failure(&out, NULL, &err, 0);
    assert_int_equal(decode(&out, &m), 0);
    assert_true(m.failed && !m.has_id);
    text_close(&out);
}

static void every_code_of_ours_has_a_name(void **state)
{
    (void)state;
    for (int code = TDK_EAWAY; code <= TDK_ECORRUPT; code++)
        assert_string_not_equal(wire_error_name(code), "EUNKNOWN");
    assert_string_equal(wire_error_name(-ENOSYS), "ENOSYS");
    assert_string_equal(wire_error_name(wire_error_code(TDK_ENOTRACK)), "ENOENT");
    assert_string_equal(wire_error_name(wire_error_code(TDK_EVALUE)), "EINVAL");
    assert_string_equal(wire_error_name(7), "EUNKNOWN");
}

static void what_is_no_message_is_no_message(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } wrong[] = {
        {"\x90", 1},                  /* empty */
        {"\x93\x02\xa1x", 3},         /* cut */
        {"\x93\x02\xa1x\x80\x00", 6}, /* something after it */
        {"\x93\x00\xa1x\x80", 5},     /* a request without id */
        {"\x94\x00\xff\xa1x\x80", 6}, /* an id below 0 */
        {"\x94\x00\x01\x01\x80", 5},  /* a method that is a number */
        {"\x94\x00\x01\xa1x\x90", 6}, /* params that are a list */
        {"\x94\x03\x01\xa1x\x80", 6}, /* a fourth kind */
        {"\x94\x01\x01\x05\x80", 5},  /* an error that is a number */
        {"\x94\x01\x01\xc0\x05", 5},  /* a result that is one */
    };
    struct wire_message m;
    struct tdk_err err;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(wire_decode(decoder, wrong[i].bytes, wrong[i].size, &m, &err),
                         TDK_EFORMAT);
}

static void a_map_is_written_as_json_without_what_is_hidden(void **state)
{
    (void)state;
    struct text_buffer out, json;
    struct wire_message m;
    text_init(&out);
    text_init(&json);
    wire_begin_request(&out, 1, "hello");
    wire_put_map(&out, 3);
    wire_pair_string(&out, "token", "secret");
    wire_put_string(&out, "list");
    wire_put_list(&out, 2);
    text_add_char(&out, (char)0xfc); /* -4 */
    wire_put_bool(&out, true);
    wire_put_string(&out, "\"");
    wire_put_bytes(&out, "abc", 3);
    assert_int_equal(decode(&out, &m), 0);
    wire_json(&json, m.params, "token");
    text_add_char(&json, '\0');
    assert_string_equal(json.bytes, "{\"token\":\"...\",\"list\":[-4,true],\"\\\"\":\"3 bytes\"}");
    text_close(&out);
    text_close(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_says_what_was_put_in),
        cmocka_unit_test(a_value_of_another_kind_is_refused_by_its_name),
        cmocka_unit_test(an_error_comes_back_as_it_went),
        cmocka_unit_test(every_code_of_ours_has_a_name),
        cmocka_unit_test(what_is_no_message_is_no_message),
        cmocka_unit_test(a_map_is_written_as_json_without_what_is_hidden),
    };
    return cmocka_run_group_tests_name("wire.message", tests, setup, teardown);
}
