#include "cli/table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/support/check.h"

static const struct column columns[] = {
    {"name", COLUMN_TEXT}, {"size", COLUMN_SIZE}, {"at", COLUMN_TIME}, {"whole", COLUMN_FLAG}};

/* What the table wrote to stdout. */
static const char *written(enum table_form form, bool empty)
{
    static char text[2048];
    struct table *table;
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_true(saved >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);

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

    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(rc, 0);
    rewind(file);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tsv_has_a_header_and_a_line_a_row),
        cmocka_unit_test(json_is_one_array),
        cmocka_unit_test(people_get_columns_and_units),
    };
    return cmocka_run_group_tests_name("cli.table", tests, NULL, NULL);
}
