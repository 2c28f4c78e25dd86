#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "cli/output.h"
#include "tapedeck/dbn.h"

/* A frame with a record, as a ring has it. */
struct trade {
    struct tdk_frame frame;
    struct tdk_dbn_trades record;
};

static int count_question(void *context, const char *track, uint64_t epoch, const char *key,
                          void **value, size_t *size)
{
    unsigned *questions = context;
    (void)track;
    (void)epoch;
    (void)value;
    (void)size;
    assert_string_equal(key, "dbn.metadata");
    ++*questions;
    return -ENOENT; /* not made from a file */
}

static void put(struct output *output, const char *track, uint16_t number, uint64_t epoch)
{
    const struct trade trade = {
        .frame = {.size = sizeof trade.record, .track = number, .type = TDK_TYPE_DBN, .ts = 1},
        .record = {.head = {.length = sizeof trade.record / 4, .rtype = TDK_RTYPE_TRADES},
                   .ts_recv = 1},
    };
    struct tdk_err err;
    int rc = output_put(output, track, number, epoch, &trade.frame, sizeof trade, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
}

/* A head may be long, and the ticks of merged tracks alternate. */
static void each_epoch_is_asked_for_its_head_once(void **state)
{
    (void)state;
    unsigned questions = 0;
    struct output *output;
    const struct output_options options = {
        .format = OUTPUT_DBN,
        .path = "/dev/null",
        .live = true,
        .facts = {.context = &questions, .property = count_question},
    };
    assert_int_equal(output_open(&output, &options, NULL), 0);
    for (int i = 0; i < 10; i++) {
        put(output, "a", 0, 5);
        put(output, "b", 65535, 5);
    }
    assert_int_equal(questions, 2);
    for (int i = 0; i < 10; i++) {
        put(output, "a", 0, 6);
        put(output, "b", 65535, 5);
    }
    assert_int_equal(questions, 3);
    assert_int_equal(output_finish(output, NULL), 0);
    output_close(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_epoch_is_asked_for_its_head_once),
    };
    return cmocka_run_group_tests_name("cli.output_dbn", tests, NULL, NULL);
}
