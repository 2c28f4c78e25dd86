#include "base/buffers.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/bytes.h"

#define LARGE_PAGE ((size_t)2 << 20)
#define SMALL_PAGE ((size_t)4096) /* if pages are larger, some are touched twice */

/* Map one large page more than needed, and give back what is too much. */
static unsigned char *map_aligned(size_t size)
{
    unsigned char *memory =
        mmap(NULL, size + LARGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)memory & (LARGE_PAGE - 1);
    if (before > 0)
        munmap(memory, before);
    munmap(memory + before + size, LARGE_PAGE - before);
    return memory + before;
}

void *buffers_map(size_t size)
{
    size = align_up(size, LARGE_PAGE);
    unsigned char *memory = map_aligned(size);
    if (memory == NULL)
        return NULL;
    madvise(memory, size, MADV_HUGEPAGE); /* a wish: small pages will do */
    /* A lack of memory is an error here. At a touch, the system would kill the program. */
    if (madvise(memory, size, MADV_POPULATE_WRITE) < 0 && errno != EINVAL) {
        int saved = errno;
        munmap(memory, size);
        errno = saved;
        return NULL;
    }
    for (size_t i = 0; i < size; i += SMALL_PAGE)
        *(volatile unsigned char *)(memory + i) = 0;
    return memory;
}

void buffers_unmap(void *memory, size_t size)
{
    if (memory != NULL)
        munmap(memory, align_up(size, LARGE_PAGE));
}
