#include "tape/annex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/format.h"

/* ---- bytes ---- */

/* Take the item at *at and the path behind it. No other item may have its id. *at moves past it. */
static int take_item(struct annexes *annexes, const unsigned char *bytes, size_t size, size_t *at)
{
    struct annexes_item item;
    if (size - *at < sizeof item)
        return TDK_ECORRUPT;
    memcpy(&item, bytes + *at, sizeof item);
    *at += sizeof item;
    const char *path = (const char *)bytes + *at;
    if (item.path_size == 0 || item.path_size > ANNEX_PATH_MAX ||
        align_up(item.path_size, 8) > size - *at || path[0] != '/' ||
        memchr(path, '\0', item.path_size) != NULL || annexes_find(annexes, item.id) != NULL)
        return TDK_ECORRUPT;
    char *copy = strndup(path, item.path_size);
    if (copy == NULL)
        return -ENOMEM;
    struct annex *annex = &annexes->items[annexes->count++];
    memcpy(annex->id, item.id, sizeof annex->id);
    annex->path = copy;
    *at += align_up(item.path_size, 8);
    return 0;
}

int annexes_decode(struct annexes *annexes, const void *bytes, size_t size,
                   const uint8_t tape_id[16], struct tdk_err *err)
{
    struct annexes_head head;
    *annexes = (struct annexes){.count = 0};
    int rc = kept_check(bytes, size, sizeof head, ANNEXES_MAGIC, tape_id, "annexes", err);
    if (rc < 0)
        return rc;
    memcpy(&head, bytes, sizeof head);
    if (head.count > ANNEXES_MAX)
        return err_set(err, TDK_ECORRUPT, "annexes");
    size_t at = sizeof head;
    annexes->items = calloc(head.count + 1, sizeof *annexes->items);
    rc = annexes->items == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < head.count && rc == 0; i++)
        rc = take_item(annexes, bytes, size, &at);
    if (rc == 0 && at != size)
        rc = TDK_ECORRUPT;
    if (rc == 0)
        return 0;
    annexes_close(annexes);
    return err_set(err, rc, "annexes");
}

int annexes_encode(const struct annexes *annexes, const uint8_t tape_id[16], void **bytes,
                   size_t *size, struct tdk_err *err)
{
    struct annexes_head head = {.count = (uint32_t)annexes->count};
    size_t total = sizeof head;
    for (size_t i = 0; i < annexes->count; i++)
        total += sizeof(struct annexes_item) + align_up(strlen(annexes->items[i].path), 8);
    unsigned char *out = calloc(1, total);
    if (out == NULL)
        return err_set(err, -ENOMEM, "annexes");
    size_t at = sizeof head;
    for (size_t i = 0; i < annexes->count; i++) {
        const struct annex *annex = &annexes->items[i];
        struct annexes_item item = {.path_size = (uint32_t)strlen(annex->path)};
        memcpy(item.id, annex->id, sizeof item.id);
        memcpy(out + at, &item, sizeof item);
        memcpy(out + at + sizeof item, annex->path, item.path_size);
        at += sizeof item + align_up(item.path_size, 8);
    }
    memcpy(out, &head, sizeof head);
    kept_sign(out, total, ANNEXES_MAGIC, tape_id);
    *bytes = out;
    *size = total;
    return 0;
}

/* ---- the file ---- */

int annexes_load(struct annexes *annexes, const struct folder *folder, struct tdk_err *err)
{
    void *bytes;
    size_t size;
    *annexes = (struct annexes){.count = 0};
    int rc = kept_read(folder, "annexes", ANNEXES_SIZE_MAX, &bytes, &size, err);
    if (rc < 0 || bytes == NULL)
        return rc;
    rc = annexes_decode(annexes, bytes, size, folder->tape_id, err);
    free(bytes);
    return rc < 0 ? err_wrap(err, rc, "read %s/annexes", folder->path) : 0;
}

int annexes_save(const struct annexes *annexes, const struct folder *folder, struct tdk_err *err)
{
    void *bytes = NULL;
    size_t size = 0;
    int rc = annexes_encode(annexes, folder->tape_id, &bytes, &size, err);
    if (rc == 0)
        rc = files_replace(folder->path, "annexes", bytes, size, err);
    free(bytes);
    return rc;
}

void annexes_close(struct annexes *annexes)
{
    for (size_t i = 0; annexes->items != NULL && i < annexes->count; i++)
        free(annexes->items[i].path);
    free(annexes->items);
    *annexes = (struct annexes){.count = 0};
}

const struct annex *annexes_find(const struct annexes *annexes, const uint8_t id[16])
{
    for (size_t i = 0; i < annexes->count; i++)
        if (memcmp(annexes->items[i].id, id, sizeof annexes->items[i].id) == 0)
            return &annexes->items[i];
    return NULL;
}

int annexes_put(struct annexes *annexes, const uint8_t id[16], const char *path,
                struct tdk_err *err)
{
    size_t at = 0, size = strlen(path);
    while (at < annexes->count && memcmp(annexes->items[at].id, id, 16) != 0)
        at++;
    if (size == 0 || size > ANNEX_PATH_MAX || path[0] != '/')
        return err_say(err, TDK_EVALUE, "%s is not an absolute path of at most %u bytes", path,
                       ANNEX_PATH_MAX);
    if (at == ANNEXES_MAX)
        return err_say(err, TDK_EFULL, "a tape can be in %u directories at most", ANNEXES_MAX);
    struct annex *items = realloc(annexes->items, (annexes->count + 1) * sizeof *items);
    if (items != NULL)
        annexes->items = items;
    char *copy = strdup(path);
    if (items == NULL || copy == NULL) {
        free(copy);
        return err_set(err, -ENOMEM, "annexes");
    }
    if (at < annexes->count)
        free(items[at].path);
    else
        annexes->count++;
    memcpy(items[at].id, id, sizeof items[at].id);
    items[at].path = copy;
    return 0;
}

/* ---- the other side ---- */

static uint32_t meta_crc(const struct annex_meta *meta)
{
    struct annex_meta copy = *meta;
    copy.crc = 0;
    return crc32c(0, &copy, sizeof copy);
}

int annex_read_meta(const char *path, struct annex_meta *meta, struct tdk_err *err)
{
    struct annex_meta found;
    int rc = files_read_small(path, "annex.meta", &found, sizeof found);
    if (rc < 0 && rc != -EIO)
        return err_set(err, rc, "read %s/annex.meta", path);
    if (rc == -EIO || found.magic != ANNEX_MAGIC || found.crc != meta_crc(&found))
        return err_set(err, TDK_ECORRUPT, "read %s/annex.meta", path);
    if (found.version != TAPE_VERSION)
        return err_say(err, TDK_EVERSION, "%s/annex.meta is of version %u, this program reads %u",
                       path, found.version, TAPE_VERSION);
    *meta = found;
    return 0;
}

/* What a copy does not have in common with its original, wherever that is renamed or mounted to:
 * the folder's inode, and when it was made where the file system tells. 0: nobody can say. */
static uint64_t home_of(const struct folder *folder)
{
    struct statx stat;
    if (statx(AT_FDCWD, folder->path, 0, STATX_INO | STATX_BTIME, &stat) < 0)
        return 0;
    uint64_t home[] = {stat.stx_ino, 0, 0};
    if ((stat.stx_mask & STATX_BTIME) != 0) {
        home[1] = (uint64_t)stat.stx_btime.tv_sec;
        home[2] = stat.stx_btime.tv_nsec;
    }
    return XXH3_64bits(home, sizeof home) | 1;
}

int annex_write_meta(const char *path, const struct folder *folder, const uint8_t id[16],
                     struct tdk_err *err)
{
    struct annex_meta meta = {.magic = ANNEX_MAGIC,
                              .version = TAPE_VERSION,
                              .created_ns = clock_wall(),
                              .home = home_of(folder)};
    memcpy(meta.tape_id, folder->tape_id, sizeof meta.tape_id);
    memcpy(meta.id, id, sizeof meta.id);
    meta.crc = meta_crc(&meta);
    return files_replace(path, "annex.meta", &meta, sizeof meta, err);
}

bool annex_is_ours(const char *path, const struct folder *folder)
{
    struct annex_meta meta = {.home = 0};
    const uint64_t home = home_of(folder);
    int rc = annex_read_meta(path, &meta, NULL);
    return rc == -ENOENT || (rc == 0 && (meta.home == 0 || home == 0 || meta.home == home));
}

/* In its place, as the lock is on that very file; less than a sector is written whole or not. */
int annex_adopt(const char *path, int fd, const struct folder *folder, struct tdk_err *err)
{
    struct annex_meta meta;
    int rc = annex_read_meta(path, &meta, err);
    if (rc < 0)
        return rc;
    meta.home = home_of(folder);
    meta.crc = meta_crc(&meta);
    rc = files_write(fd, &meta, sizeof meta, 0);
    if (rc == 0)
        rc = files->fsync(fd);
    return rc < 0 ? err_set(err, rc, "write %s/annex.meta", path) : 0;
}

int annex_check(const struct annex *annex, const uint8_t tape_id[16], struct tdk_err *err)
{
    struct annex_meta meta;
    struct tdk_err why;
    int rc = annex_read_meta(annex->path, &meta, &why);
    if (rc == 0 && memcmp(meta.tape_id, tape_id, sizeof meta.tape_id) == 0 &&
        memcmp(meta.id, annex->id, sizeof meta.id) == 0)
        return 0;
    if (rc == 0)
        return err_say(err, TDK_EAWAY, "%s, where something else is mounted now", annex->path);
    if (rc == -ENOENT || rc == -ENOTDIR)
        return err_say(err, TDK_EAWAY, "%s, which is not mounted now", annex->path);
    return err_say(err, TDK_EAWAY, "%s, which cannot be read: %s", annex->path, why.text);
}
