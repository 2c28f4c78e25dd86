#include "cli/bench_pair.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/interrupt.h"

struct shared {
    struct bench_pair pair;
    struct tdk_err err; /* the child's */
};

int bench_pair_cpus(const char *text, int cpus[2], struct tdk_err *err)
{
    char more;
    cpus[0] = cpus[1] = -1;
    if (text == NULL)
        return 0;
    if (sscanf(text, "%d,%d%c", &cpus[0], &cpus[1], &more) == 2 && cpus[0] >= 0 && cpus[1] >= 0)
        return 0;
    return err_say(err, TDK_EVALUE, "'%s' does not name two processors, as in 0,1", text);
}

int bench_pair_pin(int cpu, struct tdk_err *err)
{
    cpu_set_t set;
    if (cpu < 0)
        return 0;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        return err_set(err, -errno, "pin to processor %d (there are %ld)", cpu,
                       sysconf(_SC_NPROCESSORS_ONLN));
    return 0;
}

bool bench_pair_is_over(struct bench_pair *pair)
{
    return __atomic_load_n(&pair->failed, __ATOMIC_RELAXED) != 0 || interrupted();
}

int bench_pair_say_over(struct tdk_err *err)
{
    return err_say(err, -ECANCELED, interrupted() ? "interrupted" : "the other process has ended");
}

bool bench_pair_meet(struct bench_pair *pair)
{
    uint32_t mine = __atomic_add_fetch(&pair->ready, 1, __ATOMIC_SEQ_CST);
    if (mine == 2)
        __atomic_store_n(&pair->gone_ns, clock_mono(), __ATOMIC_RELEASE);
    while (__atomic_load_n(&pair->gone_ns, __ATOMIC_ACQUIRE) == 0) {
        if (bench_pair_is_over(pair))
            return false;
        sched_yield();
    }
    return true;
}

static _Noreturn void be_child(struct shared *shared, bench_side_cb *produce, void *context)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int rc = bench_pair_pin(shared->pair.cpus[0], &shared->err);
    if (rc == 0)
        rc = produce(&shared->pair, context, &shared->err);
    if (rc < 0)
        __atomic_store_n(&shared->pair.failed, 1, __ATOMIC_RELEASE);
    _exit(rc == 0 ? 0 : 1);
}

/* End the child. If the consumer failed, the producer must not go on waiting for room. */
static int end_child(pid_t child, int rc, const struct shared *shared, struct tdk_err *err)
{
    int status;
    if (rc < 0 && __atomic_load_n(&shared->pair.failed, __ATOMIC_ACQUIRE) == 0)
        kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return rc;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && rc < 0)
        return rc;
    if (WIFEXITED(status))
        return err_say(err, shared->err.code, "%s", shared->err.text);
    return err_say(err, TDK_EINTERNAL, "the producer ended by signal %d", WTERMSIG(status));
}

int bench_pair_run(const int cpus[2], bench_side_cb *produce, bench_side_cb *consume, void *context,
                   struct tdk_err *err)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return err_set(err, -errno, "share a page with the producer");
    shared->pair.cpus[0] = cpus[0];
    shared->pair.cpus[1] = cpus[1];
    pid_t child = fork();
    int rc = child < 0 ? err_set(err, -errno, "start the producer") : 0;
    if (child == 0)
        be_child(shared, produce, context);
    if (rc == 0) {
        rc = bench_pair_pin(cpus[1], err);
        if (rc == 0)
            rc = consume(&shared->pair, context, err);
        rc = end_child(child, rc, shared, err);
    }
    munmap(shared, sizeof *shared);
    return rc;
}
