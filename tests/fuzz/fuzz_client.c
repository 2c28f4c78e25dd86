/* Bytes from a server to the client: a query to its end, then tracks and a count. Whatever the
 * server says, runs lie inside what came, names are terminated, and everything is over when the
 * bytes are. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/client.h"

#define SAID_MAX (64u << 10) /* a socket holds this much */

static void look_at(const struct tdk_run *run)
{
    const unsigned char *at = (const void *)run->frames, *end = at + run->size;
    assert(strlen(run->track) <= TDK_NAME_MAX);
    while (at < end) {
        const struct tdk_frame *frame = (const void *)at;
        assert((size_t)(end - at) >= sizeof *frame);
        at += tdk_frame_span(frame->size);
    }
    assert(at == end);
}

static void query(struct tdk_client *client)
{
    const struct tdk_client_query all = {.range = {.to = UINT64_MAX}, .credit = 4096};
    struct tdk_stream *stream = NULL;
    struct tdk_run run;
    struct tdk_err err;
    if (tdk_client_query(client, &all, &stream, &err) < 0)
        return;
    int rc;
    while ((rc = tdk_stream_read(stream, &run, &err)) == 1 || rc == TDK_ECORRUPT)
        if (rc == 1)
            look_at(&run);
    tdk_stream_close(stream);
}

static int look_at_track(const struct tdk_track_info *track, void *context)
{
    (void)context;
    assert(strlen(track->name) <= TDK_NAME_MAX);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct tdk_client *client = NULL;
    struct tdk_client_count count;
    const struct tdk_client_query all = {.range = {.to = UINT64_MAX}};
    int ends[2];
    if (size > SAID_MAX)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || client_adopt(&client, ends[1], NULL) < 0)
        abort();
    if (write(ends[0], bytes, size) != (ssize_t)size)
        abort();
    shutdown(ends[0], SHUT_WR);
    query(client);
    (void)tdk_client_tracks(client, look_at_track, NULL, NULL);
    (void)tdk_client_count(client, &all, &count, NULL);
    tdk_client_close(client);
    close(ends[0]);
    return 0;
}
