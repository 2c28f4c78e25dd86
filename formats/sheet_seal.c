/* sheet_seal.c - finds which values of a sheet are missing, and whether the others fit. */
#include <errno.h>
#include <string.h>

#include "base/digits.h"
#include "base/err.h"
#include "formats/sheet.h"

/* ---- no value ---- */

/* Plain loops, one for each type, so that the compiler can vectorise them. */
static size_t count_equal_8(const uint64_t *values, size_t count, uint64_t none)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += values[i] == none;
    return found;
}

static size_t count_negative(const int64_t *values, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += values[i] < 0;
    return found;
}

static size_t count_equal_4(const uint32_t *values, size_t count, uint32_t none)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += values[i] == none;
    return found;
}

static size_t count_zeros(const uint8_t *values, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += values[i] == 0;
    return found;
}

static size_t count_none(const struct sheet_column *column, size_t rows)
{
    switch ((enum sheet_type)column->type) {
    case SHEET_PRICE:
        return count_equal_8(column->values, rows, (uint64_t)TDK_PRICE_UNDEFINED);
    case SHEET_SIZE:
        return count_equal_8(column->values, rows, UINT64_MAX);
    case SHEET_TIME: /* undefined, or too late for i64 */
        return count_negative(column->values, rows);
    case SHEET_NAME:
        return count_equal_4(column->values, rows, SHEET_NAMES_NONE);
    case SHEET_CHAR:
        return count_zeros(column->values, rows);
    case SHEET_U8:
    case SHEET_I8:
    case SHEET_U16:
    case SHEET_I16:
    case SHEET_U32:
    case SHEET_I32:
    case SHEET_U64:
    case SHEET_I64:
    case SHEET_BYTES:
        break;
    }
    return 0;
}

static bool is_none(const struct sheet_column *column, size_t row)
{
    uint64_t value;
    switch (column->width) {
    case 1:
        return ((const uint8_t *)column->values)[row] == 0;
    case 4:
        return ((const uint32_t *)column->values)[row] == SHEET_NAMES_NONE;
    default:
        value = ((const uint64_t *)column->values)[row];
        break;
    }
    if (column->type == SHEET_PRICE)
        return value == (uint64_t)TDK_PRICE_UNDEFINED;
    return column->type == SHEET_SIZE ? value == UINT64_MAX : value > INT64_MAX;
}

/* Set the bits. Missing values become 0, so that they do not stand out. */
static void mark_none(struct sheet_column *column, size_t rows)
{
    memset(column->valid, 0, (rows + 7) / 8);
    for (size_t row = 0; row < rows; row++) {
        if (is_none(column, row))
            memset((char *)column->values + row * column->width, 0, column->width);
        else
            column->valid[row / 8] |= (uint8_t)(1u << row % 8);
    }
}

/* ---- decimals ---- */

static int refuse_decimal(const struct sheet_column *column, uint64_t value, struct tdk_err *err)
{
    char text[DIGITS_MAX];
    char *end = column->type == SHEET_PRICE ? digits_nano(text, (int64_t)value)
                                            : digits_nano_u64(text, value);
    return err_say(err, TDK_EFORMAT,
                   "%s %.*s has more than %d digits before the point, which is all that a decimal "
                   "of %d digits has room for: leave out --decimal",
                   column->name, (int)(end - text), text,
                   SHEET_DECIMAL_DIGITS - SHEET_DECIMAL_PLACES, SHEET_DECIMAL_DIGITS);
}

/* By now undefined values are 0. */
static int check_decimal(const struct sheet_column *column, size_t rows, struct tdk_err *err)
{
    const uint64_t *values = column->values;
    for (size_t row = 0; row < rows; row++) {
        bool minus = column->type == SHEET_PRICE && (int64_t)values[row] < 0;
        if ((minus ? -values[row] : values[row]) > (uint64_t)SHEET_DECIMAL_MAX)
            return refuse_decimal(column, values[row], err);
    }
    return 0;
}

int sheet_seal(struct sheet *sheet, struct tdk_err *err)
{
    for (size_t i = 0; i < sheet->column_count; i++) {
        struct sheet_column *column = &sheet->columns[i];
        if (column->names.failed || text_error(&column->bytes) < 0)
            return err_set(err, -ENOMEM, "make columns");
        column->nulls = count_none(column, sheet->rows);
        if (column->nulls > 0 && column->type == SHEET_TIME)
            sheet->late +=
                column->nulls - count_equal_8(column->values, sheet->rows, TDK_TS_UNDEFINED);
        if (column->nulls > 0)
            mark_none(column, sheet->rows);
        int rc = column->decimal ? check_decimal(column, sheet->rows, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

size_t sheet_char(char *at, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    at[0] = (char)c;
    if (c < 0x80)
        return 1;
    memcpy(at, "\\x", 2);
    at[2] = hex[c >> 4];
    at[3] = hex[c & 15];
    return 4;
}
