#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "formats/dbn_layout.h"
#include "formats/dbn_metadata.h"
#include "formats/source_reader.h"

static int next_record(struct source *s, struct source_item *item, struct tdk_err *err)
{
    struct input *in = s->input;
    size_t have = input_peek(in, sizeof(struct tdk_dbn_head));
    if (have == 0) {
        s->ended = true;
        return input_status(in, err);
    }
    const unsigned char *record = in->at;
    size_t size = (size_t)record[0] * 4;
    if (size < sizeof(struct tdk_dbn_head)) {
        s->ended = true;
        return err_say(err, TDK_ECORRUPT,
                       "%s: damaged at offset %" PRIu64 ": a record of %zu bytes; none is shorter "
                       "than 16",
                       s->path, input_offset(in), size);
    }
    if (have >= 4 && memcmp(record, "DBN", 3) == 0) { /* not a record: no rtype is a 'B' */
        s->ended = true;
        return err_say(err, TDK_ECORRUPT,
                       "%s: at offset %" PRIu64 " another DBN file begins: import each by itself",
                       s->path, input_offset(in));
    }
    if (have < size) {
        have = input_peek(in, size);
        if (have < size)
            return source_cut(s, "a record", size, have, err);
        record = in->at;
    }
    input_consume(in, size);
    *item = (struct source_item){.type = TDK_TYPE_DBN,
                                 .ts = dbn_index_ts(record, size),
                                 .payload = record,
                                 .size = (uint32_t)size};
    return 1;
}

/* The metadata is kept as it is in the file, after it has been decoded once as a check. */
static int read_metadata(struct source *s, size_t size, struct tdk_err *err)
{
    size_t have = input_peek(s->input, size);
    if (have < size)
        return source_cut(s, "its metadata", size, have, err);
    struct dbn_metadata decoded;
    int rc = dbn_metadata_decode(&decoded, s->input->at, size, err);
    if (rc < 0)
        return err_wrap(err, rc, "%s", s->path);
    dbn_metadata_close(&decoded);
    s->metadata = malloc(size);
    if (s->metadata == NULL)
        return err_set(err, -ENOMEM, "read %s", s->path);
    memcpy(s->metadata, s->input->at, size);
    input_consume(s->input, size);
    source_queue_info(s, "dbn.metadata", s->metadata, size);
    return 0;
}

int source_open_dbn(struct source *s, struct tdk_err *err)
{
    size_t size = 0, have = input_peek(s->input, DBN_PRELUDE_SIZE);
    s->next = next_record;
    if (have < 3 || memcmp(s->input->at, "DBN", 3) != 0)
        return 0; /* a fragment, which has only records */
    if (have < DBN_PRELUDE_SIZE)
        return source_cut(s, "its metadata", DBN_PRELUDE_SIZE, have, err);
    int rc = dbn_metadata_size(s->input->at, &size, err);
    if (rc < 0)
        return err_wrap(err, rc, "%s", s->path);
    return read_metadata(s, size, err);
}
