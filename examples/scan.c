/*
 * scan.c - reads a whole tape in order, with all tracks merged by time.
 *
 *     scan TAPE
 *
 * Prints each track's ticks, then a line with the digest of all of them. The digest is the same on
 * every machine, and however these ticks are delivered. Exit 3: everything readable was read, but
 * some ticks are missing.
 */
#include <inttypes.h>
#include <stdio.h>

#include <tapedeck/digest.h>
#include <tapedeck/tape.h>

static int print_track(const struct tdk_track_info *track, void *context)
{
    (void)context;
    printf("%-20s %12" PRIu64 " ticks %8" PRIu64 " lost\n", track->name, track->ticks, track->lost);
    return 0;
}

/* Read everything, run by run. A run is one contiguous piece of frames of one track, so no tick
 * costs a copy or a call. Returns 0 or 3, or 1 when it had to give up. */
static int scan(struct tdk_cursor *cursor, struct tdk_digest *digest)
{
    struct tdk_run run;
    struct tdk_err err;
    int rc, status = 0;
    while ((rc = tdk_cursor_read(cursor, &run, &err)) != 0) {
        if (rc == 1) {
            tdk_digest_run(digest, run.track, run.epoch, run.frames, run.size);
            continue;
        }
        fprintf(stderr, "scan: %s\n", err.text);
        if (rc != TDK_ECORRUPT)
            return 1;
        status = 3; /* a damaged block was passed over; the rest follows */
    }

    struct tdk_cursor_stats stats;
    tdk_cursor_stats(cursor, &stats);
    if (stats.lost > 0)
        fprintf(stderr, "scan: %" PRIu64 " ticks were lost before they could be recorded\n",
                stats.lost);
    return stats.lost > 0 ? 3 : status;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: scan TAPE\n");
        return 2;
    }
    struct tdk_err err;
    struct tdk_tape *tape;
    if (tdk_tape_open(&tape, argv[1], &err) < 0) {
        fprintf(stderr, "scan: %s\n", err.text);
        return 1;
    }
    tdk_tape_tracks(tape, print_track, NULL, NULL);

    const struct tdk_query everything = {.to = UINT64_MAX};
    struct tdk_cursor *cursor = NULL;
    struct tdk_digest *digest = NULL;
    int status = 1;
    if (tdk_cursor_open(&cursor, tape, &everything, &err) < 0) {
        fprintf(stderr, "scan: %s\n", err.text);
    } else if (tdk_digest_open(&digest) == 0) {
        uint8_t value[16];
        char hex[33];
        status = scan(cursor, digest);
        tdk_digest_value(digest, value, hex);
        printf("digest %s ticks %" PRIu64 "\n", hex, tdk_digest_ticks(digest));
    }
    tdk_digest_close(digest);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    return status;
}
