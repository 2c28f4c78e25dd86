/* folder_names.c - the segments of a tape by the names of their files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/folder.h"

static const char *const stage_suffix[] = {[SEGMENT_SEALED] = ".seg",
                                           [SEGMENT_OPEN] = ".open",
                                           [SEGMENT_IMPORT] = ".import",
                                           [SEGMENT_PACKED] = ".g1.seg",
                                           [SEGMENT_PACKING] = ".packing"};

void folder_segment_path(const struct folder *folder, uint64_t number, enum segment_stage stage,
                         char path[TAPE_PATH_MAX])
{
    snprintf(path, TAPE_PATH_MAX, "%.*s/%010llu%s", TAPE_PATH_MAX - 64, folder->segments,
             (unsigned long long)number, stage_suffix[stage]);
}

/* "00000000042.seg" is none: a number has one name. */
bool segment_name_parse(const char *name, struct segment_name *segment)
{
    size_t digits = strspn(name, "0123456789");
    if (digits < 10 || digits > 19 || (digits > 10 && name[0] == '0'))
        return false;
    segment->number = strtoull(name, NULL, 10);
    for (size_t i = 0; i < array_size(stage_suffix); i++)
        if (strcmp(name + digits, stage_suffix[i]) == 0) {
            segment->stage = (enum segment_stage)i;
            return segment->number > 0;
        }
    return false;
}

struct name_list {
    struct segment_name *names;
    size_t count, room;
};

static int note_name(const char *name, void *context)
{
    struct name_list *list = context;
    struct segment_name segment;
    if (!segment_name_parse(name, &segment))
        return 0;
    struct segment_name *names =
        array_grow(list->names, &list->room, list->count + 1, sizeof *names);
    if (names == NULL)
        return -ENOMEM;
    list->names = names;
    list->names[list->count++] = segment;
    return 0;
}

/* Of files of one number the first counts: a sealed one before one that may be an old, half copy.
 */
static int rank(enum segment_stage stage)
{
    static const int ranks[] = {[SEGMENT_SEALED] = 0,
                                [SEGMENT_PACKED] = 1,
                                [SEGMENT_OPEN] = 2,
                                [SEGMENT_IMPORT] = 3,
                                [SEGMENT_PACKING] = 4};
    return ranks[stage];
}

static int compare_names(const void *a, const void *b)
{
    const struct segment_name *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return rank(x->stage) - rank(y->stage);
}

/* When a segment was packed, its file as recorded no longer counts. A file that is being packed
 * does not count yet. */
static bool is_leftover(const struct name_list *list, size_t i)
{
    const struct segment_name *name = &list->names[i];
    if (name->stage == SEGMENT_PACKING)
        return true;
    for (size_t k = i; k < list->count && list->names[k].number == name->number; k++)
        if (name->stage == SEGMENT_SEALED && list->names[k].stage == SEGMENT_PACKED)
            return true;
    return false;
}

static int list_names(const struct folder *folder, bool leftovers, struct segment_name **names,
                      size_t *count, struct tdk_err *err)
{
    struct name_list list = {0};
    int rc = files->list(folder->segments, note_name, &list);
    if (rc < 0 && rc != -ENOENT) {
        free(list.names);
        return err_set(err, rc, "list %s", folder->segments);
    }
    if (list.count > 0)
        qsort(list.names, list.count, sizeof *list.names, compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++)
        if (is_leftover(&list, i) == leftovers)
            list.names[kept++] = list.names[i];
    *names = list.names;
    *count = kept;
    return 0;
}

int folder_segments(const struct folder *folder, struct segment_name **names, size_t *count,
                    struct tdk_err *err)
{
    return list_names(folder, false, names, count, err);
}

int folder_row_end(const struct folder *folder, uint64_t *last, struct tdk_err *err)
{
    struct segment_name *names;
    size_t count;
    int rc = folder_segments(folder, &names, &count, err);
    if (rc < 0)
        return rc;
    while (count > 0 && names[count - 1].stage == SEGMENT_IMPORT)
        count--;
    *last = count > 0 ? names[count - 1].number : 0;
    free(names);
    return 0;
}

int folder_leftovers(const struct folder *folder, struct segment_name **names, size_t *count,
                     struct tdk_err *err)
{
    return list_names(folder, true, names, count, err);
}
