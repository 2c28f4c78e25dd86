#include "tape/absence.h"

#include <errno.h>

#include "base/err.h"
#include "tape/files.h"

/* If the segment was packed since the index was asked, nothing is where the reference says, but all
 * of it is there. */
static uint64_t size_of(const struct segment *segment, const struct block_ref *ref)
{
    struct file_stat stat;
    if (segment->head.generation != block_ref_generation(ref))
        return UINT64_MAX;
    return files->fstat(segment->fd, &stat) == 0 ? stat.size : 0;
}

static void look(struct absence *absence, struct tdk_tape *tape, const struct block_ref *ref)
{
    struct handle *handle;
    absence->segment = ref->segment;
    absence->code = segments_take(&tape->segments, ref, false, &handle, &absence->err);
    if (absence->code != 0)
        return;
    absence->size = size_of(handle->segment, ref);
    segments_give(&tape->segments, handle);
}

/* When no more files can be opened, nothing is known about the segment. */
static bool is_shortage(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -ENOMEM;
}

int absence_check(struct absence *absence, struct tdk_tape *tape, const struct block_ref *ref,
                  struct tdk_err *err)
{
    const uint64_t end = ref->offset + ref->span;
    if (absence->segment != ref->segment || (absence->code == 0 && absence->size < end))
        look(absence, tape, ref); /* a recorder's file may have grown */
    if (is_shortage(absence->code))
        return 0;
    if (absence->code != 0)
        return err_say(err, absence->code, "%s", absence->err.text);
    if (absence->size < end)
        return err_say(err, TDK_ECORRUPT, "its file ends at %llu",
                       (unsigned long long)absence->size);
    return 0;
}
