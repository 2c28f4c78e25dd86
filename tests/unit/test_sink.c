#include "tests/support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/sink.h"

struct fixture {
    char folder[40], path[64];
    struct sink sink;
    struct tdk_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL)
        return -1;
    strcpy(f->folder, "/tmp/tapedeck-test-XXXXXX");
    if (mkdtemp(f->folder) == NULL)
        return -1;
    snprintf(f->path, sizeof f->path, "%s/out", f->folder);
    f->sink.fd = -1;
    *state = f;
    return 0;
}

/* Fails when anything but the file is left in the folder. */
static int teardown(void **state)
{
    struct fixture *f = *state;
    sink_close(&f->sink);
    unlink(f->path);
    int rc = rmdir(f->folder);
    free(f);
    return rc;
}

static void check_content(const struct fixture *f, const char *text)
{
    char bytes[64];
    int fd = open(f->path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, (size_t)n);
}

static void a_file_appears_when_it_is_finished(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sink_open(&f->sink, f->path, true, false, &f->err), 0);
    assert_int_equal(sink_write(&f->sink, "abc", 3, &f->err), 0);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(sink_finish(&f->sink, &f->err), 0);
    check_content(f, "abc");
}

static void a_file_that_is_not_finished_never_was(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sink_open(&f->sink, f->path, true, false, &f->err), 0);
    assert_int_equal(sink_write(&f->sink, "abc", 3, &f->err), 0);
    sink_close(&f->sink);
    sink_close(&f->sink);
    assert_int_equal(access(f->path, F_OK), -1);
}

static void what_is_there_stays_unless_forced(void **state)
{
    struct fixture *f = *state;
    a_file_appears_when_it_is_finished(state);
    assert_int_equal(sink_open(&f->sink, f->path, true, false, &f->err), -EEXIST);
    assert_non_null(strstr(f->err.text, "--force"));
    check_content(f, "abc");
    assert_int_equal(sink_open(&f->sink, f->path, true, true, &f->err), 0);
    assert_int_equal(sink_write(&f->sink, "new", 3, &f->err), 0);
    check_content(f, "abc");
    assert_int_equal(sink_finish(&f->sink, &f->err), 0);
    check_content(f, "new");
}

static void a_folder_is_no_file(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sink_open(&f->sink, f->folder, true, true, &f->err), -EISDIR);
    assert_int_equal(sink_open(&f->sink, "/nowhere/at/all", true, true, &f->err), -ENOENT);
}

static void a_device_is_written_to_as_it_is(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sink_open(&f->sink, "/dev/null", true, false, &f->err), 0);
    assert_int_equal(sink_write(&f->sink, "abc", 3, &f->err), 0);
    assert_int_equal(sink_finish(&f->sink, &f->err), 0);
    struct stat st;
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void a_full_disk_is_told_with_the_file(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sink_open(&f->sink, "/dev/full", true, false, &f->err), 0);
    assert_int_equal(sink_write(&f->sink, "abc", 3, &f->err), -ENOSPC);
    assert_non_null(strstr(f->err.text, "/dev/full"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_appears_when_it_is_finished, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_finished_never_was, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_there_stays_unless_forced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_is_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(a_device_is_written_to_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told_with_the_file, setup, teardown),
    };
    return cmocka_run_group_tests_name("cli.sink", tests, NULL, NULL);
}
