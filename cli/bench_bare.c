/* bench_bare.c - copies from another process's memory to a disk, and does nothing else. */
#include "cli/bench_bare.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "cli/bench_disk.h"

#define BUFFERS 64u                /* 64 MiB, like a recorder's default */
#define STEP    ((size_t)64 << 10) /* copied and summed while it is in the caches */
#define CHUNK   ((size_t)1 << 10)
#define LOOK_NS (50 * NS_PER_US)

/* What both sides look at: each counter in a cache line of its own, then the room. */
struct shared {
    _Alignas(64) _Atomic uint64_t produced; /* bytes */
    _Alignas(64) _Atomic uint64_t consumed;
    _Alignas(64) _Atomic int ready, begun;
    _Alignas(4096) unsigned char bytes[];
};

struct bare {
    struct shared *shared;
    size_t room, burst;
    uint64_t size;
    pid_t producer;
};

static size_t least(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

static void look_again(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
}

/* ---- the producer: word number i is i ---- */

static void produce(const struct bare *b, uint64_t at, size_t size)
{
    uint64_t *words = (uint64_t *)(void *)(b->shared->bytes + at % b->room);
    for (size_t i = 0; i < size / 8; i++)
        words[i] = at / 8 + i;
}

static _Noreturn void be_producer(const struct bare *b)
{
    struct shared *s = b->shared;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    memset(s->bytes, 0, b->room); /* touch it, as in a process that has been up for an hour */
    atomic_store(&s->ready, 1);
    while (!atomic_load(&s->begun))
        look_again();
    for (uint64_t at = 0; at < b->size;) {
        size_t size = least(least(b->burst, b->size - at), b->room - at % b->room);
        while (at + size - atomic_load_explicit(&s->consumed, memory_order_acquire) > b->room)
            look_again();
        produce(b, at, size);
        at += size;
        atomic_store_explicit(&s->produced, at, memory_order_release);
    }
    _exit(0);
}

/* ---- the consumer ---- */

static bool producer_has_ended(const struct bare *b)
{
    siginfo_t ended = {.si_pid = 0};
    return waitid(P_PID, (id_t)b->producer, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid != 0;
}

/* It checks whether the producer has ended only while there is nothing new. */
static int wait_for(const struct bare *b, uint64_t upto)
{
    while (atomic_load_explicit(&b->shared->produced, memory_order_acquire) < upto) {
        look_again();
        if (producer_has_ended(b) && atomic_load(&b->shared->produced) < upto)
            return TDK_EINTERNAL;
    }
    return 0;
}

static int take(void *context, uint64_t at, unsigned char *to, size_t size)
{
    const struct bare *b = context;
    uint32_t sums[STEP / CHUNK];
    atomic_store_explicit(&b->shared->begun, 1, memory_order_relaxed);
    for (size_t done = 0; done < size && at + done < b->size;) {
        size_t from = (at + done) % b->room;
        size_t step = least(least(STEP, size - done), least(b->room - from, b->size - at - done));
        int rc = wait_for(b, at + done + step);
        if (rc < 0)
            return rc;
        memcpy(to + done, b->shared->bytes + from, step);
        crc32c_chunks(to + done, step, CHUNK, sums);
        done += step;
        atomic_store_explicit(&b->shared->consumed, at + done, memory_order_release);
    }
    return 0;
}

static int check(void *context, uint64_t at, const unsigned char *bytes, size_t size)
{
    const struct bare *b = context;
    const uint64_t *words = (const void *)bytes;
    for (size_t i = 0; i < least(size, b->size - at) / 8; i++)
        if (words[i] != at / 8 + i)
            return TDK_ECORRUPT;
    return 0;
}

/* ---- both ---- */

static int start(struct bare *b, struct tdk_err *err)
{
    b->shared = mmap(NULL, sizeof *b->shared + b->room, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b->shared == MAP_FAILED)
        return err_set(err, -errno, "share %zu bytes with a producer", b->room);
    b->producer = fork();
    if (b->producer == 0)
        be_producer(b);
    if (b->producer < 0)
        return err_set(err, -errno, "start a producer");
    while (!atomic_load(&b->shared->ready)) {
        if (producer_has_ended(b))
            return err_say(err, TDK_EINTERNAL, "the producer ended before it began");
        look_again();
    }
    for (size_t i = 0; i < b->room; i += CHUNK)
        (void)*(volatile unsigned char *)(b->shared->bytes + i);
    return 0;
}

int bench_bare(const char *folder, uint64_t size, size_t room, size_t burst, uint64_t *elapsed_ns,
               struct tdk_err *err)
{
    struct bare b = {.room = room, .burst = burst, .size = size};
    struct bench_source source = {.buffers = BUFFERS, .fill = take, .check = check, .context = &b};
    int rc = start(&b, err);
    if (rc == 0)
        rc = bench_disk(folder, size, &source, elapsed_ns, err);
    if (b.producer > 0) {
        kill(b.producer, SIGKILL); /* it has ended, or nobody reads it any more */
        waitpid(b.producer, NULL, 0);
    }
    if (b.shared != MAP_FAILED)
        munmap(b.shared, sizeof *b.shared + b.room);
    return rc;
}
