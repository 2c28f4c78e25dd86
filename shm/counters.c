#include "shm/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "shm/rings.h"

struct counters {
    int fd, folder; /* owned; fd holds the lock */
    char file[COUNTERS_FILE_MAX];
    struct counters_head *head; /* mapped: head and rows */
    size_t size;
};

static struct counters_row *rows_of(const struct counters *c)
{
    return (struct counters_row *)(void *)(c->head + 1);
}

void counters_file(char file[COUNTERS_FILE_MAX], const char *writer, const uint8_t tape_id[16])
{
    int n = snprintf(file, COUNTERS_FILE_MAX, "%.32s-", writer);
    for (size_t i = 0; i < 16; i++)
        n += snprintf(file + n, COUNTERS_FILE_MAX - (size_t)n, "%02x", tape_id[i]);
    snprintf(file + n, COUNTERS_FILE_MAX - (size_t)n, ".counters");
}

/* ---- the writer's side ---- */

static void head_init(struct counters_head *head, const struct counters_options *options)
{
    *head = (struct counters_head){
        .magic = COUNTERS_MAGIC,
        .version = COUNTERS_VERSION,
        .head_size = sizeof(struct counters_head),
        .row_size = sizeof(struct counters_row),
        .rows_max = options->rows_max,
        .pid = (uint32_t)getpid(),
        .started = clock_wall(),
        .beat = clock_mono(),
    };
    snprintf(head->writer, sizeof head->writer, "%s", options->writer);
    snprintf(head->program, sizeof head->program, "%s", options->program);
    snprintf(head->tape, sizeof head->tape, "%s", options->tape);
    memcpy(head->tape_id, options->tape_id, sizeof head->tape_id);
}

/* Allocate all pages now, as for a ring. A counter must never be the one that hits a full
 * /dev/shm. */
static int map_page(struct counters *c, const struct counters_options *options, struct tdk_err *err)
{
    c->size = sizeof *c->head + (size_t)options->rows_max * sizeof(struct counters_row);
    int rc = posix_fallocate(c->fd, 0, (off_t)c->size);
    if (rc != 0)
        return err_set(err, -rc, "create the counters page, %zu bytes in %s", c->size,
                       rings_path());
    void *at = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, c->fd, 0);
    if (at == MAP_FAILED)
        return err_set(err, -errno, "map the counters page");
    c->head = at;
    head_init(c->head, options);
    return 0;
}

static int make_file(struct counters *c, const struct counters_options *options,
                     struct tdk_err *err)
{
    char fresh[COUNTERS_FILE_MAX + 8];
    snprintf(fresh, sizeof fresh, ".%s.new", c->file);
    unlinkat(c->folder, fresh,
             0); /* left by a writer that died just here; the tape's lock keeps others out */
    c->fd = openat(c->folder, fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (c->fd < 0)
        return err_set(err, -errno, "create the counters page in %s", rings_path());
    int rc =
        flock(c->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : err_set(err, -errno, "lock the counters page");
    if (rc == 0)
        rc = map_page(c, options, err);
    if (rc == 0 && (fchmod(c->fd, 0644) < 0 || renameat(c->folder, fresh, c->folder, c->file) < 0))
        rc = err_set(err, -errno, "name the counters page %s", c->file);
    if (rc < 0) {
        unlinkat(c->folder, fresh, 0);
        c->file[0] = '\0'; /* a file of that name is not ours */
    }
    return rc;
}

int counters_create(struct counters **counters, const struct counters_options *options,
                    struct tdk_err *err)
{
    struct counters *c = malloc(sizeof *c);
    if (c == NULL)
        return err_set(err, -ENOMEM, "create the counters page");
    *c = (struct counters){.fd = -1};
    counters_file(c->file, options->writer, options->tape_id);
    c->folder = rings_open(true, err);
    int rc = c->folder < 0 ? c->folder : make_file(c, options, err);
    if (rc < 0) {
        c->file[0] = '\0';
        counters_close(c);
        return rc;
    }
    *counters = c;
    return 0;
}

void counters_close(struct counters *c)
{
    if (c == NULL)
        return;
    if (c->file[0] != '\0')
        unlinkat(c->folder, c->file, 0);
    if (c->head != NULL)
        munmap(c->head, c->size);
    if (c->fd >= 0)
        close(c->fd);
    if (c->folder >= 0)
        close(c->folder);
    free(c);
}

int counters_add(struct counters *c, const struct counter_kind_of *what, const char *ring,
                 const char *track)
{
    uint32_t number = atomic_load_explicit(&c->head->rows, memory_order_relaxed);
    if (number == c->head->rows_max)
        return TDK_EFULL;
    struct counters_row *row = &rows_of(c)[number];
    row->kind = (uint8_t)what->kind;
    row->unit = (uint8_t)what->unit;
    snprintf(row->name, sizeof row->name, "%s", what->name);
    snprintf(row->help, sizeof row->help, "%s", what->help);
    snprintf(row->ring, sizeof row->ring, "%s", ring != NULL ? ring : "");
    snprintf(row->track, sizeof row->track, "%s", track != NULL ? track : "");
    /* Release: a reader that sees the number also sees the row. */
    atomic_store_explicit(&c->head->rows, number + 1, memory_order_release);
    return (int)number;
}

/* The first byte is stored last, so that a reader that comes meanwhile finds no name. */
void counters_name_track(struct counters *c, int row, const char *track)
{
    char *name = row >= 0 ? rows_of(c)[row].track : NULL;
    if (name == NULL || name[0] != '\0' || track[0] == '\0')
        return;
    snprintf(name + 1, sizeof rows_of(c)->track - 1, "%s", track + 1);
    atomic_thread_fence(memory_order_release);
    name[0] = track[0];
}

void counters_set(struct counters *c, int row, uint64_t value)
{
    if (row >= 0)
        atomic_store_explicit(&rows_of(c)[row].value, value, memory_order_relaxed);
}

/* The value is stored last, so that a reader that comes meanwhile finds no note. */
void counters_note(struct counters *c, int row, const char *words)
{
    char *note = row >= 0 ? rows_of(c)[row].help : NULL;
    const size_t room = sizeof rows_of(c)->help;
    if (note == NULL || words == NULL) {
        counters_set(c, row, 0);
        return;
    }
    if (atomic_load(&rows_of(c)[row].value) != 0 && strncmp(note, words, room - 1) == 0)
        return;
    atomic_store(&rows_of(c)[row].value, 0);
    snprintf(note, room, "%s", words);
    atomic_store(&rows_of(c)[row].value, clock_wall());
}

void counters_beat(struct counters *c, uint64_t now_ns)
{
    atomic_store_explicit(&c->head->beat, now_ns, memory_order_relaxed);
}
