#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "formats/lines.h"
#include "formats/source_reader.h"

#define PREFIX_MAX 64 /* the time, its space; zeros in front of it */

static int next_tick(struct source *s, struct source_item *item, struct tdk_err *err)
{
    const char *line, *payload;
    size_t size, payload_size;
    uint64_t ts;
    int rc = source_line(s, (size_t)s->options.payload_max + PREFIX_MAX, &line, &size, err);
    if (rc <= 0)
        return rc;
    rc = lines_decode(line, size, &ts, &payload, &payload_size, err);
    if (rc == 0 && payload_size > s->options.payload_max)
        rc = err_say(err, TDK_EVALUE, "a payload of %zu bytes; at most %u fit", payload_size,
                     s->options.payload_max);
    if (rc < 0)
        return source_bad_line(s, rc, err);
    *item = (struct source_item){
        .type = TDK_TYPE_OPAQUE, .ts = ts, .payload = payload, .size = (uint32_t)payload_size};
    return 1;
}

int source_open_lines(struct source *s, struct tdk_err *err)
{
    const char *name = s->options.type_name, *content = s->options.content_type;
    if (asprintf(&s->type, "%s\t%s", name != NULL ? name : "line",
                 content != NULL ? content : "application/octet-stream") < 0) {
        s->type = NULL;
        return err_set(err, -ENOMEM, "open %s", s->path);
    }
    s->next = next_tick;
    source_tell_info(s, "type.3", s->type, strlen(s->type));
    return 0;
}
