/* retiring.h - segments of a small tape that are deleted on purpose, for tests. */
#ifndef TDK_TESTS_RETIRING_H
#define TDK_TESTS_RETIRING_H

#include "tests/support/telling.h"

#include "tape/recover.h"
#include "tape/retire.h"
#include "tests/support/faulty.h"

enum { RETIRING_TICKS = 3000, RETIRING_GOING = 3 };

/* A tape of some segments. */
struct retiring {
    char path[FOLDER_PATH];
};

static inline int retiring_setup(void **state)
{
    struct retiring *f = calloc(1, sizeof *f);
    assert_non_null(f);
    folder_make(f->path);
    taping_make(f->path, RETIRING_TICKS, 4096, 32 << 10);
    *state = f;
    return 0;
}

static inline int retiring_teardown(void **state)
{
    struct retiring *f = *state;
    faulty_end();
    folder_remove(f->path);
    free(f);
    return 0;
}

#define RETIRING(test) cmocka_unit_test_setup_teardown(test, retiring_setup, retiring_teardown)

/* Of those segments the ones that go. */
static const uint64_t retiring_going[RETIRING_GOING] = {1, 2, 4};

/* As `tapedeck retain apply` does it. */
static inline int retiring_apply(const char *path, const uint64_t *segments, size_t count)
{
    struct recovered tape;
    struct tdk_err err;
    int rc = recover_open(&tape, path, NULL, &err);
    if (rc < 0)
        return rc;
    rc = retire_segments(&tape.folder, segments, count, NULL, &err);
    int closed = recover_close(&tape, true, &err);
    return rc < 0 ? rc : closed;
}

/* A struct retire_options' `each`: `context` has a place for each segment, by number. */
static inline int retiring_note(uint64_t segment, enum retire_fate fate, uint64_t bytes,
                                void *context)
{
    enum retire_fate *fates = context;
    (void)bytes;
    fates[segment] = fate;
    return 0;
}

static inline bool retiring_is_there(const char *path, uint64_t segment)
{
    char name[128];
    taping_path(path, segment, ".seg", name);
    return access(name, F_OK) == 0;
}

/* Every tick is there or was deleted, and each way of asking says the same. How many are there. */
static inline uint64_t retiring_consistent(const char *path)
{
    struct told_gaps told = telling_gaps(path);
    assert_int_equal(told.ticks + told.retired, RETIRING_TICKS);
    assert_int_equal(told.lost + told.damaged + told.segments, 0);
    assert_int_equal(telling_all(path, NULL).ticks, told.ticks);
    telling_whole(path);
    return told.ticks;
}

#endif
