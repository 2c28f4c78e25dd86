#include "daemon/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

enum {
    WAITING_MAX = 8,
    ARGUMENTS_MAX = 16,
    OUT_MAX = 4 << 20,
    PIECE = 65536,
    SECONDS_MAX = 10,
    NICE = 10,
    LOOK_MS = 50,
};
#define LEAVE_NS NS_PER_S /* time for it to die when we end */

/* ---- starting it ---- */

/* The program in our own folder: it is of the same version, and nobody else's. */
static int beside_us(char path[PATH_MAX], struct tdk_err *err)
{
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - 16);
    if (size < 0)
        return err_set(err, -errno, "find our own program");
    path[size] = '\0';
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return err_set(err, -ENOENT, "find our own program");
    memcpy(slash, "/tapedeck", sizeof "/tapedeck");
    if (access(path, X_OK) < 0)
        return err_say(err, -errno, "%.300s: it is not there, so nothing of the tape can be shown",
                       path);
    return 0;
}

/* It inherits nothing of ours: no descriptor, no handler, no mask, no environment, no priority. */
static int spawn(const char *path, const char *const argv[], int out, int told, pid_t *pid)
{
    static const char *const environment[] = {"LC_ALL=C", NULL};
    const char *arguments[ARGUMENTS_MAX + 2] = {"tapedeck"};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    const struct sched_param rank = {.sched_priority = 0};
    sigset_t none, all;
    for (size_t i = 0; argv[i] != NULL && i < ARGUMENTS_MAX; i++)
        arguments[i + 1] = argv[i];
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setschedpolicy(&attributes, SCHED_BATCH);
    posix_spawnattr_setschedparam(&attributes, &rank);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETSCHEDULER);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, told, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    int rc = posix_spawn(pid, path, &files, &attributes, (char *const *)(uintptr_t)arguments,
                         (char *const *)(uintptr_t)environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return -rc;
}

/* Each step is best effort. If one is refused, it is less polite, but answers the same. */
static void humble(pid_t pid)
{
    const struct rlimit time = {.rlim_cur = SECONDS_MAX, .rlim_max = SECONDS_MAX};
    char path[64];
    (void)setpriority(PRIO_PROCESS, (id_t)pid, NICE);
    (void)prlimit(pid, RLIMIT_CPU, &time, NULL);
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t written = write(fd, "800", 3);
    (void)written;
    close(fd);
}

/* ---- hearing it ---- */

struct hearing {
    struct tool_answer *answer;
    struct text_buffer told;
    struct pollfd fds[2]; /* out, told; -1: it has closed this one */
    uint64_t due_ns;
};

static int take(struct pollfd *fd, struct text_buffer *text)
{
    char *room = text_reserve(text, PIECE);
    if (room == NULL)
        return -ENOMEM;
    ssize_t size = read(fd->fd, room, PIECE);
    if (size < 0)
        return errno == EINTR ? 0 : -errno;
    if (size == 0)
        fd->fd = -1;
    text->size += (size_t)size;
    return text->size > OUT_MAX ? -EFBIG : 0;
}

static int hear(struct hearing *h, const atomic_bool *stopping)
{
    struct text_buffer *texts[2] = {&h->answer->out, &h->told};
    while (h->fds[0].fd >= 0 || h->fds[1].fd >= 0) {
        if (*stopping)
            return -ECANCELED;
        if (clock_mono() > h->due_ns)
            return -ETIMEDOUT;
        if (poll(h->fds, 2, LOOK_MS) < 0 && errno != EINTR)
            return -errno;
        for (size_t i = 0; i < 2; i++) {
            if (h->fds[i].fd < 0 || h->fds[i].revents == 0)
                continue;
            int rc = take(&h->fds[i], texts[i]);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* Keep the last line, without "tapedeck CMD: " in front. */
static void keep_last_line(struct tool_answer *answer, struct text_buffer *told)
{
    size_t end = told->size;
    while (end > 0 && told->bytes[end - 1] == '\n')
        end--;
    size_t begin = end;
    while (begin > 0 && told->bytes[begin - 1] != '\n')
        begin--;
    const char *line = told->bytes + begin;
    size_t size = end - begin;
    const char *colon = size > 0 ? memmem(line, size, ": ", 2) : NULL;
    if (colon != NULL && strncmp(line, "tapedeck ", sizeof "tapedeck " - 1) == 0) {
        size -= (size_t)(colon + 2 - line);
        line = colon + 2;
    }
    snprintf(answer->told, sizeof answer->told, "%.*s", (int)(size < 399 ? size : 399),
             size > 0 ? line : "");
}

/* Its exit status. -1: a signal ended it, or it has not ended. A process that hangs in the kernel
 * cannot be killed. We wait for it, so that there is one of them and not many, but our own end does
 * not wait with it. */
static int wait_for(pid_t pid, const atomic_bool *stopping)
{
    uint64_t leave_ns = UINT64_MAX;
    int status, nap_ms = 1;
    pid_t ended;
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && clock_mono() < leave_ns) {
        if (*stopping && leave_ns == UINT64_MAX) {
            kill(pid, SIGKILL);
            leave_ns = clock_mono() + LEAVE_NS;
        }
        poll(NULL, 0, nap_ms);
        nap_ms = nap_ms < LOOK_MS ? 2 * nap_ms : LOOK_MS;
    }
    return ended == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(const char *path, const char *const argv[], const atomic_bool *stopping,
               struct tool_answer *answer, struct tdk_err *err)
{
    int out[2], told[2];
    pid_t pid;
    if (pipe2(out, O_CLOEXEC) < 0)
        return err_set(err, -errno, "make a pipe");
    if (pipe2(told, O_CLOEXEC) < 0) {
        int rc = err_set(err, -errno, "make a pipe");
        close(out[0]);
        close(out[1]);
        return rc;
    }
    struct hearing h = {
        .answer = answer,
        .fds = {{.fd = out[0], .events = POLLIN}, {.fd = told[0], .events = POLLIN}},
        .due_ns = clock_mono() + SECONDS_MAX * NS_PER_S};
    text_init(&h.told);
    int rc = spawn(path, argv, out[1], told[1], &pid);
    close(out[1]);
    close(told[1]);
    if (rc == 0) {
        humble(pid);
        rc = hear(&h, stopping);
        if (rc < 0)
            kill(pid, SIGKILL);
        answer->status = wait_for(pid, stopping);
        keep_last_line(answer, &h.told);
    }
    close(out[0]);
    close(told[0]);
    text_close(&h.told);
    return rc < 0 ? err_set(err, rc, "run tapedeck %.20s", argv[0]) : 0;
}

/* ---- one at a time ---- */

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static atomic_int waiting;

int tool_run(const char *const argv[], const atomic_bool *stopping, struct tool_answer *answer,
             struct tdk_err *err)
{
    char path[PATH_MAX];
    *answer = (struct tool_answer){.status = -1};
    text_init(&answer->out);
    int rc = beside_us(path, err);
    if (rc < 0)
        return rc;
    if (atomic_fetch_add(&waiting, 1) >= WAITING_MAX) {
        rc = err_say(err, -EBUSY, "too many requests at once; try again in a moment");
    } else {
        pthread_mutex_lock(&one);
        rc = *stopping ? err_say(err, -ECANCELED, "the daemon is stopping")
                       : run(path, argv, stopping, answer, err);
        pthread_mutex_unlock(&one);
    }
    atomic_fetch_sub(&waiting, 1);
    return rc;
}

void tool_forget(struct tool_answer *answer)
{
    text_close(&answer->out);
}
