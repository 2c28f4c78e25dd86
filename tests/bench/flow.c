/*
 * flow.c - how fast a query comes over a socket, compared with a bare socket.
 *
 *   flow ADDRESS [ROUNDS]
 *
 * Each round times both, one after the other, so that they run under the same conditions: bytes
 * from one process to another over a Unix socket, in pieces as large as a batch, read as the client
 * reads; and all ticks of the replayer's tape, without a digest. Prints one row for each round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tapedeck/client.h"

#define PIECE  ((size_t)256 << 10)
#define BUFFER ((size_t)1 << 20)

static void pour(int fd, uint64_t size)
{
    static char piece[PIECE];
    memset(piece, 1, sizeof piece);
    while (size > 0) {
        ssize_t n = write(fd, piece, size < PIECE ? (size_t)size : PIECE);
        if (n <= 0)
            _exit(1);
        size -= (uint64_t)n;
    }
    _exit(0);
}

/* The bytes a second that a socket carries from one process to another; 0: it failed. */
static double bare(uint64_t size)
{
    static char buffer[BUFFER];
    int ends[2];
    uint64_t taken = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0)
        pour(ends[0], size);
    close(ends[0]);
    uint64_t begin = clock_mono();
    for (ssize_t n; (n = read(ends[1], buffer, sizeof buffer)) > 0;)
        taken += (uint64_t)n;
    uint64_t took = clock_mono() - begin;
    close(ends[1]);
    waitpid(pid, NULL, 0);
    return taken == size ? (double)taken / (double)took : 0;
}

/* The same for a query; 0: it failed. `first_ns`: until the first ticks had come. */
static double flow(const char *address, uint64_t *bytes, uint64_t *first_ns)
{
    struct tdk_client *client = NULL;
    struct tdk_stream *stream = NULL;
    struct tdk_err err;
    struct tdk_run run;
    const struct tdk_client_query query = {.range = {.to = UINT64_MAX}, .no_digest = true};
    if (tdk_client_open(&client, address, NULL, &err) < 0) {
        fprintf(stderr, "flow: %s\n", err.text);
        return 0;
    }
    uint64_t begin = clock_mono();
    *bytes = 0;
    *first_ns = 0;
    int rc = tdk_client_query(client, &query, &stream, &err);
    while (rc == 0 && (rc = tdk_stream_read(stream, &run, &err)) == 1) {
        if (*first_ns == 0)
            *first_ns = clock_mono() - begin;
        *bytes += run.size;
        rc = 0;
    }
    uint64_t took = clock_mono() - begin;
    if (rc < 0)
        fprintf(stderr, "flow: %s\n", err.text);
    tdk_stream_close(stream);
    tdk_client_close(client);
    return rc < 0 ? 0 : (double)*bytes / (double)took;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: flow ADDRESS [ROUNDS]\n");
        return 2;
    }
    int rounds = argc > 2 ? atoi(argv[2]) : 3;
    printf("bytes\tbare_GB_s\tquery_GB_s\tof_bare\tfirst_us\n");
    for (int i = 0; i < rounds; i++) {
        uint64_t bytes = 0, first_ns = 0;
        double query = flow(argv[1], &bytes, &first_ns);
        if (query <= 0)
            return 1;
        double socket = bare(bytes);
        if (socket <= 0) {
            perror("flow: a bare socket");
            return 1;
        }
        printf("%llu\t%.3f\t%.3f\t%.2f\t%.0f\n", (unsigned long long)bytes, socket, query,
               query / socket, (double)first_ns / 1000);
    }
    return 0;
}
