#include "cli/table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/support/check.h"

static const struct column columns[] = {
    {"name", COLUMN_TEXT}, {"size", COLUMN_SIZE}, {"at", COLUMN_TIME}, {"whole", COLUMN_FLAG}};

/* Put a file in stdout's place, until redirect_end(). */
static FILE *redirect(int *saved)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    *saved = dup(STDOUT_FILENO);
    assert_true(*saved >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    return file;
}

static void redirect_end(FILE *file, int saved)
{
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(file);
}

/* What the table wrote to stdout. */
static const char *written(enum table_form form, bool empty)
{
    static char text[2048];
    struct table *table;
    int saved;
    FILE *file = redirect(&saved);
    int rc = table_open(&table, form, columns, array_size(columns));
    if (rc == 0 && !empty) {
        table_text(table, "a\tb\n\"\\");
        table_number(table, 3 << 19);
        table_number(table, UINT64_C(1795167000000000001));
        table_number(table, 1);
        table_text(table, NULL);
        table_none(table);
        table_number(table, UINT64_MAX);
        table_number(table, 0);
    }
    if (rc == 0)
        rc = table_close(table);

    redirect_end(file, saved);
    assert_int_equal(rc, 0);
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

static void tsv_has_a_header_and_a_line_a_row(void **state)
{
    (void)state;
    assert_string_equal(written(TABLE_TSV, false), "name\tsize\tat\twhole\n"
                                                   "a\\x09b\\x0a\"\\\t1572864\t1795167000000000001"
                                                   "\tyes\n"
                                                   "\t\t\tno\n");
    assert_string_equal(written(TABLE_TSV, true), "name\tsize\tat\twhole\n");
}

static void json_is_one_array(void **state)
{
    (void)state;
    assert_string_equal(written(TABLE_JSON, false),
                        "[{\"name\":\"a\\tb\\n\\\"\\\\\",\"size\":1572864,"
                        "\"at\":1795167000000000001,\"whole\":true},\n"
                        " {\"name\":null,\"size\":null,\"at\":null,\"whole\":false}]\n");
    assert_string_equal(written(TABLE_JSON, true), "[]\n");
}

static void people_get_columns_and_units(void **state)
{
    (void)state;
    assert_string_equal(written(TABLE_ALIGNED, false),
                        "name          size  at                              whole\n"
                        "a\\x09b\\x0a\"\\  1.5M  2026-11-20T09:30:00.000000001Z  yes\n"
                        "-                -  -                               no\n");
    assert_string_equal(written(TABLE_SHEET, false), "name   a\\x09b\\x0a\"\\\n"
                                                     "size   1.5M\n"
                                                     "at     2026-11-20T09:30:00.000000001Z\n"
                                                     "whole  yes\n"
                                                     "\n"
                                                     "name   -\n"
                                                     "size   -\n"
                                                     "at     -\n"
                                                     "whole  no\n");
}

enum { MANY = 40000 };

/* MANY rows, whose first cell is their number. *before: the bytes that were written before the
 * end. */
static FILE *many(enum table_form form, long *before)
{
    static const struct column two[] = {{"n", COLUMN_COUNT}, {"word", COLUMN_TEXT}};
    struct table *table;
    int saved;
    FILE *file = redirect(&saved);
    int rc = table_open(&table, form, two, array_size(two));
    for (unsigned i = 0; rc == 0 && i < MANY; i++) {
        table_number(table, i);
        table_text(table, "word");
    }
    fflush(stdout);
    *before = (long)lseek(fileno(file), 0, SEEK_END);
    rc = rc == 0 ? table_close(table) : rc;
    redirect_end(file, saved);
    assert_int_equal(rc, 0);
    return file;
}

static void assert_line(FILE *file, const char *want)
{
    char line[100];
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, want);
}

static void many_rows_are_written_as_they_come(void **state)
{
    char want[100];
    long before;
    (void)state;
    FILE *tsv = many(TABLE_TSV, &before);
    assert_true(before > MANY / 2);
    assert_line(tsv, "n\tword\n");
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(want, sizeof want, "%u\tword\n", i);
        assert_line(tsv, want);
    }
    assert_int_equal(fgetc(tsv), EOF);
    fclose(tsv);

    FILE *json = many(TABLE_JSON, &before);
    assert_true(before > MANY / 2);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(want, sizeof want, "%s{\"n\":%u,\"word\":\"word\"}%s\n", i == 0 ? "[" : " ", i,
                 i + 1 < MANY ? "," : "]");
        assert_line(json, want);
    }
    assert_int_equal(fgetc(json), EOF);
    fclose(json);

    FILE *aligned = many(TABLE_ALIGNED, &before);
    assert_int_equal(before, 0);
    fclose(aligned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tsv_has_a_header_and_a_line_a_row),
        cmocka_unit_test(json_is_one_array),
        cmocka_unit_test(people_get_columns_and_units),
        cmocka_unit_test(many_rows_are_written_as_they_come),
    };
    return cmocka_run_group_tests_name("cli.table", tests, NULL, NULL);
}
