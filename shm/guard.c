/*
 * When a mapped file is cut, the next touch of the lost pages raises SIGBUS.
 *
 * The handler puts empty memory in the place of the whole mapping, marks it, and returns. The
 * instruction is then done again and finds zeros, which are neither a tick nor a position. The
 * reader's usual checks stop it, and then it finds the mark. The handler does not jump out of
 * anything, so it does not matter in whose loop or library the fault came.
 */
#include "shm/guard.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/err.h"
#include "tapedeck/ring.h"

#define GUARDED_MAX 1024 /* in one process; mappings beyond that are not guarded */

/* The handler reads this while other threads attach and detach, so `base` is stored last and
 * cleared first. A mark is written only when its own mapping faults, and so only by the thread that
 * uses that mapping. */
static struct guarded {
    uintptr_t base; /* 0: free */
    size_t size;
    void *memory;
    const char **mark;
} guarded[GUARDED_MAX];

static struct sigaction previous;

void guard_add(void *base, size_t size, const char **mark)
{
    for (size_t i = 0; i < GUARDED_MAX; i++) {
        uintptr_t none = 0;
        /* 1 reserves the entry: no mapping is at that address. */
        if (!__atomic_compare_exchange_n(&guarded[i].base, &none, 1, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        guarded[i].size = size;
        guarded[i].memory = base;
        guarded[i].mark = mark;
        __atomic_store_n(&guarded[i].base, (uintptr_t)base, __ATOMIC_RELEASE);
        return;
    }
}

void guard_remove(const void *base, const char **mark)
{
    for (size_t i = 0; i < GUARDED_MAX; i++)
        if (__atomic_load_n(&guarded[i].base, __ATOMIC_ACQUIRE) == (uintptr_t)base &&
            guarded[i].mark == mark)
            __atomic_store_n(&guarded[i].base, 0, __ATOMIC_RELEASE);
}

static bool is_guarded(uintptr_t address)
{
    bool ours = false;
    for (size_t i = 0; i < GUARDED_MAX; i++) {
        uintptr_t base = __atomic_load_n(&guarded[i].base, __ATOMIC_ACQUIRE);
        if (base <= 1 || address < base || address - base >= guarded[i].size)
            continue;
        if (!ours &&
            mmap(guarded[i].memory, guarded[i].size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
            return false;
        if (guarded[i].mark != NULL)
            *guarded[i].mark = "its file was cut";
        ours = true;
    }
    return ours;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    if (is_guarded((uintptr_t)info->si_addr)) {
        errno = saved;
        return;
    }
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    } else {
        signal(number, SIG_DFL); /* not ours: the instruction faults again, and that kills us */
    }
}

int tdk_ring_guard(struct tdk_err *err)
{
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO}, now;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, NULL, &now) < 0)
        return err_set(err, -errno, "look at the handler of SIGBUS");
    if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_sigbus)
        return 0;
    previous = now;
    return sigaction(SIGBUS, &action, NULL) == 0 ? 0 : err_set(err, -errno, "handle SIGBUS");
}
