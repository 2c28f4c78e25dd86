/* Each call that changes a tape's files fails in turn, once or from then on, and each is once the
 * last call before a death. Afterwards the tape is as it was before, or as it was to become. */
#include "tests/support/check.h"

#include <string.h>

#include "tests/support/faulty.h"
#include "tests/support/taping.h"

enum { BEFORE = 100, IMPORTED = 3000 };

static const struct recover_options making = {.create = true};

struct fixture {
    char path[FOLDER_PATH];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    folder_make(f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    faulty_end();
    folder_remove(f->path);
    free(f);
    return 0;
}

static void start_anew(struct fixture *f)
{
    folder_remove(f->path);
    folder_make(f->path);
}

/* Import into an existing tape, in several segments. Returns 0, or the error; in that case nothing
 * of the import may be there. */
static int import_ticks(const struct fixture *f)
{
    const struct append_options options = {
        .block_size = 4096, .segment_size = 32 << 10, .payload_max = 4096};
    struct append *append;
    struct tdk_err err;
    int rc = append_open(&append, f->path, &options, &err);
    if (rc < 0)
        return rc;
    rc = append_begin(append, "new", TDK_KIND_OPAQUE, &err);
    for (unsigned i = 0; i < IMPORTED && rc == 0; i++)
        rc = append_tick(append, TDK_TYPE_OPAQUE, 0, TAPING_NOW + i, &i, sizeof i, &err);
    if (rc == 0)
        return append_close(append, NULL, &err);
    append_abort(append);
    return rc;
}

static uint64_t ticks_of(const struct recovered *tape, const char *track)
{
    uint16_t number = catalog_find(tape->catalog, track);
    uint64_t epoch = catalog_last_epoch(tape->catalog, number);
    const struct epoch_ref *ref = catalog_epoch(tape->catalog, number, epoch);
    return ref != NULL ? ref->ticks : 0;
}

/* How many ticks are on the tape now. It is looked at twice with the same result, and nothing may
 * be damaged. */
static uint64_t look(const struct fixture *f)
{
    struct recovered tape;
    struct tdk_err err;
    uint64_t ticks[2];
    for (int i = 0; i < 2; i++) {
        taping_ok(recover_open(&tape, f->path, &making, &err), &err);
        assert_int_equal(tape.report.damaged, 0);
        assert_int_equal(ticks_of(&tape, "t"), BEFORE);
        ticks[i] = ticks_of(&tape, "new");
        taping_ok(recover_close(&tape, i == 1, &err), &err);
    }
    assert_int_equal(ticks[0], ticks[1]);
    assert_true(ticks[0] == 0 || ticks[0] == IMPORTED);
    return ticks[0];
}

static void import_that_meets_a_fault_is_whole_or_not_there(void **state)
{
    struct fixture *f = *state;
    const int codes[] = {-ENOSPC, -EIO};
    for (int kind = 0; kind < 4; kind++) {
        unsigned failed = 0, at = 0;
        for (bool reached = true; reached;) {
            start_anew(f);
            taping_make(f->path, BEFORE, 4096, 1 << 20);
            faulty_begin(++at, kind >= 2, codes[kind % 2]);
            int rc = import_ticks(f);
            reached = faulty.calls >= faulty.fail_at;
            faulty_end();
            failed += rc < 0;
            uint64_t ticks = look(f);
            if (rc == 0)
                assert_int_equal(ticks, IMPORTED);
        }
        assert_true(failed > 20);
    }
}

/* A recorder's segments, the last of which ends in a torn write. This is what recovery has to
 * repair. */
static void make_torn_tape(struct fixture *f)
{
    char from[128], to[128];
    size_t size;
    start_anew(f);
    taping_make(f->path, BEFORE, 4096, 1 << 20);
    taping_path(f->path, 1, ".seg", from);
    taping_path(f->path, 1, ".open", to);
    unsigned char *bytes = taping_load(from, &size);
    memset(bytes + size - 4096, 'x', 4096); /* the footer was here */
    taping_store(to, bytes, size);
    free(bytes);
    assert_int_equal(unlink(from), 0);
}

static void recovery_that_meets_a_fault_can_be_done_again(void **state)
{
    struct fixture *f = *state;
    for (int kind = 0; kind < 2; kind++) {
        unsigned failed = 0, at = 0;
        for (bool reached = true; reached;) {
            struct recovered tape;
            make_torn_tape(f);
            faulty_begin(++at, kind == 1, -EIO);
            int rc = recover_open(&tape, f->path, &making, NULL);
            reached = faulty.calls >= faulty.fail_at;
            if (rc == 0)
                recover_close(&tape, true, NULL);
            faulty_end();
            failed += rc < 0;
            assert_int_equal(look(f), 0);
        }
        assert_true(failed > 8);
    }
}

static void tape_whose_making_meets_a_fault_can_be_made(void **state)
{
    struct fixture *f = *state;
    unsigned failed = 0, at = 0;
    for (bool reached = true; reached;) {
        struct recovered tape;
        start_anew(f);
        faulty_begin(++at, true, -ENOSPC);
        int rc = recover_open(&tape, f->path, &making, NULL);
        reached = faulty.calls >= faulty.fail_at;
        if (rc == 0)
            recover_close(&tape, true, NULL);
        faulty_end();
        failed += rc < 0;
        taping_make(f->path, BEFORE, 4096, 1 << 20);
        look(f);
    }
    assert_true(failed > 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(import_that_meets_a_fault_is_whole_or_not_there),
        TEST(recovery_that_meets_a_fault_can_be_done_again),
        TEST(tape_whose_making_meets_a_fault_can_be_made),
    };
    return cmocka_run_group_tests_name("tape.faults", tests, NULL, NULL);
}
