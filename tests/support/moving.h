/* moving.h - a tape some of whose segments go to another disk, and back, for tests. */
#ifndef TDK_TESTS_MOVING_H
#define TDK_TESTS_MOVING_H

#include "tests/support/telling.h"

#include <string.h>

#include "tape/move.h"
#include "tape/recover.h"
#include "tests/support/faulty.h"

enum { MOVING_TICKS = 3000, MOVING_MOVED = 3 };

struct moving {
    char path[FOLDER_PATH], disk[FOLDER_PATH];
};

static inline void moving_make(struct moving *f)
{
    folder_make(f->path);
    folder_make(f->disk);
    taping_make(f->path, MOVING_TICKS, 4096, 32 << 10); /* some segments */
}

static inline void moving_unmake(struct moving *f)
{
    folder_remove(f->path);
    folder_remove(f->disk);
}

static inline int moving_setup(void **state)
{
    struct moving *f = calloc(1, sizeof *f);
    assert_non_null(f);
    moving_make(f);
    *state = f;
    return 0;
}

static inline int moving_teardown(void **state)
{
    struct moving *f = *state;
    faulty_end();
    moving_unmake(f);
    free(f);
    return 0;
}

#define MOVING(test) cmocka_unit_test_setup_teardown(test, moving_setup, moving_teardown)

/* As `tapedeck move` does it: the first three segments, there or back. */
static inline int moving_some(const struct moving *f, bool back, struct move_totals *totals)
{
    const struct move_options options = {.back = back, .first = 1, .last = MOVING_MOVED};
    struct folder folder;
    struct annex_meta meta;
    struct tdk_err err;
    *totals = (struct move_totals){.segments = 0};
    int rc = folder_open(&folder, f->path, &err);
    if (rc == 0)
        rc = move_join(&folder, f->disk, &meta, &err);
    if (rc < 0)
        return rc;
    char disk[FOLDER_PATH];
    struct annex annex = {.path = disk};
    memcpy(disk, f->disk, sizeof disk);
    memcpy(annex.id, meta.id, sizeof annex.id);
    return move_segments(&folder, &annex, &options, totals, &err);
}

static inline void moving_ok(const struct moving *f, bool back)
{
    struct move_totals totals;
    assert_int_equal(moving_some(f, back, &totals), 0);
    assert_int_equal(totals.segments, MOVING_MOVED);
    assert_int_equal(totals.failed, 0);
}

static inline void moving_whole(const struct moving *f, const char *digest)
{
    struct told told = telling_all(f->path, NULL);
    assert_int_equal(told.ticks, MOVING_TICKS);
    assert_string_equal(told.digest, digest);
    telling_whole(f->path);
}

/* What a writer does at its start, with the index deleted. */
static inline void moving_rebuild(const char *path)
{
    char index[128];
    struct recovered tape;
    struct tdk_err err;
    snprintf(index, sizeof index, "%s/index", path);
    folder_remove(index);
    taping_ok(recover_open(&tape, path, NULL, &err), &err);
    assert_int_equal(tape.report.damaged + tape.report.set_aside, 0);
    taping_ok(recover_close(&tape, true, &err), &err);
}

static inline bool moving_is_file(const char *folder, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

#endif
