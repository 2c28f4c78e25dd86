#include "tape/stub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "tape/annex.h"
#include "tape/files.h"
#include "tape/segment.h"

#define COPY_SIZE ((size_t)1 << 20)

/* ---- heads ---- */

static uint32_t head_crc(const struct segment_head *head)
{
    struct segment_head copy = *head;
    copy.crc = 0;
    return crc32c(0, &copy, sizeof copy);
}

static bool head_is_sound(const struct segment_head *head)
{
    return head->magic == SEGMENT_MAGIC && head->crc == head_crc(head);
}

static int read_head(int fd, struct segment_head *head)
{
    int rc = files_read(fd, head, sizeof *head, 0);
    if (rc < 0 || head_is_sound(head))
        return rc;
    rc = files_read(fd, head, sizeof *head, STUB_HEAD_COPY);
    if (rc < 0)
        return rc;
    return head_is_sound(head) && head_is_stub(head) ? 0 : TDK_ECORRUPT;
}

int stub_read_head(const char *path, struct segment_head *head, struct tdk_err *err)
{
    int fd = files->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    int rc = fd < 0 ? fd : read_head(fd, head);
    if (fd >= 0)
        files->close(fd);
    return rc < 0 ? err_set(err, rc, "read %s", path) : 0;
}

bool stub_is_at(const struct folder *folder, uint64_t number, enum segment_stage stage)
{
    char path[TAPE_PATH_MAX];
    struct segment_head head = {.magic = 0};
    folder_segment_path(folder, number, stage, path);
    return stub_read_head(path, &head, NULL) == 0 && head_is_stub(&head);
}

/* ---- the whole one ---- */

static int say_away(const struct segment_head *head, struct tdk_err *err, const char *where)
{
    return err_say(err, TDK_EAWAY,
                   "segment %llu was moved to %s; mount it there, or say where it is: `tapedeck "
                   "move --relocate DIR`",
                   (unsigned long long)head->number, where);
}

/* Find the path of the whole file. `name` is the stub's, with or without a path. TDK_EAWAY says
 * which segment it is and where it should be. */
static int stub_find_whole(const struct folder *folder, const struct segment_head *head,
                           const char *name, char path[TAPE_PATH_MAX], struct tdk_err *err)
{
    struct annexes annexes;
    struct tdk_err why;
    const char *slash = strrchr(name, '/');
    int rc = annexes_load(&annexes, folder, &why);
    if (rc < 0)
        return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE
                   ? err_say(err, rc, "%s", why.text)
                   : say_away(head, err, "a directory that the tape does not know any more");
    const struct annex *annex = annexes_find(&annexes, head->annex);
    if (annex == NULL)
        rc = say_away(head, err, "a directory that the tape does not know any more");
    else if (annex_check(annex, folder->tape_id, &why) < 0)
        rc = say_away(head, err, why.text);
    else
        snprintf(path, TAPE_PATH_MAX, "%s/%.64s", annex->path, slash != NULL ? slash + 1 : name);
    annexes_close(&annexes);
    return rc;
}

static int say_other(const struct segment_head *stub, const char *path, struct tdk_err *err)
{
    return err_say(err, TDK_ECORRUPT, "%s is not the file that segment %llu was moved to", path,
                   (unsigned long long)stub->number);
}

/* The one that was moved there. It may have been cut: what is left of it is read all the same. */
static int check_whole(int fd, const struct segment_head *stub, const char *path,
                       struct tdk_err *err)
{
    struct segment_head head = {.magic = 0};
    struct file_stat stat;
    int rc = files->fstat(fd, &stat);
    if (rc == 0 && (!stat.is_file || stat.size < sizeof head))
        return say_other(stub, path, err);
    if (rc == 0)
        rc = files_read(fd, &head, sizeof head, 0);
    if (rc < 0)
        return err_set(err, rc, "read %s", path);
    /* Its head may have rotted. Each block confirms for itself where it belongs. */
    bool other = head_is_sound(&head) &&
                 (head.number != stub->number || head.generation != stub->generation ||
                  memcmp(head.tape_id, stub->tape_id, sizeof head.tape_id) != 0);
    return other ? say_other(stub, path, err) : 0;
}

int stub_open_whole(const struct folder *folder, const struct segment_head *head, const char *name,
                    char path[TAPE_PATH_MAX], struct tdk_err *err)
{
    int rc = stub_find_whole(folder, head, name, path, err);
    if (rc < 0)
        return rc;
    int fd = files->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd == -ELOOP || fd == -ENXIO) /* a link, a socket */
        return say_other(head, path, err);
    if (fd < 0)
        return err_set(err, fd, "segment %llu was moved: open %s", (unsigned long long)head->number,
                       path);
    rc = check_whole(fd, head, path, err);
    if (rc == 0)
        return fd;
    files->close(fd);
    return rc;
}

/* ---- made ---- */

static int copy_tail(int from, int to, uint64_t at, uint64_t end)
{
    unsigned char *buffer = malloc(COPY_SIZE);
    int rc = buffer == NULL ? -ENOMEM : 0;
    while (at < end && rc == 0) {
        size_t n = end - at < COPY_SIZE ? end - at : COPY_SIZE;
        rc = files_read(from, buffer, n, at);
        if (rc == 0)
            rc = files_write(to, buffer, n, at);
        at += n;
    }
    free(buffer);
    return rc;
}

static int write_heads(int fd, const struct segment_head *whole, const uint8_t annex[16])
{
    unsigned char page[2 * STUB_HEAD_COPY];
    struct segment_head head = *whole;
    static_assert(sizeof head == STUB_HEAD_COPY, "side by side");
    head.version = STUB_VERSION;
    memcpy(head.annex, annex, sizeof head.annex);
    head.crc = head_crc(&head);
    memcpy(page, &head, sizeof head);
    memcpy(page + STUB_HEAD_COPY, &head, sizeof head);
    return files_write(fd, page, sizeof page, 0);
}

int stub_make(const char *path, int whole, const struct segment_head *head,
              const struct segment_foot *foot, uint64_t size, const uint8_t annex[16],
              struct tdk_err *err)
{
    int fd = files->open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return err_set(err, fd, "create %s", path);
    int rc = write_heads(fd, head, annex);
    if (rc == 0)
        rc = copy_tail(whole, fd, foot->end, size);
    if (rc == 0)
        rc = files->fsync(fd);
    files->close(fd);
    return rc < 0 ? err_set(err, rc, "write %s", path) : 0;
}

/* ---- removed ---- */

/* Before the stub, which alone knows of it. What that disk refuses is no failure of this one; what
 * another copy of the tape has there stays. */
static int remove_whole(const struct folder *folder, const struct segment_head *head,
                        const char *name, struct tdk_err *err)
{
    char path[TAPE_PATH_MAX], directory[TAPE_PATH_MAX];
    struct tdk_err why;
    int rc = stub_find_whole(folder, head, name, path, err);
    if (rc < 0)
        return rc;
    snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '/') - path), path);
    if (!annex_is_ours(directory, folder))
        return 0;
    rc = files->unlink(path);
    if (rc < 0 && rc != -ENOENT)
        return err_say(err, TDK_EAWAY, "remove %s: %s", path, tdk_strerror(rc));
    rc = files_sync_folder(directory, &why);
    return rc < 0 ? err_say(err, TDK_EAWAY, "%s", why.text) : 0;
}

int stub_remove(const struct folder *folder, uint64_t number, enum segment_stage stage,
                struct tdk_err *err)
{
    char path[TAPE_PATH_MAX];
    struct segment_head head = {.magic = 0};
    int rc = 0;
    folder_segment_path(folder, number, stage, path);
    if (stub_read_head(path, &head, NULL) == 0 && head_is_stub(&head))
        rc = remove_whole(folder, &head, path, err);
    if (rc < 0)
        return rc;
    rc = files->unlink(path);
    return rc < 0 && rc != -ENOENT ? err_set(err, rc, "remove %s", path) : 0;
}
