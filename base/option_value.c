/* option_value.c - check one value by its kind, and store it where its row says. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/name.h"
#include "base/nearest.h"
#include "base/option_rows.h"

struct chunk {
    struct chunk *next;
    max_align_t bytes[];
};

void *option_alloc(struct option_result *result, size_t size)
{
    struct chunk *chunk = calloc(1, sizeof *chunk + size);
    if (chunk == NULL)
        return NULL;
    chunk->next = result->memory;
    result->memory = chunk;
    return chunk->bytes;
}

char *option_copy(struct option_result *result, const char *text, size_t size)
{
    char *copy = option_alloc(result, size + 1);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

void option_close(struct option_result *result)
{
    struct chunk *chunk = result->memory;
    while (chunk != NULL) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    *result = (struct option_result){.memory = NULL};
}

int option_list_add(struct option_list *list, const char *item, struct option_result *result,
                    struct tdk_err *err)
{
    /* Room is a power of two, so the array is full when the count is a power of two. */
    if ((list->count & (list->count - 1)) == 0) {
        size_t room = list->count == 0 ? 1 : list->count * 2;
        const char **items = option_alloc(result, room * sizeof *items);
        if (items == NULL)
            return err_set(err, -ENOMEM, "read the options");
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
    }
    list->items[list->count++] = item;
    return 0;
}

static int read_flag(const char *text, bool *flag, struct tdk_err *err)
{
    static const char *const words[2][4] = {{"no", "off", "false", "0"},
                                            {"yes", "on", "true", "1"}};
    for (size_t value = 0; value < 2; value++)
        for (size_t i = 0; i < 4; i++)
            if (strcmp(text, words[value][i]) == 0) {
                *flag = value == 1;
                return 0;
            }
    return err_say(err, TDK_EVALUE, "'%s' is neither yes nor no", text);
}

static int read_choice(const struct option *row, const char *text, int *choice, struct tdk_err *err)
{
    struct nearest near;
    char words[256] = "";
    nearest_begin(&near, text);
    for (int i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *choice = i;
            return 0;
        }
        nearest_try(&near, row->choices[i]);
        size_t used = strlen(words);
        snprintf(words + used, sizeof words - used, "%s%s", i == 0 ? "" : ", ", row->choices[i]);
    }
    if (near.best != NULL)
        return err_say(err, TDK_EVALUE, "there is no '%s'; did you mean '%s'? (%s)", text,
                       near.best, words);
    return err_say(err, TDK_EVALUE, "there is no '%s'; choose one of %s", text, words);
}

/* The error gives the row's bounds in the row's own unit. */
static int check_bounds(const struct option *row, uint64_t value, const char *text,
                        struct tdk_err *err)
{
    if (value >= row->min && (row->max == 0 || value <= row->max))
        return 0;
    char low[QUANTITY_TEXT], high[QUANTITY_TEXT];
    if (row->kind == OPTION_SIZE) {
        quantity_size_text(low, row->min);
        quantity_size_text(high, row->max);
    } else if (row->kind == OPTION_DURATION) {
        quantity_duration_text(low, row->min);
        quantity_duration_text(high, row->max);
    } else {
        snprintf(low, sizeof low, "%" PRIu64, row->min);
        snprintf(high, sizeof high, "%" PRIu64, row->max);
    }
    if (row->max == 0)
        return err_say(err, TDK_EVALUE, "%s is too small; at least %s", text, low);
    return err_say(err, TDK_EVALUE, "%s is out of range; from %s to %s", text, low, high);
}

/* The error gives the nearest powers of two on both sides. */
static int check_power(const struct option *row, uint64_t value, const char *text,
                       struct tdk_err *err)
{
    char low[QUANTITY_TEXT], high[QUANTITY_TEXT];
    if (!row->is_power || is_power_of_two(value))
        return 0;
    uint64_t below = row->min;
    while (2 * below < value)
        below *= 2;
    return err_say(err, TDK_EVALUE, "%s is not a power of two; %s or %s would do", text,
                   quantity_size_text(low, below), quantity_size_text(high, 2 * below));
}

static int read_number(const struct option *row, const char *text, uint64_t *number,
                       struct tdk_err *err)
{
    uint64_t value = 0;
    int rc = row->kind == OPTION_SIZE       ? quantity_size(text, &value, err)
             : row->kind == OPTION_DURATION ? quantity_duration(text, &value, err)
                                            : quantity_count(text, &value, err);
    if (rc == 0)
        rc = check_bounds(row, value, text, err);
    if (rc == 0)
        rc = check_power(row, value, text, err);
    if (rc == 0)
        *number = value;
    return rc;
}

static int store_text(const char *text, void *field)
{
    memcpy(field, &text, sizeof text);
    return 0;
}

int option_store(const struct option *row, void *field, const char *text, bool fresh,
                 struct option_result *result, struct tdk_err *err)
{
    int rc;
    switch (row->kind) {
    case OPTION_FLAG:
        return read_flag(text, field, err);
    case OPTION_NAME:
        if (!name_is_valid(text, strlen(text)))
            return err_say(err, TDK_EVALUE, "'%s' is %s", text, tdk_strerror(TDK_ENAME));
        return store_text(text, field);
    case OPTION_TEXT:
        if (*text == '\0')
            return err_say(err, TDK_EVALUE, "the value is empty");
        return store_text(text, field);
    case OPTION_ZONE:
        rc = moment_check_zone(text, err);
        return rc < 0 ? rc : store_text(text, field);
    case OPTION_LIST:
        if (fresh)
            *(struct option_list *)field = (struct option_list){.items = NULL};
        return option_list_add(field, text, result, err);
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_DURATION:
        return read_number(row, text, field, err);
    case OPTION_RATE:
        return quantity_rate(text, field, err);
    case OPTION_SPEED:
        return quantity_speed(text, field, err);
    case OPTION_MOMENT:
        *(struct moment *)field = (struct moment){.text = text}; /* read when the zone is known */
        return 0;
    case OPTION_CHOICE:
        return read_choice(row, text, field, err);
    }
    return err_set(err, TDK_EINTERNAL, "option %s", row->name);
}
