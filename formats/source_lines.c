#include "base/err.h"
#include "formats/cryptofeed.h"
#include "formats/lines.h"
#include "formats/source_reader.h"

#define PREFIX_MAX 64 /* the time with leading zeros, and the space */

/* line -> message: opaque, or decoded by source_decode() */
static int take_message(struct source *s, uint64_t ts, const char *message, size_t size,
                        struct source_item *item, struct tdk_err *err)
{
    if (size > s->options.payload_max) {
        err_say(err, TDK_EVALUE, "a payload of %zu bytes; at most %u fit", size,
                s->options.payload_max);
        return source_bad_line(s, TDK_EVALUE, err);
    }
    int rc = s->options.decode != SOURCE_AS_IS ? source_decode(s, ts, message, size, item, err) : 0;
    if (rc != 0)
        return rc;
    *item = (struct source_item){
        .type = TDK_TYPE_OPAQUE, .ts = ts, .payload = message, .size = (uint32_t)size};
    return 1;
}

static int open_lines(struct source *s, struct tdk_err *err)
{
    int rc = s->options.decode != SOURCE_AS_IS ? source_open_decode(s, err) : 0;
    return rc < 0 ? rc : source_queue_type(s, "line", "application/octet-stream", err);
}

static int next_line(struct source *s, struct source_item *item, struct tdk_err *err)
{
    const char *line, *payload;
    size_t size, payload_size;
    uint64_t ts;
    int rc = source_line(s, (size_t)s->options.payload_max + PREFIX_MAX, &line, &size, err);
    if (rc <= 0)
        return rc;
    rc = lines_decode(line, size, &ts, &payload, &payload_size, err);
    if (rc < 0)
        return source_bad_line(s, rc, err);
    return take_message(s, ts, payload, payload_size, item, err);
}

int source_open_lines(struct source *s, struct tdk_err *err)
{
    s->next = next_line;
    return open_lines(s, err);
}

/* ---- cryptofeed ---- */

static int next_cryptofeed(struct source *s, struct source_item *item, struct tdk_err *err)
{
    const char *line, *payload = NULL;
    size_t size, payload_size = 0;
    uint64_t ts = 0;
    for (;;) {
        int rc = source_line(s, (size_t)s->options.payload_max + PREFIX_MAX, &line, &size, err);
        if (rc <= 0)
            return rc;
        rc = cryptofeed_decode(line, size, &ts, &payload, &payload_size, err);
        if (rc < 0)
            return source_bad_line(s, rc, err);
        if (rc > 0)
            return take_message(s, ts, payload, payload_size, item, err);
        s->connections++;
    }
}

int source_open_cryptofeed(struct source *s, struct tdk_err *err)
{
    s->next = next_cryptofeed;
    return open_lines(s, err);
}
