/* move_sweep.c - what moves that died have left on both sides. */
#include "tape/move_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "tape/files.h"
#include "tape/segment.h"
#include "tape/stub.h"

struct sweep {
    struct move_suffix suffix;
    const struct retired *retired; /* borrowed */
    size_t count;
    char names[64][96]; /* the rest goes the next time */
};

static int note_aside(const char *name, void *context)
{
    struct sweep *s = context;
    size_t size = strlen(name), end = strlen(s->suffix.text);
    if (size > end && size < sizeof s->names[0] && s->count < array_size(s->names) &&
        strcmp(name + size - end, s->suffix.text) == 0)
        memcpy(s->names[s->count++], name, size + 1);
    return 0;
}

void move_sweep(const struct moving *m, const char *folder)
{
    struct sweep s = {.suffix = move_suffix_of(m->annex)};
    char path[TAPE_PATH_MAX];
    files->list(folder, note_aside, &s);
    for (size_t i = 0; i < s.count; i++) {
        snprintf(path, sizeof path, "%.*s/%s", (int)ANNEX_PATH_MAX, folder, s.names[i]);
        files->unlink(path);
    }
}

static int note_deleted(const char *name, void *context)
{
    struct sweep *s = context;
    struct segment_name segment;
    if (segment_name_parse(name, &segment) && segment_is_sealed(segment.stage) &&
        s->count < array_size(s->names) && retired_find(s->retired, segment.number) != NULL)
        memcpy(s->names[s->count++], name, strlen(name) + 1);
    return 0;
}

/* A segment may have been deleted when it was copied to the annex but not moved yet. Nothing in the
 * tape refers to that copy any more. */
static void sweep_deleted(const struct moving *m)
{
    struct sweep s = {.retired = m->retired};
    char path[TAPE_PATH_MAX];
    files->list(m->annex->path, note_deleted, &s);
    for (size_t i = 0; i < s.count; i++) {
        struct segment_head head = {.magic = 0};
        snprintf(path, sizeof path, "%.*s/%s", (int)ANNEX_PATH_MAX, m->annex->path, s.names[i]);
        if (stub_read_head(path, &head, NULL) == 0 &&
            memcmp(head.tape_id, m->folder->tape_id, sizeof head.tape_id) == 0)
            files->unlink(path);
    }
}

/* When a segment is whole in the tape, its file in the annex is not needed: it was left when a move
 * there or back was cut short. That may have been before the sync, so the folder is synced
 * first. */
static int sweep_doubles(struct moving *m, const struct segment_name *names, size_t count)
{
    int rc = files_sync_folder(m->folder->segments, m->err);
    for (size_t i = 0; i < count && rc == 0; i++) {
        char home[TAPE_PATH_MAX];
        struct route there;
        struct file_stat stat;
        struct segment_head head = {.magic = 0}, other = {.magic = 0};
        folder_segment_path(m->folder, names[i].number, names[i].stage, home);
        move_route(&there, m->annex, m->annex->path, strrchr(home, '/') + 1);
        if (segment_is_sealed(names[i].stage) && files->stat(there.to, &stat) == 0 &&
            stub_read_head(home, &head, NULL) == 0 && !head_is_stub(&head) &&
            stub_read_head(there.to, &other, NULL) == 0 && memcmp(&head, &other, sizeof head) == 0)
            files->unlink(there.to);
    }
    return rc;
}

int move_sweep_annex(struct moving *m, const struct segment_name *names, size_t count)
{
    move_sweep(m, m->annex->path);
    sweep_deleted(m);
    return sweep_doubles(m, names, count);
}
