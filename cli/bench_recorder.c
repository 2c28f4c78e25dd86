/* bench_recorder.c - starts a recorder, waits until everything is recorded, and stops it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/bench_recorder.h"
#include "cli/interrupt.h"
#include "tapedeck/client.h"
#include "tapedeck/ring.h"

#define PATIENCE_NS (60 * NS_PER_S)
#define LOOK_NS     (200 * NS_PER_US)
#define ARGS_MAX    (2 * BENCH_FEEDS_MAX + 16)

/* The recorder's program from the same build. */
static int recorder_path(char path[PATH_MAX], struct tdk_err *err)
{
    static const char name[] = "/tapedeck-recorder";
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - sizeof name);
    if (size < 0)
        return err_set(err, -errno, "find the recorder beside this program");
    path[size] = '\0';
    char *slash = strrchr(path, '/');
    memcpy(slash != NULL ? slash : path, name, sizeof name);
    return 0;
}

/* The log goes to the folder, acknowledgements to descriptor 3. If the bench is killed, the
 * recorder ends, too. */
static _Noreturn void be_recorder(const char *log, int ack, char *const argv[])
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool ready = fd >= 0 && dup2(fd, STDERR_FILENO) >= 0 && dup2(ack, 3) >= 0;
    if (ready && fcntl(3, F_SETFD, 0) == 0)
        execv(argv[0], argv);
    _exit(127);
}

static int start(struct bench_recorder *r, char *const argv[], int ack, struct tdk_err *err)
{
    char log[PATH_MAX + 8];
    if (access(argv[0], X_OK) < 0)
        return err_set(err, -errno, "start %s", argv[0]);
    snprintf(log, sizeof log, "%s/log", r->folder);
    pid_t child = fork();
    if (child == 0)
        be_recorder(log, ack, argv);
    if (child < 0)
        return err_set(err, -errno, "start %s", argv[0]);
    r->pid = child;
    return 0;
}

static void pause_ns(uint64_t ns)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static bool is_ready(const struct bench_recorder *r)
{
    char path[PATH_MAX + 8], line[PATH_MAX + 64];
    bool found = false;
    snprintf(path, sizeof path, "%s/log", r->folder);
    FILE *log = fopen(path, "re");
    while (log != NULL && !found && fgets(line, sizeof line, log) != NULL)
        found = strncmp(line, "ready ", strlen("ready ")) == 0;
    if (log != NULL)
        fclose(log);
    return found;
}

static int wait_until_ready(struct bench_recorder *r, struct tdk_err *err)
{
    uint64_t deadline = clock_mono() + PATIENCE_NS;
    while (!is_ready(r)) {
        if (waitpid(r->pid, NULL, WNOHANG) == r->pid) {
            r->pid = 0;
            return err_say(err, TDK_EINTERNAL,
                           "the recorder ended before it was ready: see "
                           "`tapedeck-recorder --tape DIR --ring NAME`");
        }
        if (clock_mono() > deadline)
            return err_set(err, -ETIMEDOUT, "wait for the recorder");
        pause_ns(LOOK_NS);
    }
    return 0;
}

int bench_recorder_start(struct bench_recorder *r, struct tdk_err *err)
{
    char path[PATH_MAX], tape[PATH_MAX + 8], names[BENCH_FEEDS_MAX][32];
    char *argv[ARGS_MAX], ring_flag[] = "--ring";
    size_t argc = 0;
    int ends[2];
    r->pid = 0;
    r->acks = -1;
    memset(r->durable, 0, sizeof r->durable);
    if (recorder_path(path, err) < 0)
        return err->code;
    snprintf(tape, sizeof tape, "%s/tape", r->folder);
    const char *const fixed[] = {path, "--tape", tape, "--sync", r->sync, "--ack-fd", "3", "-q"};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        argv[argc++] = (char *)(uintptr_t)fixed[i];
    for (unsigned i = 0; i < r->feeds->rings; i++) {
        argv[argc++] = ring_flag;
        argv[argc++] = bench_feed_name(names[i], i);
    }
    argv[argc] = NULL;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, -errno, "make a pipe");
    int rc = start(r, argv, ends[1], err);
    close(ends[1]);
    if (rc < 0) {
        close(ends[0]);
        return rc;
    }
    r->acks = ends[0];
    fcntl(r->acks, F_SETFL, O_NONBLOCK);
    return wait_until_ready(r, err);
}

int bench_recorder_end(struct bench_recorder *r, int rc, struct tdk_err *err)
{
    int status = 0;
    if (r->acks >= 0)
        close(r->acks);
    r->acks = -1;
    if (r->pid == 0)
        return rc;
    kill(r->pid, rc == 0 ? SIGTERM : SIGKILL);
    while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    r->pid = 0;
    if (rc == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        rc = err_say(err, TDK_EINTERNAL, "the recorder did not end in order");
    return rc;
}

/* ---- is it all there? ---- */

/* Read lines TRACK EPOCH SEQ. A track has its ring's name, which ends with the ring's number. */
static void read_acks(struct bench_recorder *r)
{
    char text[4096], *rest;
    ssize_t size;
    while ((size = read(r->acks, text, sizeof text - 1)) > 0) {
        text[size] = '\0'; /* lines are whole, because each is written with one write */
        for (char *line = strtok_r(text, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest)) {
            unsigned ring;
            uint64_t seq;
            if (sscanf(line, "bench-%*d-%u %*u %" SCNu64, &ring, &seq) == 2 &&
                ring < r->feeds->rings)
                r->durable[ring] = seq;
        }
    }
}

/* Recorded means durable if the recorder syncs, else written: the ring has got its room back. */
static bool is_taped(struct bench_recorder *r)
{
    bool synced = strcmp(r->sync, "none") != 0;
    char name[32];
    if (synced)
        read_acks(r);
    for (unsigned i = 0; i < r->feeds->rings; i++) {
        struct tdk_ring_info info;
        if (synced ? r->durable[i] < r->feeds->count
                   : tdk_ring_stat(bench_feed_name(name, i), &info, NULL) < 0 ||
                         info.produced < r->feeds->count || info.fill != 0)
            return false;
    }
    return true;
}

/* Flush now instead of at the next sync, like `tapedeck flush`. */
static int flush(const struct bench_recorder *r, struct tdk_err *err)
{
    char address[PATH_MAX + 64];
    const void *result;
    size_t size;
    struct tdk_client *client;
    snprintf(address, sizeof address, "unix:%s/tape/recorder.sock", r->folder);
    int rc = tdk_client_open(&client, address, NULL, err);
    if (rc < 0)
        return rc;
    rc = tdk_client_call(client, "flush", NULL, 0, &result, &size, err);
    tdk_client_close(client);
    return rc;
}

int bench_recorder_wait(struct bench_recorder *r, struct tdk_err *err)
{
    bool flushed = strcmp(r->sync, "none") == 0; /* nothing to flush */
    while (!is_taped(r)) {
        if (!flushed && bench_feeds_published(r->feeds)) {
            int rc = flush(r, err);
            if (rc < 0)
                return rc;
            flushed = true;
        }
        if (interrupted())
            return err_set(err, -ECANCELED, "record");
        if (waitpid(r->pid, NULL, WNOHANG) == r->pid) {
            r->pid = 0;
            return err_say(err, TDK_EINTERNAL, "the recorder ended while it recorded");
        }
        pause_ns(LOOK_NS);
    }
    return 0;
}
