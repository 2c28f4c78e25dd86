/* Bytes from a socket. The walk must end a message at the same byte whether it sees the bytes at
 * once or one by one, and never beyond its limit. What it lets through must be msgpack to the
 * decoder. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>

#include "wire/frame.h"
#include "wire/message.h"

static int walk_by_bytes(const uint8_t *bytes, size_t size, size_t *used)
{
    struct frame frame;
    int rc = 0;
    frame_begin(&frame, &frame_from_client);
    for (*used = 0; rc == 0 && *used < size; ++*used) {
        size_t one;
        rc = frame_walk(&frame, bytes + *used, 1, &one, NULL);
    }
    return rc;
}

static void check_decoded(const uint8_t *bytes, size_t size)
{
    static struct wire_decoder *decoder;
    struct wire_message m;
    struct tdk_err err;
    struct text_buffer json;
    if (decoder == NULL && wire_decoder_open(&decoder) < 0)
        abort();
    int rc = wire_decode(decoder, bytes, size, &m, &err);
    assert(rc == 0 || rc == TDK_EFORMAT);
    if (rc < 0)
        return;
    text_init(&json);
    wire_json(&json, m.params, "token");
    wire_json(&json, m.error, NULL);
    assert(text_error(&json) == 0);
    text_close(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct frame frame;
    size_t used = 0, used_by_bytes;
    frame_begin(&frame, &frame_from_client);
    int rc = frame_walk(&frame, bytes, size, &used, NULL);
    assert(walk_by_bytes(bytes, size, &used_by_bytes) == rc);
    assert(used == used_by_bytes);
    if (rc == 1) {
        assert(used == frame.size && used <= FRAME_REQUEST_SIZE && frame.owed == 0);
        check_decoded(bytes, used);
    }
    return 0;
}
