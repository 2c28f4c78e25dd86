#include "base/scratch.h"

#include <stdlib.h>

#include "base/bytes.h"

static bool hold(struct scratch *scratch, void *bytes, size_t size)
{
    *scratch = (struct scratch){.bytes = bytes, .room = bytes != NULL ? size : 0};
    return bytes != NULL;
}

bool scratch_need(struct scratch *scratch, size_t size)
{
    if (size <= scratch->room)
        return true;
    free(scratch->bytes);
    return hold(scratch, malloc(size), size);
}

bool scratch_need_aligned(struct scratch *scratch, size_t align, size_t size)
{
    if (size <= scratch->room)
        return true;
    free(scratch->bytes);
    size = align_up(size, align);
    return hold(scratch, aligned_alloc(align, size), size);
}

void scratch_close(struct scratch *scratch)
{
    free(scratch->bytes);
    hold(scratch, NULL, 0);
}
