#include "formats/json_line.h"

#include <errno.h>
#include <limits.h>

#include "base/err.h"

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
        return err_say(err, TDK_EVALUE, "no JSON: %s at column %zu", json_tokener_error_desc(rc),
                       end + 1);
    if (end != size)
        return err_say(err, TDK_EVALUE, "more than one JSON value: column %zu", end + 1);
    return 0;
}
