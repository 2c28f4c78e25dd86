/*
 * ask.c - asks a replayer what it has, and for the first ticks of it.
 *
 *     ask ADDRESS          "unix:/data/tape/replayer.sock", or "HOST:PORT"
 *
 * Prints each track, the number of all ticks, and the first ten of them as they would come out of a
 * ring. Exit 3: something in the range was lost or cannot be read.
 */
#include <inttypes.h>
#include <stdio.h>

#include <tapedeck/client.h>

static int print_track(const struct tdk_track_info *track, void *context)
{
    (void)context;
    printf("%-20s %12" PRIu64 " ticks %8" PRIu64 " lost\n", track->name, track->ticks, track->lost);
    return 0;
}

static void print_run(const struct tdk_run *run)
{
    const struct tdk_frame *end = (const struct tdk_frame *)((const char *)run->frames + run->size);
    for (const struct tdk_frame *at = run->frames; at < end; at = tdk_frame_after(at))
        if (tdk_frame_is_tick(at))
            printf("%s seq %" PRIu64 " ts %" PRIu64 " type %u, %u bytes\n", run->track, at->seq,
                   at->ts, at->type, at->size);
}

/* The answer comes in runs of frames, each of one track. Returns 0, 3, or 1 when it had to give
 * up. */
static int print_first(struct tdk_client *client, struct tdk_err *err)
{
    const struct tdk_client_query first = {.range = {.to = UINT64_MAX, .limit = 10}};
    struct tdk_stream_stats stats;
    struct tdk_stream *stream;
    struct tdk_run run;
    int rc, status = 0;
    if (tdk_client_query(client, &first, &stream, err) < 0)
        return 1;
    while ((rc = tdk_stream_read(stream, &run, err)) == 1 || rc == TDK_ECORRUPT) {
        if (rc == 1)
            print_run(&run);
        else
            status = 3; /* a damaged block was passed over; the rest follows */
    }
    tdk_stream_stats(stream, &stats);
    tdk_stream_close(stream);
    if (rc < 0)
        return 1;
    printf("digest %s ticks %" PRIu64 "\n", stats.digest, stats.ticks);
    return stats.lost > 0 ? 3 : status;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: ask ADDRESS\n");
        return 2;
    }
    struct tdk_err err;
    struct tdk_client *client = NULL;
    struct tdk_client_count count;
    const struct tdk_client_query everything = {.range = {.to = UINT64_MAX}};
    int status = 1;
    if (tdk_client_open(&client, argv[1], NULL, &err) == 0 &&
        tdk_client_tracks(client, print_track, NULL, &err) == 0 &&
        tdk_client_count(client, &everything, &count, &err) == 0) {
        printf("%" PRIu64 " ticks, %" PRIu64 " bytes\n", count.ticks, count.bytes);
        status = print_first(client, &err);
    }
    if (status == 1)
        fprintf(stderr, "ask: %s\n", err.text);
    tdk_client_close(client);
    return status;
}
