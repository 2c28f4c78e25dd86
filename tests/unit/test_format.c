/* The example in docs/tape-format.md is what the code writes, byte for byte. */
#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

#include "tape/block.h"
#include "tapedeck/dbn.h"

#define NOW UINT64_C(1700000000000000000)

/* The bytes of the first ```hex block of a document. */
static size_t read_example(unsigned char *bytes, size_t room)
{
    char path[4096], line[256];
    const char *source = getenv("TDK_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/docs/tape-format.md", source != NULL ? source : ".");
    FILE *file = fopen(path, "r");
    size_t size = 0;
    bool inside = false;
    if (file == NULL) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strcmp(line, "```hex\n") == 0)
            inside = true;
        else if (inside && strncmp(line, "```", 3) == 0)
            break;
        else if (inside)
            for (char *at = line + 4, *end; strtoul(at, &end, 16), end != at; at = end) {
                assert_true(size < room);
                bytes[size++] = (unsigned char)strtoul(at, NULL, 16);
            }
    }
    fclose(file);
    return size;
}

static void add_trade(struct block *block, uint32_t instrument_id, uint64_t ts)
{
    const struct tdk_wide_trade trade = {.head = {.length = sizeof trade / 4,
                                                  .rtype = TDK_RTYPE_WIDE_TRADE,
                                                  .instrument_id = instrument_id,
                                                  .ts_event = ts - 1},
                                         .price = 50000500000000,
                                         .size = 1500000000,
                                         .side = 'N'};
    assert_true(block_add_tick(block, TDK_TYPE_WIDE, 0, ts, &trade, sizeof trade));
}

static void example_in_the_document_is_what_the_code_writes(void **state)
{
    static struct block_scratch scratch;
    static _Alignas(8) unsigned char bytes[4096], example[4096];
    struct track_state track = {.track = 1, .payload_max = 1024, .epoch = NOW, .next_seq = 1};
    struct block block;
    struct block_view view;
    (void)state;
    size_t size = read_example(example, sizeof example);

    block_scratch_init(&scratch);
    block_begin(&block, bytes, sizeof bytes, &scratch, &track, NOW);
    assert_true(block_add_track(&block, "t", TDK_KIND_WIDE));
    add_trade(&block, 7, NOW + 1);
    add_trade(&block, 9, NOW + 2);
    struct block_place place = {.segment = 1, .synced_upto = 4096, .written_ns = NOW + 100};
    for (uint8_t i = 0; i < sizeof place.tape_id; i++)
        place.tape_id[i] = (uint8_t)(i + 1);
    place.span = (uint32_t)block_seal(&block);
    block_finish(bytes, &place);

    assert_int_equal(size, place.span);
    assert_memory_equal(example, bytes, size);
    assert_int_equal(block_check(example, size, &view, NULL), 0);
    assert_int_equal(directory_check(&view), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_in_the_document_is_what_the_code_writes),
    };
    return cmocka_run_group_tests_name("tape.format", tests, NULL, NULL);
}
