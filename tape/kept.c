#include "tape/kept.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/format.h"

static uint32_t sum_of(const void *bytes, size_t size)
{
    struct kept_head head;
    memcpy(&head, bytes, sizeof head);
    head.crc = 0;
    uint32_t crc = crc32c(0, &head, sizeof head);
    return crc32c(crc, (const unsigned char *)bytes + sizeof head, size - sizeof head);
}

int kept_check(const void *bytes, size_t size, size_t head_size, uint64_t magic,
               const uint8_t tape_id[16], const char *what, struct tdk_err *err)
{
    struct kept_head head;
    assert(head_size >= sizeof head);
    if (size < head_size)
        return err_set(err, TDK_ECORRUPT, "%s", what);
    memcpy(&head, bytes, sizeof head);
    if (head.magic != magic || head.crc != sum_of(bytes, size))
        return err_set(err, TDK_ECORRUPT, "%s", what);
    if (head.version != TAPE_VERSION)
        return err_set(err, TDK_EVERSION, "%s", what);
    if (memcmp(head.tape_id, tape_id, sizeof head.tape_id) != 0)
        return err_set(err, TDK_EFOREIGN, "%s", what);
    return 0;
}

void kept_sign(void *bytes, size_t size, uint64_t magic, const uint8_t tape_id[16])
{
    struct kept_head head = {.magic = magic, .version = TAPE_VERSION};
    memcpy(head.tape_id, tape_id, sizeof head.tape_id);
    memcpy(bytes, &head, sizeof head);
    head.crc = sum_of(bytes, size);
    memcpy(bytes, &head, sizeof head);
}

/* ---- the file ---- */

static int read_all(int fd, size_t max, void **bytes, size_t *size)
{
    struct file_stat stat;
    int rc = files->fstat(fd, &stat);
    if (rc < 0)
        return rc;
    if (!stat.is_file || stat.size > max)
        return TDK_ECORRUPT;
    void *whole = malloc((size_t)stat.size + 1);
    rc = whole == NULL ? -ENOMEM : files_read(fd, whole, (size_t)stat.size, 0);
    if (rc < 0) {
        free(whole);
        return rc;
    }
    *bytes = whole;
    *size = (size_t)stat.size;
    return 0;
}

int kept_read(const struct folder *folder, const char *name, size_t max, void **bytes, size_t *size,
              struct tdk_err *err)
{
    char path[TAPE_PATH_MAX];
    *bytes = NULL;
    *size = 0;
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    int fd = files->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return err_set(err, fd, "open %s", path);
    int rc = read_all(fd, max, bytes, size);
    files->close(fd);
    return rc < 0 ? err_set(err, rc, "read %s", path) : 0;
}
