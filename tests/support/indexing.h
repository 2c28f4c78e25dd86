/* indexing.h - an index in memory, a folder for one on a disk, and the same dice each time: for
 * tests of the index. */
#ifndef TDK_TESTS_INDEXING_H
#define TDK_TESTS_INDEXING_H

#include "tests/support/folder.h"

#include "index/index.h"
#include "tests/support/dice.h"

static const uint8_t indexing_tape[16] = "a tape of tests";

struct indexing {
    char path[FOLDER_PATH];
    struct index *index; /* in memory; empty */
    struct dice dice;
};

static inline int indexing_setup(void **state)
{
    struct indexing *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->dice.state = 42;
    folder_make(f->path);
    *state = f;
    return index_open_private(&f->index, indexing_tape, NULL);
}

static inline int indexing_teardown(void **state)
{
    struct indexing *f = *state;
    index_close(f->index);
    folder_remove(f->path);
    free(f);
    return 0;
}

#define INDEXING(test) cmocka_unit_test_setup_teardown(test, indexing_setup, indexing_teardown)

/* A block of track 3, epoch 7. */
static inline struct block_ref indexing_block(uint64_t running_max, uint64_t first_seq)
{
    return (struct block_ref){.epoch = 7,
                              .track = 3,
                              .running_max = running_max,
                              .first_seq = first_seq,
                              .segment = 1,
                              .block = (uint32_t)first_seq};
}

#endif
