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
    s->next = next_tick;
    return source_tell_type(s, "line", "application/octet-stream", err);
}
