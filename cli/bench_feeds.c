/* bench_feeds.c - producers that start together, each in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/attach.h"
#include "cli/bench.h"
#include "cli/bench_feeds.h"
#include "cli/interrupt.h"
#include "tapedeck/ring.h"

char *bench_feed_name(char name[32], unsigned i)
{
    snprintf(name, 32, "bench-%d-%u", (int)getpid(), i);
    return name;
}

int bench_feeds_make_rings(const struct bench_feeds *f, uint64_t capacity, struct tdk_err *err)
{
    const struct tdk_ring_options options = {.capacity = capacity};
    char name[32];
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < f->rings; i++)
        rc = tdk_ring_create(bench_feed_name(name, i), &options, err);
    return rc;
}

void bench_feeds_remove_rings(const struct bench_feeds *f)
{
    char name[32];
    for (unsigned i = 0; i < f->rings; i++)
        tdk_ring_remove(bench_feed_name(name, i), true, NULL);
}

/* ---- a producer ---- */

static void fill(struct tdk_frame *frame, uint64_t i)
{
    uint64_t *words = (uint64_t *)(void *)(frame + 1);
    frame->type = TDK_TYPE_OPAQUE;
    for (uint32_t w = 0; w < frame->size / 8; w++)
        words[w] = i + w;
}

bool bench_feeds_publish(struct tdk_ring *ring, const struct bench_feeds *f, uint64_t from,
                         uint64_t count)
{
    uint64_t now_ns = clock_wall();
    uint32_t room = (uint32_t)(count * tdk_frame_span(f->size) - sizeof(struct tdk_frame));
    while (!tdk_ring_wait_room(ring, room, NS_PER_S))
        if (interrupted() || tdk_ring_hostile(ring) != NULL)
            return false;
    for (uint64_t i = 0; i < count; i++) {
        struct tdk_frame *frame = tdk_ring_claim(ring, f->size);
        if (frame == NULL)
            return false;
        fill(frame, from + i);
        frame->ts = now_ns;
    }
    tdk_ring_publish(ring);
    return true;
}

static bool publish_paced(struct tdk_ring *ring, const struct bench_feeds *f)
{
    uint64_t begin_ns = clock_mono();
    for (uint64_t i = 0; i < f->count; i++) {
        uint64_t now_ns, due_ns = bench_due_ns(begin_ns, i, f->rate);
        while ((now_ns = clock_mono()) < due_ns)
            continue;
        struct tdk_frame *frame = tdk_ring_claim(ring, f->size);
        if (frame == NULL)
            return false;
        fill(frame, i);
        frame->ts = clock_wall();
        tdk_ring_publish(ring);
        histogram_add(f->cost, clock_mono() - now_ns);
    }
    return true;
}

/* Attach and touch the ring's pages, as in a producer that has been up for an hour. */
static bool get_ready(struct tdk_ring **ring, const char *name, const struct bench_feeds *f)
{
    char byte = 0;
    close(f->go[1]);
    if (tdk_ring_attach(ring, name, TDK_RING_PRODUCER, NULL) < 0)
        return false;
    attach_warm(*ring);
    return write(f->ready[1], &byte, 1) == 1 && read(f->go[0], &byte, 1) == 0;
}

static uint64_t left_of(const struct bench_feeds *f, uint64_t i)
{
    return f->count - i < BENCH_FEEDS_BURST ? f->count - i : BENCH_FEEDS_BURST;
}

static _Noreturn void be_producer(const char *name, const struct bench_feeds *f)
{
    struct tdk_ring *ring;
    bool done = true;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!get_ready(&ring, name, f))
        _exit(1);
    if (f->rate != 0)
        done = publish_paced(ring, f);
    else
        for (uint64_t i = 0; done && i < f->count; i += BENCH_FEEDS_BURST)
            done = bench_feeds_publish(ring, f, i, left_of(f, i));
    tdk_ring_detach(ring);
    _exit(done ? 0 : 1);
}

/* ---- all of them ---- */

static int fork_producers(struct bench_feeds *f, struct tdk_err *err)
{
    char name[32];
    for (unsigned i = 0; i < f->rings; i++) {
        bench_feed_name(name, i); /* named after our pid, not the child's */
        f->producers[i] = fork();
        if (f->producers[i] < 0)
            return err_set(err, -errno, "start a producer");
        if (f->producers[i] == 0)
            be_producer(name, f);
    }
    return 0;
}

static int wait_for_producers(const struct bench_feeds *f, struct tdk_err *err)
{
    char byte;
    for (unsigned i = 0; i < f->rings; i++) {
        ssize_t size;
        while ((size = read(f->ready[0], &byte, 1)) < 0 && errno == EINTR)
            continue;
        if (size != 1)
            return err_say(err, TDK_EINTERNAL, "a producer could not attach its ring");
    }
    return 0;
}

int bench_feeds_start(struct bench_feeds *f, uint64_t *begin_ns, struct tdk_err *err)
{
    if (pipe2(f->ready, O_CLOEXEC) < 0)
        return err_set(err, -errno, "make a pipe");
    if (pipe2(f->go, O_CLOEXEC) < 0) {
        int rc = err_set(err, -errno, "make a pipe");
        close(f->ready[0]);
        close(f->ready[1]);
        return rc;
    }
    int rc = fork_producers(f, err);
    close(f->ready[1]);
    if (rc == 0)
        rc = wait_for_producers(f, err);
    *begin_ns = clock_mono();
    close(f->go[1]);
    close(f->go[0]);
    close(f->ready[0]);
    return rc;
}

int bench_feeds_end(struct bench_feeds *f, struct tdk_err *err)
{
    int rc = 0;
    for (unsigned i = 0; i < f->rings; i++) {
        int status;
        while (waitpid(f->producers[i], &status, 0) < 0 && errno == EINTR)
            continue;
        if (rc == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
            rc = err_say(err, TDK_EFULL, "a producer did not get all of its ticks into its ring");
    }
    return rc;
}

bool bench_feeds_published(const struct bench_feeds *f)
{
    char name[32];
    for (unsigned i = 0; i < f->rings; i++) {
        struct tdk_ring_info info;
        if (tdk_ring_stat(bench_feed_name(name, i), &info, NULL) < 0 || info.produced < f->count)
            return false;
    }
    return true;
}

bool bench_feeds_made(const struct bench_feeds *f, const struct tdk_frame *frame)
{
    const uint64_t *words = (const uint64_t *)(const void *)(frame + 1);
    uint64_t i = frame->seq - 1, last = frame->size / 8 - 1;
    return frame->size == f->size && words[0] == i && words[last] == i + last;
}
