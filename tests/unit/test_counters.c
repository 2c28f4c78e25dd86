/* The counters page: what is written can be read, and nothing in the file is trusted. */
#include "shm/counters.h"

#include "tests/support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/rings.h"

static const uint8_t tape_id[16] = {0xab, 0xcd, 1};
static const struct counter_kind_of ticks = {"ring_ticks", "ticks taken", COUNTER_TOTAL,
                                             COUNTER_COUNT};
static const struct counter_kind_of fill = {"ring_fill", "waits", COUNTER_LEVEL, COUNTER_BYTES};
static const struct counters_options options = {.writer = "recorder",
                                                .program = "1.2.3",
                                                .tape = "/data/tape",
                                                .tape_id = tape_id,
                                                .rows_max = 3};

static void what_is_set_is_read_with_its_name_labels_and_kind(void **state)
{
    (void)state;
    struct counters *page = NULL;
    struct counters_copy copy;
    assert_int_equal(counters_create(&page, &options, NULL), 0);
    assert_int_equal(counters_add(page, &ticks, "a", "venue.a"), 0);
    assert_int_equal(counters_add(page, &fill, "b", NULL), 1);
    counters_set(page, 0, UINT64_MAX);
    counters_set(page, 1, 7);
    counters_beat(page, 42);

    assert_int_equal(counters_read_of(&copy, "recorder", tape_id, NULL), 0);
    assert_true(copy.alive);
    assert_int_equal(copy.beat, 42);
    assert_int_equal(copy.rows, 2);
    assert_string_equal(copy.tape, "/data/tape");
    const struct counter_value *a = counters_find(&copy, "ring_ticks", "a");
    assert_non_null(a);
    assert_true(a->value == UINT64_MAX);
    assert_string_equal(a->track, "venue.a");
    assert_int_equal(a->kind, COUNTER_TOTAL);
    assert_int_equal(counters_find(&copy, "ring_fill", NULL)->unit, COUNTER_BYTES);
    assert_null(counters_find(&copy, "ring_fill", "a"));
    counters_forget(&copy);
    counters_close(page);
    assert_int_equal(counters_read_of(&copy, "recorder", tape_id, NULL), -ENOENT);
}

static void a_track_that_was_not_known_is_named_once(void **state)
{
    (void)state;
    struct counters *page = NULL;
    struct counters_copy copy;
    assert_int_equal(counters_create(&page, &options, NULL), 0);
    assert_int_equal(counters_add(page, &ticks, "a", ""), 0);
    static const char *const names[] = {"", "venue.a", "venue.b"};
    for (size_t i = 0; i < 3; i++)
        counters_name_track(page, 0, names[i]);
    counters_name_track(page, TDK_EFULL, "a row that there was no room for");
    assert_int_equal(counters_read_of(&copy, "recorder", tape_id, NULL), 0);
    assert_string_equal(counters_find(&copy, "ring_ticks", "a")->track, "venue.a");
    counters_forget(&copy);
    counters_close(page);
}

static void a_note_has_words_while_it_holds(void **state)
{
    (void)state;
    static const struct counter_kind_of note = {"ring_quarantined", "", COUNTER_NOTE, COUNTER_TIME};
    struct counters *page = NULL;
    struct counters_copy copy;
    char longest[300];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(counters_create(&page, &options, NULL), 0);
    assert_int_equal(counters_add(page, &note, "a", NULL), 0);
    const char *const words[] = {"it goes back", "its file was cut", longest, NULL};
    for (size_t i = 0; i < 4; i++) {
        counters_note(page, 0, words[i]);
        assert_int_equal(counters_read_of(&copy, "recorder", tape_id, NULL), 0);
        const struct counter_value *found = counters_find(&copy, "ring_quarantined", "a");
        assert_int_equal(found->kind, COUNTER_NOTE);
        assert_int_equal(found->value != 0, words[i] != NULL);
        if (words[i] != NULL)
            assert_int_equal(strncmp(found->help, words[i], sizeof found->help - 1), 0);
        counters_forget(&copy);
    }
    counters_note(page, TDK_EFULL, "a row that there was no room for");
    counters_close(page);
}

static void rows_have_a_limit_and_beyond_it_nothing_is_written(void **state)
{
    (void)state;
    struct counters *page = NULL;
    assert_int_equal(counters_create(&page, &options, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(counters_add(page, &ticks, "a", "a"), i);
    int row = counters_add(page, &ticks, "a", "a");
    assert_int_equal(row, TDK_EFULL);
    counters_set(page, row, 1); /* does nothing */
    counters_close(page);
}

static void copy_file(const char *from, const char *to)
{
    char command[500];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* A writer that was killed leaves its page. The page can be read, and is known to be dead. */
static void a_page_without_its_writer_is_known_as_that(void **state)
{
    (void)state;
    struct counters *page = NULL;
    struct counters_copy copy;
    char file[COUNTERS_FILE_MAX], from[200], to[200];
    counters_file(file, "recorder", tape_id);
    snprintf(from, sizeof from, "%s/%s", getenv("TAPEDECK_RINGS"), file);
    snprintf(to, sizeof to, "%s/left.counters", getenv("TAPEDECK_RINGS"));
    assert_int_equal(counters_create(&page, &options, NULL), 0);
    counters_add(page, &ticks, "a", "a");
    copy_file(from, to);
    assert_int_equal(counters_read(&copy, "left.counters", NULL), 0);
    assert_false(copy.alive);
    assert_int_equal(copy.rows, 1);
    counters_forget(&copy);

    /* A new writer takes its place. */
    struct counters *next = NULL;
    assert_int_equal(counters_create(&next, &options, NULL), 0);
    assert_int_equal(counters_read(&copy, file, NULL), 0);
    assert_true(copy.alive);
    assert_int_equal(copy.rows, 0);
    counters_forget(&copy);
    counters_close(page);
    counters_close(next);
}

/* Whatever byte is changed and whatever the length is, the reader gets an answer and never a
 * signal. Texts are terminated. */
static void a_page_of_any_bytes_is_answered(void **state)
{
    (void)state;
    struct counters *page = NULL;
    struct counters_copy copy;
    struct tdk_err err;
    char file[COUNTERS_FILE_MAX], path[200], bad[200];
    counters_file(file, "recorder", tape_id);
    snprintf(path, sizeof path, "%s/%s", getenv("TAPEDECK_RINGS"), file);
    snprintf(bad, sizeof bad, "%s/bad.counters", getenv("TAPEDECK_RINGS"));
    assert_int_equal(counters_create(&page, &options, NULL), 0);
    counters_add(page, &ticks, "a", "a");
    copy_file(path, bad);
    counters_close(page);

    int fd = open(bad, O_RDWR);
    assert_true(fd >= 0);
    size_t size = sizeof(struct counters_head) + 3 * sizeof(struct counters_row);
    for (size_t i = 0; i < size; i++) {
        unsigned char was, is = 0xff;
        assert_int_equal(pread(fd, &was, 1, (off_t)i), 1);
        assert_int_equal(pwrite(fd, &is, 1, (off_t)i), 1);
        int rc = counters_read(&copy, "bad.counters", &err);
        assert_true(rc == 0 || rc == TDK_EHOSTILE || rc == TDK_EVERSION);
        for (unsigned row = 0; rc == 0 && row < copy.rows; row++)
            assert_true(strlen(copy.values[row].name) < sizeof copy.values[row].name);
        counters_forget(&copy);
        assert_int_equal(pwrite(fd, &was, 1, (off_t)i), 1);
    }
    for (size_t cut = 0; cut < size; cut += 13) {
        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
        assert_int_equal(counters_read(&copy, "bad.counters", &err), TDK_EHOSTILE);
    }
    close(fd);
}

static int count_one(const char *name, void *context)
{
    (void)name;
    ++*(unsigned *)context;
    return 0;
}

static void pages_are_listed_and_rings_are_not_disturbed(void **state)
{
    (void)state;
    struct counters *page = NULL;
    unsigned pages = 0;
    assert_int_equal(counters_create(&page, &options, NULL), 0);
    assert_int_equal(counters_list(count_one, &pages, NULL), 0);
    assert_int_equal(pages, 1);
    counters_close(page);
}

static char rings[RINGS_FOLDER_SIZE];

static int setup(void **state)
{
    (void)state;
    return rings_open(rings);
}

static int teardown(void **state)
{
    (void)state;
    static const char *const left[] = {"left.counters", "bad.counters"};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s/%s", rings, left[i]);
        unlink(path);
    }
    return rings_close(rings);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_set_is_read_with_its_name_labels_and_kind),
        test(a_track_that_was_not_known_is_named_once),
        test(a_note_has_words_while_it_holds),
        test(rows_have_a_limit_and_beyond_it_nothing_is_written),
        test(a_page_without_its_writer_is_known_as_that),
        test(a_page_of_any_bytes_is_answered),
        test(pages_are_listed_and_rings_are_not_disturbed),
    };
    return cmocka_run_group_tests_name("shm.counters", tests, NULL, NULL);
}
