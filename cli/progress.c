#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define TELL_EVERY_NS (500 * NS_PER_MS)

const char *const progress_words[] = {"auto", "ndjson", "none", NULL};

void progress_begin(struct progress *progress, const char *what, int mode, bool quiet)
{
    *progress = (struct progress){.what = what, .mode = (enum progress_mode)mode};
    if (mode == PROGRESS_AUTO && (quiet || !isatty(STDERR_FILENO)))
        progress->mode = PROGRESS_NONE;
    progress->begin_ns = clock_mono();
    progress->told_ns = progress->begin_ns;
}

uint64_t progress_elapsed(const struct progress *progress)
{
    return clock_mono() - progress->begin_ns;
}

/* The time left at the pace so far. UINT64_MAX: not known. */
static uint64_t time_left(uint64_t done, uint64_t total, uint64_t elapsed_ns)
{
    if (done == 0 || total <= done)
        return total != 0 && done >= total ? 0 : UINT64_MAX;
    double left = (double)elapsed_ns / (double)done * (double)(total - done);
    return left < 1e18 ? (uint64_t)left : UINT64_MAX;
}

static void tell_json(const struct progress *p, uint64_t done, uint64_t total, const char *unit,
                      uint64_t ticks, uint64_t rate, uint64_t elapsed_ns)
{
    uint64_t left = time_left(done, total, elapsed_ns);
    fprintf(stderr,
            "{\"progress\":\"%s\",\"%s\":%" PRIu64 ",\"total\":%" PRIu64 ",\"ticks\":%" PRIu64
            ",\"ticks_per_second\":%" PRIu64 ",\"elapsed_ns\":%" PRIu64,
            p->what, strcmp(unit, "ticks") == 0 ? "done" : unit, done, total, ticks, rate,
            elapsed_ns);
    if (left != UINT64_MAX)
        fprintf(stderr, ",\"left_ns\":%" PRIu64, left);
    fputs("}\n", stderr);
}

static void tell_line(struct progress *p, uint64_t done, uint64_t total, const char *unit,
                      uint64_t ticks, uint64_t rate, uint64_t elapsed_ns)
{
    char count[QUANTITY_TEXT], per_second[QUANTITY_TEXT], a[QUANTITY_TEXT], b[QUANTITY_TEXT];
    char line[200];
    uint64_t left = time_left(done, total, elapsed_ns);
    int n = snprintf(line, sizeof line, "%s  %s ticks  %s/s", p->what,
                     quantity_count_text(count, ticks), quantity_count_text(per_second, rate));
    if (strcmp(unit, "bytes") == 0)
        n += snprintf(line + n, sizeof line - (size_t)n, "  %s", quantity_size_text(a, done));
    if (total > 0)
        n += snprintf(line + n, sizeof line - (size_t)n, "  %.0f%%",
                      100.0 * (double)done / (double)total);
    if (left != UINT64_MAX)
        snprintf(line + n, sizeof line - (size_t)n, "  %s left", quantity_duration_text(b, left));
    fprintf(stderr, "\r\033[K%s", line);
    p->shown = true;
}

static void tell(struct progress *p, uint64_t done, uint64_t total, const char *unit,
                 uint64_t ticks, uint64_t now)
{
    uint64_t rate = quantity_per_second(ticks - p->told_ticks, now - p->told_ns);
    if (p->mode == PROGRESS_NDJSON)
        tell_json(p, done, total, unit, ticks, rate, now - p->begin_ns);
    else
        tell_line(p, done, total, unit, ticks, rate, now - p->begin_ns);
    p->told_ns = now;
    p->told_ticks = ticks;
}

void progress_at(struct progress *p, uint64_t done, uint64_t total, const char *unit,
                 uint64_t ticks)
{
    if (p->mode == PROGRESS_NONE)
        return;
    uint64_t now = clock_mono();
    if (now - p->told_ns >= TELL_EVERY_NS)
        tell(p, done, total, unit, ticks, now);
}

void progress_clear(struct progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = false;
}

void progress_end(struct progress *p, uint64_t done, uint64_t total, const char *unit,
                  uint64_t ticks)
{
    progress_clear(p);
    if (p->mode == PROGRESS_NDJSON)
        tell(p, done, total, unit, ticks, clock_mono());
}
