#include "formats/json_line.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "formats/five.h"

int json_line_open(struct json_line *line, int depth)
{
    line->object = NULL;
    line->tokener = json_tokener_new_ex(depth);
    if (line->tokener == NULL)
        return -ENOMEM;
    json_tokener_set_flags(line->tokener, JSON_TOKENER_STRICT);
    return 0;
}

void json_line_close(struct json_line *line)
{
    json_object_put(line->object);
    if (line->tokener != NULL)
        json_tokener_free(line->tokener);
}

/* ---- what json-c takes, strict as it is, and JSON does not ---- */

static bool is_of_word(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '-' || c == '.';
}

/* Not 00, -01, 1. or -.5, and neither NaN nor Infinity. */
static bool is_word(const char *at, size_t size)
{
    static const char *const words[] = {"true", "false", "null"};
    uint64_t units;
    bool negative;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (size == strlen(words[i]) && memcmp(at, words[i], size) == 0)
            return true;
    return five_decimal_in(at, size, 0, &units, &negative) != TDK_EVALUE;
}

/* Behind a text that begins there. False: *at is a control character in it. */
static bool skip_text(const char **at, const char *end)
{
    const char *p = *at + 1;
    for (; p < end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20) {
            *at = p;
            return false;
        }
        p += *p == '\\';
    }
    *at = p + 1;
    return true;
}

/* Where the first of it is, in what json-c has taken; NULL: nowhere. */
static const char *find_lax(const char *at, const char *end)
{
    while (at < end) {
        const char *first = at;
        while (at < end && is_of_word(*at))
            at++;
        if (at > first && !is_word(first, (size_t)(at - first)))
            return first;
        if (at < end && (*at == '\'' || (*at == '"' && !skip_text(&at, end))))
            return at;
        if (at == first)
            at++;
    }
    return NULL;
}

int json_line_parse(struct json_line *line, const char *bytes, size_t size, struct tdk_err *err)
{
    json_object_put(line->object);
    json_tokener_reset(line->tokener);
    line->object = size > INT_MAX ? NULL : json_tokener_parse_ex(line->tokener, bytes, (int)size);
    enum json_tokener_error rc = json_tokener_get_error(line->tokener);
    size_t end = json_tokener_get_parse_end(line->tokener);
    if (rc == json_tokener_continue)
        return err_say(err, TDK_EVALUE, "the JSON ends too early");
    if (rc != json_tokener_success)
        return err_say(err, TDK_EVALUE, "not JSON: %s at column %zu", json_tokener_error_desc(rc),
                       end + 1);
    if (end != size)
        return err_say(err, TDK_EVALUE, "more than one JSON value: column %zu", end + 1);
    const char *lax = find_lax(bytes, bytes + size);
    if (lax != NULL)
        return err_say(err, TDK_EVALUE,
                       "not JSON: a number or text that JSON does not allow at column %zu",
                       (size_t)(lax - bytes) + 1);
    return 0;
}
