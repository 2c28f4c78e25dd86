/* counters_read.c - read a page of counters as it is at one moment. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "shm/counters.h"
#include "shm/rings.h"

static const char suffix[] = ".counters";

static int open_page(const char *name, struct tdk_err *err)
{
    int folder = rings_open(false, err);
    if (folder < 0)
        return folder;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int rc = fd >= 0 ? fd : err_set(err, -errno, "open %s in %s", name, rings_path());
    close(folder);
    return rc;
}

static int check_head(const struct counters_head *head, off_t size, const char *name,
                      struct tdk_err *err)
{
    if (head->magic != COUNTERS_MAGIC)
        return err_say(err, TDK_EHOSTILE, "%s is not a counters page", name);
    if (head->version != COUNTERS_VERSION)
        return err_say(err, TDK_EVERSION, "%s has layout version %u, this program knows %u", name,
                       head->version, COUNTERS_VERSION);
    if (head->head_size != sizeof *head || head->row_size != sizeof(struct counters_row) ||
        head->rows_max > COUNTERS_ROWS_MAX || head->rows > head->rows_max ||
        (uint64_t)size < sizeof *head + (uint64_t)head->rows_max * sizeof(struct counters_row))
        return err_say(err, TDK_EHOSTILE, "%s: its head and its size contradict each other", name);
    return 0;
}

/* Copy a text of a foreign page. It ends where its field ends, and holds no control bytes. */
static void copy_text(char *to, const char *from, size_t room)
{
    size_t size = strnlen(from, room - 1);
    for (size_t i = 0; i < size; i++)
        to[i] = (unsigned char)from[i] < 0x20 || from[i] == 0x7f ? '?' : from[i];
    to[size] = '\0';
}

static void copy_row(struct counter_value *value, const struct counters_row *row)
{
    copy_text(value->name, row->name, sizeof value->name);
    copy_text(value->ring, row->ring, sizeof value->ring);
    copy_text(value->track, row->track, sizeof value->track);
    copy_text(value->help, row->help, sizeof value->help);
    value->kind = row->kind <= COUNTER_NOTE ? (enum counter_kind)row->kind : COUNTER_LEVEL;
    value->unit = row->unit <= COUNTER_TIME ? (enum counter_unit)row->unit : COUNTER_COUNT;
    value->value = row->value;
}

static int copy_rows(struct counters_copy *copy, int fd, uint32_t rows, struct tdk_err *err)
{
    size_t size = rows * sizeof(struct counters_row);
    int rc = 0;
    struct counters_row *raw = malloc(size + 1);
    struct counter_value *values = calloc(rows + 1, sizeof *values);
    copy->values = values;
    if (raw == NULL || values == NULL) {
        free(raw);
        return err_set(err, -ENOMEM, "read counters");
    }
    if (pread(fd, raw, size, sizeof(struct counters_head)) != (ssize_t)size)
        rc = err_say(err, TDK_EHOSTILE, "a counters page ended while it was read");
    for (uint32_t i = 0; rc == 0 && i < rows; i++)
        copy_row(&values[i], &raw[i]);
    copy->rows = rc == 0 ? rows : 0;
    free(raw);
    return rc;
}

/* Read, not mapped: if the file is cut meanwhile, that is a short read and no signal. Words are
 * aligned, so each is copied whole. */
static int read_page(struct counters_copy *copy, int fd, const char *name, struct tdk_err *err)
{
    struct counters_head head;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_set(err, -errno, "look at %s", name);
    if (!S_ISREG(st.st_mode) || pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head)
        return err_say(err, TDK_EHOSTILE, "%s is not a counters page", name);
    int rc = check_head(&head, st.st_size, name, err);
    if (rc < 0)
        return rc;
    copy->alive = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    copy->pid = head.pid;
    copy->started = head.started;
    copy->beat = head.beat;
    copy_text(copy->writer, head.writer, sizeof copy->writer);
    copy_text(copy->program, head.program, sizeof copy->program);
    copy_text(copy->tape, head.tape, sizeof copy->tape);
    memcpy(copy->tape_id, head.tape_id, sizeof copy->tape_id);
    return copy_rows(copy, fd, head.rows, err);
}

int counters_read(struct counters_copy *copy, const char *name, struct tdk_err *err)
{
    *copy = (struct counters_copy){.values = NULL};
    int fd = open_page(name, err);
    if (fd < 0)
        return fd;
    int rc = read_page(copy, fd, name, err);
    if (rc < 0)
        counters_forget(copy);
    close(fd);
    return rc;
}

int counters_read_of(struct counters_copy *copy, const char *writer, const uint8_t tape_id[16],
                     struct tdk_err *err)
{
    char name[COUNTERS_FILE_MAX];
    counters_file(name, writer, tape_id);
    return counters_read(copy, name, err);
}

void counters_forget(struct counters_copy *copy)
{
    free(copy->values);
    *copy = (struct counters_copy){.values = NULL};
}

uint64_t counters_silence(const struct counters_copy *copy, uint64_t now_ns)
{
    return now_ns > copy->beat ? now_ns - copy->beat : 0;
}

static int is_page(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return entry->d_name[0] != '.' && size >= sizeof suffix &&
           strcmp(entry->d_name + size - (sizeof suffix - 1), suffix) == 0;
}

int counters_list(int (*each)(const char *name, void *context), void *context, struct tdk_err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(rings_path(), &entries, is_page, alphasort);
    if (count < 0 && errno == ENOENT)
        return 0;
    if (count < 0)
        return rings_advise(err, err_set(err, -errno, "list the rings directory %s", rings_path()));
    int rc = 0;
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = each(entries[i]->d_name, context);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

const struct counter_value *counters_find(const struct counters_copy *copy, const char *name,
                                          const char *ring)
{
    for (unsigned i = 0; i < copy->rows; i++)
        if (strcmp(copy->values[i].name, name) == 0 &&
            (ring == NULL || strcmp(copy->values[i].ring, ring) == 0))
            return &copy->values[i];
    return NULL;
}
