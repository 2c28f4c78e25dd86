#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "tapedeck/dbn.h"

/* A frame with a trade, as a ring has it. */
struct trade {
    struct tdk_frame frame;
    struct tdk_wide_trade record;
};

/* Kind 7 of track "a" is "a7". */
static int tell_kind(void *context, const char *track, uint64_t epoch, const char *key,
                     void **value, size_t *size)
{
    unsigned *questions = context, kind = 0;
    char name[16];
    (void)epoch;
    ++*questions;
    assert_int_equal(sscanf(key, "message_type.%u", &kind), 1);
    *size = (size_t)snprintf(name, sizeof name, "%s%u", track, kind);
    *value = strdup(name);
    return 0;
}

static void put(struct output *output, const char *track, uint16_t number, uint16_t kind)
{
    const struct trade trade = {
        .frame = {.size = sizeof trade.record, .track = number, .type = TDK_TYPE_WIDE, .ts = 1},
        .record = {.head = {.length = sizeof trade.record / 4,
                            .rtype = TDK_RTYPE_WIDE_TRADE,
                            .ts_event = 1},
                   .kind = kind},
    };
    struct tdk_err err;
    int rc = output_put(output, track, number, 5, &trade.frame, sizeof trade, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
}

static void check_lines(const char *path, unsigned count)
{
    FILE *file = fopen(path, "r");
    char line[200], end[40];
    assert_non_null(file);
    for (unsigned i = 0; i < count; i++) {
        snprintf(end, sizeof end, "\"message_type\":\"%c%u\"}\n", "ab"[i % 2], 1 + i / 2 % 30);
        assert_non_null(fgets(line, sizeof line, file));
        assert_non_null(strstr(line, end));
    }
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
}

/* The ticks of a file have now this kind, now that one; a question may go over a network. */
static void each_kind_is_asked_for_its_name_once(void **state)
{
    (void)state;
    unsigned questions = 0;
    char folder[] = "/tmp/tapedeck-test-XXXXXX", path[64];
    struct output *output;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out.jsonl", folder);
    const struct output_options options = {
        .format = OUTPUT_JSONL,
        .path = path,
        .five = true,
        .facts = {.context = &questions, .property = tell_kind},
    };
    assert_int_equal(output_open(&output, &options, NULL), 0);
    for (unsigned i = 0; i < 600; i++)
        put(output, i % 2 == 0 ? "a" : "b", (uint16_t)(i % 2), (uint16_t)(1 + i / 2 % 30));
    assert_int_equal(output_finish(output, NULL), 0);
    output_close(output);
    assert_int_equal(questions, 60);
    check_lines(path, 600);
    remove(path);
    remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_asked_for_its_name_once),
    };
    return cmocka_run_group_tests_name("cli.output_five", tests, NULL, NULL);
}
