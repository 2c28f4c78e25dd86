#include "cli/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/owner.h"
#include "base/text_buffer.h"

#define COPY_SIZE    ((size_t)1 << 20)
#define MANIFEST_MAX ((size_t)16 << 20)

struct bundle {
    struct archive *archive;
    const char *what;         /* borrowed */
    struct text_buffer files; /* the lines of the manifest */
    void *buffer;             /* of COPY_SIZE; ours */
};

/* ---- names ---- */

static bool is_word(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > 128 || name[0] == '.')
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
           size;
}

static bool is_segment(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits >= 10 && digits <= 19 &&
           (strcmp(name + digits, ".seg") == 0 || strcmp(name + digits, ".g1.seg") == 0 ||
            strcmp(name + digits, ".open") == 0);
}

bool bundle_name_is_valid(const char *name)
{
    static const char segments[] = "segments/", files[] = "pack/files/", own[] = "pack/";
    if (strcmp(name, "tape.meta") == 0 || strcmp(name, "retired") == 0)
        return true;
    if (strncmp(name, segments, sizeof segments - 1) == 0)
        return is_segment(name + sizeof segments - 1);
    if (strncmp(name, files, sizeof files - 1) == 0)
        return is_word(name + sizeof files - 1);
    return strncmp(name, own, sizeof own - 1) == 0 && is_word(name + sizeof own - 1);
}

/* ---- writing ---- */

static int fail(const struct bundle *b, const char *doing, struct tdk_err *err)
{
    int code = archive_errno(b->archive);
    const char *why = archive_error_string(b->archive);
    return err_say(err, code > 0 ? -code : -EIO, "%s %s: %s", doing, b->what,
                   why != NULL ? why : "it failed");
}

int bundle_open(struct bundle **bundle, int fd, const char *what, struct tdk_err *err)
{
    struct bundle *b = calloc(1, sizeof *b);
    if (b == NULL)
        return err_set(err, -ENOMEM, "write %s", what);
    text_init(&b->files);
    b->what = what;
    b->archive = archive_write_new();
    b->buffer = malloc(COPY_SIZE);
    int rc = b->archive == NULL || b->buffer == NULL ? err_set(err, -ENOMEM, "write %s", what) : 0;
    if (rc == 0 &&
        (archive_write_set_format_pax_restricted(b->archive) != ARCHIVE_OK ||
         archive_write_add_filter_zstd(b->archive) != ARCHIVE_OK ||
         /* No zeros behind what is packed: into a pipe it would pad as for a tape drive. */
         archive_write_set_bytes_in_last_block(b->archive, 1) != ARCHIVE_OK ||
         archive_write_open_fd(b->archive, fd) != ARCHIVE_OK))
        rc = fail(b, "write", err);
    if (rc < 0) {
        bundle_close(b);
        return rc;
    }
    *bundle = b;
    return 0;
}

void bundle_close(struct bundle *bundle)
{
    if (bundle == NULL)
        return;
    if (bundle->archive != NULL)
        archive_write_free(bundle->archive);
    text_close(&bundle->files);
    free(bundle->buffer);
    free(bundle);
}

static int begin_member(struct bundle *b, const char *name, uint64_t size, struct tdk_err *err)
{
    struct archive_entry *entry = archive_entry_new();
    if (entry == NULL)
        return err_set(err, -ENOMEM, "write %s", b->what);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0640);
    archive_entry_set_mtime(entry, time(NULL), 0);
    int rc = archive_write_header(b->archive, entry) == ARCHIVE_OK ? 0 : fail(b, "write", err);
    archive_entry_free(entry);
    return rc;
}

static int put_bytes(struct bundle *b, const void *bytes, size_t size, struct tdk_err *err)
{
    const char *at = bytes;
    while (size > 0) {
        la_ssize_t n = archive_write_data(b->archive, at, size);
        if (n <= 0)
            return fail(b, "write", err);
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

static int note_member(struct bundle *b, const char *name, uint64_t size, uint32_t crc,
                       struct tdk_err *err)
{
    text_add_format(&b->files, "file %08" PRIx32 " %" PRIu64 " %s\n", crc, size, name);
    int rc = text_error(&b->files);
    return rc < 0 ? err_set(err, rc, "write %s", b->what) : 0;
}

int bundle_add(struct bundle *bundle, const char *name, const void *bytes, size_t size,
               struct tdk_err *err)
{
    int rc = begin_member(bundle, name, size, err);
    if (rc == 0)
        rc = put_bytes(bundle, bytes, size, err);
    return rc == 0 ? note_member(bundle, name, size, crc32c(0, bytes, size), err) : rc;
}

/* Read the next bytes of a file. If it ends too early the rest is zeros, because a segment is cut
 * when it is sealed. */
static int read_part(int fd, void *buffer, size_t size, uint64_t offset, const char *name,
                     struct tdk_err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)buffer + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, -errno, "read %s", name);
        if (n == 0) {
            memset((char *)buffer + done, 0, size - done);
            break;
        }
        done += (size_t)n;
    }
    return 0;
}

int bundle_add_file(struct bundle *bundle, const char *name, int fd, uint64_t size,
                    int (*progress)(uint64_t bytes, void *context), void *context,
                    struct tdk_err *err)
{
    uint32_t crc = 0;
    int rc = begin_member(bundle, name, size, err);
    for (uint64_t at = 0; at < size && rc == 0;) {
        size_t part = size - at < COPY_SIZE ? (size_t)(size - at) : COPY_SIZE;
        rc = read_part(fd, bundle->buffer, part, at, name, err);
        if (rc == 0)
            rc = put_bytes(bundle, bundle->buffer, part, err);
        crc = crc32c(crc, bundle->buffer, part);
        at += part;
        if (rc == 0 && progress != NULL && progress(part, context) != 0)
            rc = err_say(err, -ECANCELED, "interrupted");
    }
    return rc == 0 ? note_member(bundle, name, size, crc, err) : rc;
}

int bundle_finish(struct bundle *bundle, const char *lines, struct tdk_err *err)
{
    size_t front = strlen(lines), size = front + bundle->files.size;
    char *text = malloc(size + 1);
    if (text == NULL)
        return err_set(err, -ENOMEM, "write %s", bundle->what);
    memcpy(text, lines, front);
    memcpy(text + front, bundle->files.bytes, bundle->files.size);
    int rc = begin_member(bundle, BUNDLE_MANIFEST, size, err);
    if (rc == 0)
        rc = put_bytes(bundle, text, size, err);
    free(text);
    if (rc == 0 && archive_write_close(bundle->archive) != ARCHIVE_OK)
        rc = fail(bundle, "write", err);
    return rc;
}

/* ---- reading ---- */

struct extraction {
    struct bundle in; /* only archive, what and buffer are used */
    const char *folder;
    struct text_buffer found; /* the lines that the manifest should have */
    char *manifest;           /* ours, with a NUL at its end; NULL: not read yet */
    int (*progress)(uint64_t bytes, void *context);
    void *context;
};

static int damaged(const struct extraction *x, const char *why, struct tdk_err *err)
{
    return err_say(err, TDK_ECORRUPT, "%s: %s", x->in.what, why);
}

/* An error of libarchive is the pack's fault, unless the system says otherwise. */
static int fail_read(struct extraction *x, struct tdk_err *err)
{
    const char *why = archive_error_string(x->in.archive);
    return damaged(x, why != NULL ? why : "it cannot be read", err);
}

static int write_all(int fd, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return 0;
}

static int extract_to(struct extraction *x, const char *name, int fd, struct tdk_err *err)
{
    uint64_t size = 0;
    uint32_t crc = 0;
    la_ssize_t n;
    while ((n = archive_read_data(x->in.archive, x->in.buffer, COPY_SIZE)) > 0) {
        int rc = write_all(fd, x->in.buffer, (size_t)n);
        if (rc < 0)
            return err_set(err, rc, "write %s/%s", x->folder, name);
        crc = crc32c(crc, x->in.buffer, (size_t)n);
        size += (uint64_t)n;
        if (x->progress != NULL && x->progress((uint64_t)n, x->context) != 0)
            return err_say(err, -ECANCELED, "interrupted");
    }
    if (n < 0)
        return fail_read(x, err);
    text_add_format(&x->found, "file %08" PRIx32 " %" PRIu64 " %s\n", crc, size, name);
    int rc = text_error(&x->found);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    return rc < 0 ? err_set(err, rc, "write %s/%s", x->folder, name) : 0;
}

static int extract_file(struct extraction *x, const char *name, struct tdk_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", x->folder, name);
    int fd = owner_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0640);
    if (fd < 0 && errno == EEXIST)
        return damaged(x, "a file is in it twice", err);
    if (fd < 0)
        return err_set(err, -errno, "create %s", path);
    int rc = extract_to(x, name, fd, err);
    close(fd);
    return rc;
}

static int take_manifest(struct extraction *x, struct tdk_err *err)
{
    size_t size = 0;
    x->manifest = malloc(MANIFEST_MAX + 1);
    if (x->manifest == NULL)
        return err_set(err, -ENOMEM, "read %s", x->in.what);
    la_ssize_t n;
    while (size < MANIFEST_MAX &&
           (n = archive_read_data(x->in.archive, x->manifest + size, MANIFEST_MAX - size)) != 0) {
        if (n < 0)
            return fail_read(x, err);
        size += (size_t)n;
    }
    x->manifest[size] = '\0';
    if (strlen(x->manifest) != size)
        return damaged(x, "its manifest is not text", err);
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", x->folder, BUNDLE_MANIFEST);
    int fd = owner_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0640);
    int rc = fd < 0 ? -errno : write_all(fd, x->manifest, size);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (fd >= 0)
        close(fd);
    return rc < 0 ? err_set(err, rc, "write %s", path) : 0;
}

static int extract_member(struct extraction *x, struct archive_entry *entry, struct tdk_err *err)
{
    const char *name = archive_entry_pathname(entry);
    if (name == NULL || archive_entry_filetype(entry) != AE_IFREG || !bundle_name_is_valid(name))
        return damaged(x, "it holds something that belongs into no pack", err);
    if (x->manifest != NULL)
        return damaged(x, "something follows its manifest", err);
    return strcmp(name, BUNDLE_MANIFEST) == 0 ? take_manifest(x, err) : extract_file(x, name, err);
}

/* The manifest must end with exactly the lines that were found. */
static int check_manifest(const struct extraction *x, struct tdk_err *err)
{
    if (x->manifest == NULL)
        return damaged(x, "it has no manifest: it is cut, or no pack", err);
    size_t all = strlen(x->manifest), files = x->found.size;
    if (all < files || memcmp(x->manifest + all - files, x->found.bytes, files) != 0 ||
        (all > files && x->manifest[all - files - 1] != '\n'))
        return damaged(x, "its files are not those of its manifest: it was changed", err);
    return 0;
}

static int make_folders(const struct extraction *x, struct tdk_err *err)
{
    static const char *const names[] = {"segments", "pack", "pack/files"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", x->folder, names[i]);
        if (owner_mkdir(path, 0770) < 0)
            return err_set(err, -errno, "create %s", path);
    }
    return 0;
}

static int extract_all(struct extraction *x, struct tdk_err *err)
{
    struct archive_entry *entry;
    int rc = make_folders(x, err), more = ARCHIVE_OK;
    while (rc == 0 && (more = archive_read_next_header(x->in.archive, &entry)) == ARCHIVE_OK)
        rc = extract_member(x, entry, err);
    if (rc == 0 && more != ARCHIVE_EOF)
        rc = fail_read(x, err);
    return rc == 0 ? check_manifest(x, err) : rc;
}

static int open_read(struct extraction *x, const char *path, struct tdk_err *err)
{
    struct archive *a = archive_read_new();
    x->in.archive = a;
    x->in.buffer = malloc(COPY_SIZE);
    if (a == NULL || x->in.buffer == NULL)
        return err_set(err, -ENOMEM, "read %s", path);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_tar(a);
    bool is_stdin = strcmp(path, "-") == 0;
    x->in.what = is_stdin ? "stdin" : path;
    int rc = is_stdin ? archive_read_open_fd(a, STDIN_FILENO, 1 << 16)
                      : archive_read_open_filename(a, path, 1 << 16);
    if (rc == ARCHIVE_OK)
        return 0;
    int code = archive_errno(a);
    if (code == ENOENT || code == EACCES || code == EISDIR)
        return err_set(err, -code, "open %s", path);
    return err_say(err, TDK_EFORMAT, "%s is not a pack of a tape", x->in.what);
}

int bundle_extract(const char *path, const char *folder,
                   int (*progress)(uint64_t bytes, void *context), void *context,
                   struct tdk_err *err)
{
    struct extraction x = {.folder = folder, .progress = progress, .context = context};
    text_init(&x.found);
    int rc = open_read(&x, path, err);
    if (rc == 0)
        rc = extract_all(&x, err);
    if (x.in.archive != NULL)
        archive_read_free(x.in.archive);
    free(x.in.buffer);
    free(x.manifest);
    text_close(&x.found);
    return rc;
}
