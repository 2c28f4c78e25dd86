#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd_errors.h>

#include "base/bytes.h"
#include "base/err.h"
#include "formats/input_private.h"

static struct input_file *file_of(struct input *input)
{
    return container_of(input, struct input_file, window);
}

static size_t read_some(struct input_file *f, unsigned char *bytes, size_t size)
{
    /* EINTR counts as an end, too: a process that catches a signal while it waits for a pipe is to
     * stop. */
    ssize_t n = read(f->fd, bytes, size);
    if (n < 0)
        f->status = -errno;
    if (n <= 0) {
        f->raw_ended = true;
        return 0;
    }
    f->raw_read += (size_t)n;
    return (size_t)n;
}

bool input_raw(struct input_file *f)
{
    if (f->raw_at < f->raw_size)
        return true;
    f->raw_at = 0;
    f->raw_size = f->raw_ended ? 0 : read_some(f, f->raw, INPUT_CHUNK);
    return f->raw_size > 0;
}

bool input_raw_want(struct input_file *f, size_t size)
{
    if (f->raw_size - f->raw_at < size && f->raw_at > 0) {
        f->raw_size -= f->raw_at;
        memmove(f->raw, f->raw + f->raw_at, f->raw_size);
        f->raw_at = 0;
    }
    while (f->raw_size - f->raw_at < size && !f->raw_ended)
        f->raw_size += read_some(f, f->raw + f->raw_size, INPUT_CHUNK - f->raw_size);
    return f->raw_size - f->raw_at >= size;
}

void input_fail(struct input_file *f, int status, const char *reason)
{
    f->ended = true;
    f->status = status;
    f->reason = reason;
}

/* The raw bytes are used up. If something is not complete, that is an error. */
static void end(struct input_file *f)
{
    f->ended = true;
    if (f->status == 0 && f->inside)
        input_fail(f, TDK_ETRUNCATED,
                   f->packing == GZIP   ? "the gzip data breaks off"
                   : f->packing == ZSTD ? "the zstd data breaks off"
                                        : "the zip breaks off");
}

/* ---- one step of unpacking: some bytes to `out`, or `ended` is set; returns how many ---- */

static size_t step_plain(struct input_file *f, unsigned char *out, size_t room)
{
    size_t n = f->raw_size - f->raw_at; /* already read to detect the format */
    if (n > 0) {
        n = n < room ? n : room;
        memcpy(out, f->raw + f->raw_at, n);
        f->raw_at += n;
        return n;
    }
    n = f->raw_ended ? 0 : read_some(f, out, room);
    if (n == 0)
        end(f);
    return n;
}

/* After a member there may be zeros that fill a tape drive's block, then another member, or bytes
 * that do not belong there. */
static void gzip_next_member(struct input_file *f)
{
    while (f->raw_at < f->raw_size && f->raw[f->raw_at] == 0)
        f->raw_at++;
    if (f->raw_at == f->raw_size)
        return;
    if (f->raw[f->raw_at] != 0x1f || inflateReset(&f->gzip) != Z_OK)
        input_fail(f, TDK_ECORRUPT, "other bytes follow the gzip data");
    else
        f->inside = true;
}

size_t input_inflate(struct input_file *f, unsigned char *out, size_t room, bool *ended)
{
    z_stream *z = &f->gzip;
    z->next_in = f->raw + f->raw_at;
    z->avail_in = (unsigned)(f->raw_size - f->raw_at);
    z->next_out = out;
    z->avail_out = (unsigned)(room < INPUT_CHUNK ? room : INPUT_CHUNK);
    size_t offered = z->avail_out;
    int rc = inflate(z, Z_NO_FLUSH);
    f->raw_at = f->raw_size - z->avail_in;
    *ended = rc == Z_STREAM_END;
    if (rc == Z_MEM_ERROR)
        input_fail(f, -ENOMEM, NULL);
    else if (rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END)
        input_fail(f, TDK_ECORRUPT, z->msg != NULL ? z->msg : "the packed data is damaged");
    return offered - z->avail_out;
}

static size_t step_gzip(struct input_file *f, unsigned char *out, size_t room)
{
    if (!input_raw(f)) {
        end(f);
        return 0;
    }
    if (!f->inside) {
        gzip_next_member(f);
        if (!f->inside)
            return 0;
    }
    bool over;
    size_t n = input_inflate(f, out, room, &over);
    if (over)
        f->inside = false;
    return n;
}

static void fail_zstd(struct input_file *f, ZSTD_ErrorCode code)
{
    if (code == ZSTD_error_memory_allocation)
        input_fail(f, -ENOMEM, NULL);
    else if (code == ZSTD_error_frameParameter_windowTooLarge)
        input_fail(f, TDK_ECORRUPT,
                   "zstd data that takes more than 128 MiB of memory to decompress: do that first, "
                   "with zstd -d --long=31, and import the result; it begins");
    else
        input_fail(f, TDK_ECORRUPT, ZSTD_getErrorString(code));
}

static size_t step_zstd(struct input_file *f, unsigned char *out, size_t room)
{
    bool more = input_raw(f);
    ZSTD_inBuffer in = {f->raw, f->raw_size, f->raw_at};
    ZSTD_outBuffer to = {out, room, 0};
    if (!more && !f->inside) {
        end(f);
        return 0;
    }
    size_t rc = ZSTD_decompressStream(f->zstd, &to, &in);
    f->raw_at = in.pos;
    if (ZSTD_isError(rc))
        fail_zstd(f, ZSTD_getErrorCode(rc));
    else
        f->inside = rc != 0;
    if (!more && to.pos == 0 && !f->ended)
        end(f); /* the context had nothing left to give, either */
    return to.pos;
}

static size_t step(struct input_file *f, unsigned char *out, size_t room)
{
    if (f->packing == PLAIN)
        return step_plain(f, out, room);
    if (f->packing == GZIP)
        return step_gzip(f, out, room);
    return f->packing == ZSTD ? step_zstd(f, out, room) : input_step_zip(f, out, room);
}

/* ---- the window ---- */

/* Move what is not consumed to the buffer's beginning. If the buffer is full, make it larger. */
static bool make_room(struct input_file *f)
{
    struct input *w = &f->window;
    size_t held = (size_t)(w->end - w->at);
    if (w->at > f->buffer) {
        w->base_offset = input_offset(w);
        memmove(f->buffer, w->at, held);
    } else if (held == f->room) {
        size_t room = f->room * 2 + INPUT_CHUNK;
        unsigned char *grown = realloc(f->buffer, room);
        if (grown == NULL) {
            input_fail(f, -ENOMEM, NULL);
            return false;
        }
        f->buffer = grown;
        f->room = room;
    }
    w->base = w->at = f->buffer;
    w->end = f->buffer + held;
    return true;
}

void input_fill(struct input *input, size_t want)
{
    struct input_file *f = file_of(input);
    while ((size_t)(input->end - input->at) < want && !f->ended) {
        if (!make_room(f))
            return;
        size_t used = (size_t)(input->end - f->buffer);
        input->end += step(f, f->buffer + used, f->room - used);
    }
}

/* Consume everything up to and including the next newline. */
static void skip_line(struct input *input)
{
    while (input_peek(input, 1) > 0) {
        const unsigned char *newline = memchr(input->at, '\n', (size_t)(input->end - input->at));
        input->at = newline == NULL ? input->end : newline + 1;
        if (newline != NULL)
            return;
    }
}

int input_line(struct input *input, size_t max, const char **line, size_t *size)
{
    size_t searched = 0;
    for (;;) {
        size_t held = (size_t)(input->end - input->at);
        const unsigned char *newline =
            held == searched ? NULL : memchr(input->at + searched, '\n', held - searched);
        size_t length = newline != NULL ? (size_t)(newline - input->at) : held;
        if (length > max) {
            skip_line(input);
            return -EMSGSIZE;
        }
        searched = held;
        if (newline == NULL && input_peek(input, held + 1) > held)
            continue;
        if (newline == NULL && file_of(input)->status < 0)
            input->at = input->end; /* a line that broke off does not count */
        if (newline == NULL && input->at == input->end)
            return 0;
        *line = (const char *)input->at;
        *size = length;
        input_consume(input, length + (newline != NULL));
        return 1;
    }
}

/* ---- opening ---- */

static bool is_skippable_zstd(const unsigned char *bytes)
{
    return (load_u32(bytes) & 0xFFFFFFF0u) == 0x184D2A50u;
}

static int open_inflate(struct input_file *f, int window_bits, struct tdk_err *err)
{
    f->inflating = inflateInit2(&f->gzip, window_bits) == Z_OK;
    if (!f->inflating)
        return err_set(err, -ENOMEM, "unpack %s", f->path);
    f->inside = f->packing == GZIP;
    return 0;
}

/* Detect the compression by the first bytes. Ask for no more than needed: they may come slowly,
 * through a pipe. */
static int detect(struct input_file *f, struct tdk_err *err)
{
    bool four = input_raw_want(f, 4);
    if (f->status < 0)
        return err_set(err, f->status, "read %s", f->path);
    if (four && is_skippable_zstd(f->raw) && input_raw_want(f, 11) &&
        memcmp(f->raw + 8, "DBZ", 3) == 0)
        return err_say(err, TDK_EFORMAT,
                       "%s: DBZ, the format before DBN, cannot be read; convert it to DBN first",
                       f->path);
    if (four && (load_u32(f->raw) == ZSTD_MAGICNUMBER || is_skippable_zstd(f->raw))) {
        f->packing = ZSTD;
        f->zstd = ZSTD_createDCtx();
        return f->zstd == NULL ? err_set(err, -ENOMEM, "unpack %s", f->path) : 0;
    }
    if (f->raw_size >= 3 && memcmp(f->raw, "\x1f\x8b\x08", 3) == 0) {
        f->packing = GZIP;
        return open_inflate(f, 15 + 16, err);
    }
    if (four && load_u32(f->raw) == 0x04034b50) {
        f->packing = ZIP;
        return open_inflate(f, -15, err);
    }
    return 0;
}

static int file_init(struct input_file *f, const char *path, struct tdk_err *err)
{
    bool from_stdin = strcmp(path, "-") == 0;
    f->fd = -1;
    f->path = strdup(from_stdin ? "stdin" : path);
    f->raw = malloc(INPUT_CHUNK);
    f->buffer = malloc(INPUT_CHUNK);
    if (f->path == NULL || f->raw == NULL || f->buffer == NULL)
        return err_set(err, -ENOMEM, "open %s", path);
    f->room = INPUT_CHUNK;
    f->window.base = f->window.at = f->window.end = f->buffer;
    f->fd = from_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0)
        return err_set(err, -errno, "open %s", f->path);
    struct stat st;
    if (fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode))
        f->raw_total = (uint64_t)st.st_size;
    posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only advice; fails on a pipe */
    return detect(f, err);
}

int input_open(struct input **input, const char *path, struct tdk_err *err)
{
    struct input_file *f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(err, -ENOMEM, "open %s", path);
    int rc = file_init(f, path, err);
    if (rc < 0) {
        input_close(&f->window);
        return rc;
    }
    *input = &f->window;
    return 0;
}

void input_close(struct input *input)
{
    if (input == NULL)
        return;
    struct input_file *f = file_of(input);
    if (f->inflating)
        inflateEnd(&f->gzip);
    ZSTD_freeDCtx(f->zstd);
    if (f->fd >= 0)
        close(f->fd);
    free(f->raw);
    free(f->buffer);
    free(f->path);
    free(f);
}

int input_status(struct input *input, struct tdk_err *err)
{
    const struct input_file *f = file_of(input);
    if (f->status == 0)
        return 0;
    if (f->reason != NULL)
        return err_say(err, f->status, "%s: %s near byte %llu of the file", f->path, f->reason,
                       (unsigned long long)(f->raw_read - (f->raw_size - f->raw_at)));
    return err_set(err, f->status, "read %s", f->path);
}

void input_progress(struct input *input, uint64_t *done, uint64_t *total)
{
    const struct input_file *f = file_of(input);
    *done = f->raw_read;
    *total = f->raw_total;
}
