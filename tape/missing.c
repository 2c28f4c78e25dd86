#include "tape/missing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/bytes.h"
#include "tape/hole.h"
#include "tape/segment.h"

static int try_to_open(const struct folder *folder, uint64_t number, enum segment_stage stage)
{
    struct segment *segment;
    int rc = segment_open_home(&segment, folder, number, stage, NULL);
    if (rc == 0)
        segment_close(segment);
    return rc;
}

/* Is there a file of this number? One that no index has, and that is none of those that cannot be
 * read: unsealed behind a hole, when nothing in it counts; or of an import that is not there yet.
 */
static bool has_file(const struct folder *folder, uint64_t number)
{
    static const enum segment_stage stages[] = {SEGMENT_SEALED, SEGMENT_OPEN, SEGMENT_IMPORT};
    for (size_t i = 0; i < array_size(stages); i++) {
        int rc = try_to_open(folder, number, stages[i]);
        if (rc == 0 || !code_is_damage(rc))
            return true; /* or nobody can tell */
    }
    return false;
}

uint64_t missing_last(const struct folder *folder)
{
    struct segment_name *names;
    size_t count;
    uint64_t last = 0;
    if (folder_segments(folder, &names, &count, NULL) < 0)
        return 0;
    for (int rc = TDK_EFOREIGN; count > 0 && rc == TDK_EFOREIGN; count--) {
        const struct segment_name *name = &names[count - 1];
        if (!segment_is_sealed(name->stage))
            continue;
        rc = try_to_open(folder, name->number, name->stage);
        last = rc == TDK_ECORRUPT ? name->number : 0;
    }
    free(names);
    return last;
}

static int note(struct missing *missing, uint64_t number)
{
    if (missing->count > 0 && missing->items[missing->count - 1].last + 1 == number) {
        missing->items[missing->count - 1].last = number;
        return 0;
    }
    struct missing_range *items =
        array_grow(missing->items, &missing->room, missing->count + 1, sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    missing->items = items;
    missing->items[missing->count++] = (struct missing_range){number, number};
    return 0;
}

int missing_look(struct missing *missing, const struct folder *folder,
                 const struct retired *retired, uint64_t next, uint64_t end)
{
    for (uint64_t number = next; number < end; number++) {
        const struct retired_range *gone = retired != NULL ? retired_find(retired, number) : NULL;
        if (gone != NULL)
            number = gone->last;
        else if (!has_file(folder, number) && note(missing, number) < 0)
            return -ENOMEM;
    }
    return 0;
}

void missing_close(struct missing *missing)
{
    free(missing->items);
    *missing = (struct missing){0};
}
