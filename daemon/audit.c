#include "daemon/audit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/owner.h"

/* lines -> waiting -> (swapped) writing -> file */
struct audit {
    uv_loop_t *loop; /* borrowed */
    uv_work_t work;
    int fd;
    struct text_buffer waiting, writing;
    bool busy, failed;
    int status;
    void (*drained)(void *context);
    void *context;
};

int audit_open(struct audit **out, uv_loop_t *loop, const char *path,
               void (*drained)(void *context), void *context, struct tdk_err *err)
{
    struct audit *a = calloc(1, sizeof *a);
    if (a == NULL)
        return err_set(err, -ENOMEM, "audit");
    a->loop = loop;
    a->drained = drained;
    a->context = context;
    a->fd = owner_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
    if (a->fd < 0) {
        int rc = err_set(err, -errno, "open the audit log %s", path);
        free(a);
        return rc;
    }
    *out = a;
    return 0;
}

bool audit_is_full(const struct audit *a)
{
    return a->waiting.size >= AUDIT_ROOM;
}

/* If a line was written only in part, remove that part; otherwise the next line would continue it.
 * Leave it if the other daemon of this tape has written after it. */
static void cut_torn(int fd, const char *bytes, size_t written)
{
    struct stat file;
    size_t torn = 0;
    while (torn < written && bytes[written - torn - 1] != '\n')
        torn++;
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (torn == 0 || fstat(fd, &file) < 0 || file.st_size != end)
        return;
    int ignored = ftruncate(fd, end - (off_t)torn);
    (void)ignored;
}

/* Lines that are not written are lost, and that is reported, including -ENOMEM. */
static int write_out(int fd, const struct text_buffer *text)
{
    for (size_t done = 0; done < text->size;) {
        ssize_t n = write(fd, text->bytes + done, text->size - done);
        if (n < 0 && errno != EINTR) {
            int rc = -errno;
            cut_torn(fd, text->bytes, done);
            return rc;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return text_error(text);
}

static void work(uv_work_t *work)
{
    struct audit *a = container_of(work, struct audit, work);
    a->status = write_out(a->fd, &a->writing);
}

static void start(struct audit *a);

static void on_written(uv_work_t *work, int status)
{
    struct audit *a = container_of(work, struct audit, work);
    assert(status == 0); /* nothing cancels it */
    (void)status;
    bool was_full = audit_is_full(a);
    a->busy = false;
    if (a->status < 0 && !a->failed)
        log_error("write the audit log: %s; lines are missing from it", tdk_strerror(a->status));
    a->failed = a->status < 0;
    start(a);
    if (was_full)
        a->drained(a->context);
}

static void start(struct audit *a)
{
    bool any = a->waiting.size > 0 || text_error(&a->waiting) < 0;
    if (a->busy || !any)
        return;
    struct text_buffer empty = a->writing;
    a->writing = a->waiting;
    a->waiting = empty;
    text_clear(&a->waiting);
    if (uv_queue_work(a->loop, &a->work, work, on_written) == 0)
        a->busy = true;
}

static void put_line(struct text_buffer *out, const struct audit_entry *e)
{
    text_add_string(out, "{\"time\":\"");
    text_add_time(out, clock_wall());
    text_add_format(out, "\",\"uid\":%lld,\"client\":", e->uid);
    text_add_json(out, e->client, strlen(e->client));
    text_add_char(out, ',');
    text_add_string(out, e->call);
    text_add_format(out, ",\"result\":\"%s\"}\n", e->result);
}

void audit_add(struct audit *a, const struct audit_entry *e)
{
    size_t before = a->waiting.size;
    put_line(&a->waiting, e);
    if (text_error(&a->waiting) < 0)
        a->waiting.size = before; /* a whole line or none */
    start(a);
}

void audit_close(struct audit *a)
{
    if (a == NULL)
        return;
    assert(!a->busy);
    if (write_out(a->fd, &a->waiting) < 0)
        log_error("write the audit log: its last lines are missing");
    close(a->fd);
    text_close(&a->waiting);
    text_close(&a->writing);
    free(a);
}
