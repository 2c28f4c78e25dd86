#include "tape/absence.h"

#include <stdio.h>
#include <unistd.h>

#include "base/err.h"

static bool has_moved(const struct tdk_tape *tape)
{
    char path[TAPE_PATH_MAX];
    if (tape->lone[0] != '\0')
        return false;
    snprintf(path, sizeof path, "%s/annexes", tape->folder.path);
    return access(path, F_OK) == 0;
}

static void look(struct absence *absence, struct tdk_tape *tape, const struct block_ref *ref)
{
    struct handle *handle;
    absence->segment = ref->segment;
    absence->code = segments_take(&tape->segments, ref, false, &handle, &absence->err);
    if (absence->code == 0)
        segments_give(&tape->segments, handle);
}

int absence_check(struct absence *absence, struct tdk_tape *tape, const struct block_ref *ref,
                  struct tdk_err *err)
{
    if (!absence->looked)
        absence->moved = has_moved(tape);
    absence->looked = true;
    if (!absence->moved)
        return 0;
    if (absence->segment != ref->segment)
        look(absence, tape, ref);
    if (absence->code != TDK_EAWAY)
        return 0;
    return err_say(err, absence->code, "%s", absence->err.text);
}
