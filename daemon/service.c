#include "daemon/service.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/quantity.h"
#include "daemon/notify.h"

static const int numbers[SERVICE_SIGNALS] = {
    [SERVICE_STOP] = SIGTERM,
    [SERVICE_INTERRUPT] = SIGINT,
    [SERVICE_ROLL] = SIGHUP,
    [SERVICE_STATISTICS] = SIGUSR1,
};

/* If there are too few descriptors, some open fails later. This only makes it less likely. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void set_workers(unsigned count)
{
    char text[16];
    if (count == 0)
        return;
    snprintf(text, sizeof text, "%u", count);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): at start, before other threads */
    setenv("UV_THREADPOOL_SIZE", text, 1);
}

static void on_deadline(uv_timer_t *timer)
{
    struct service *s = timer->data;
    log_error(
        "stop: not done after %llu ms, exiting all the same; the next start continues from there",
        (unsigned long long)s->stop_ms);
    _exit(1); /* atexit handlers and the pool would wait for whatever hangs */
}

/* ---- systemd's watchdog: a loop that still turns says so at twice the rate that was asked for
 * ---- */

static uint64_t watchdog_ms(void)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): at start, before other threads */
    const char *limit = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    /* NOLINTEND(concurrency-mt-unsafe) */
    uint64_t us = 0, whose = 0;
    if (limit == NULL || quantity_count(limit, &us, NULL) < 0)
        return 0;
    if (pid != NULL && (quantity_count(pid, &whose, NULL) < 0 || whose != (uint64_t)getpid()))
        return 0; /* it is meant for the process that started us */
    return us / 2000;
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    notify_send("WATCHDOG=1");
}

static void start_watchdog(struct service *s)
{
    uint64_t ms = watchdog_ms();
    uv_timer_init(&s->loop, &s->watchdog);
    if (ms > 0)
        uv_timer_start(&s->watchdog, on_watchdog, 0, ms);
    uv_unref((uv_handle_t *)&s->watchdog);
}

void service_stop(struct service *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    notify_send("STOPPING=1");
    uv_timer_start(&s->deadline, on_deadline, s->stop_ms, 0);
    s->events.stop(s->context);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct service *s = handle->data;
    if (number == SIGHUP && s->events.roll != NULL)
        s->events.roll(s->context);
    else if (number == SIGUSR1 && s->events.statistics != NULL)
        s->events.statistics(s->context);
    else if (number == SIGTERM || number == SIGINT)
        service_stop(s);
}

static void start_signals(struct service *s)
{
    for (size_t i = 0; i < SERVICE_SIGNALS; i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&s->signals[i]);
    }
}

int service_init(struct service *s, const struct service_events *events, void *context,
                 unsigned io_workers, uint64_t stop_ms, struct tdk_err *err)
{
    memset(s, 0, sizeof *s);
    s->events = *events;
    s->context = context;
    s->stop_ms = stop_ms;
    raise_file_limit();
    set_workers(io_workers);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* then writing to a file that may not grow is an error */

    int rc = uv_loop_init(&s->loop);
    if (rc < 0)
        return err_set(err, rc, "make the event loop");
    start_signals(s);
    uv_timer_init(&s->loop, &s->deadline);
    s->deadline.data = s;
    start_watchdog(s);
    return 0;
}

void service_ready(const char *line)
{
    struct iovec parts[] = {
        {.iov_base = (void *)(uintptr_t)line, .iov_len = strlen(line)},
        {.iov_base = (char[]){'\n'}, .iov_len = 1},
    };
    ssize_t ignored = writev(STDERR_FILENO, parts, 2); /* one write: no other line gets between */
    (void)ignored;
    notify_send("READY=1");
}

int service_run(struct service *s)
{
    uv_run(&s->loop, UV_RUN_DEFAULT);
    return s->exit_code;
}

void service_finish(struct service *s, int exit_code)
{
    if (uv_is_closing((uv_handle_t *)&s->deadline))
        return;
    s->exit_code = exit_code;
    for (size_t i = 0; i < SERVICE_SIGNALS; i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    /* Without their handles these signals would kill us, with another exit status than ours. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    uv_close((uv_handle_t *)&s->watchdog, NULL);
    uv_close((uv_handle_t *)&s->deadline, NULL);
}

void service_close(struct service *s)
{
    service_finish(s, s->exit_code);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&s->loop);
    assert(rc == 0);
    (void)rc;
}
