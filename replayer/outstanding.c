#include "replayer/outstanding.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "replayer/replayer.h"

#define SPARE_SIZE                                                                                 \
    ((size_t)8 << 20) /* bytes kept: enough for one client that reads at full speed */

bool outstanding_has_room(const struct replayer *r, size_t size)
{
    return r->outstanding == 0 || r->outstanding + size <= r->config->outstanding;
}

/* Take a kept one that is large enough, and at most twice as large as wanted. */
static struct batch_memory *find_spare(struct replayer *r, size_t size)
{
    for (struct batch_memory **at = &r->spare; *at != NULL; at = &(*at)->next) {
        struct batch_memory *m = *at;
        if (m->room < size || m->room / 2 > size)
            continue;
        *at = m->next;
        r->spare_size -= m->room;
        return m;
    }
    return NULL;
}

struct batch_memory *outstanding_take(struct replayer *r, size_t size)
{
    struct batch_memory *m = find_spare(r, size);
    if (m == NULL) {
        m = aligned_alloc(64, align_up(sizeof *m + size, 64));
        if (m == NULL)
            return NULL;
        m->room = size;
    }
    m->size = 0;
    m->ticks = 0;
    r->outstanding += m->room;
    return m;
}

void outstanding_give(struct replayer *r, struct batch_memory *m)
{
    r->outstanding -= m->room;
    if (r->spare_size + m->room > SPARE_SIZE) {
        free(m);
        return;
    }
    r->spare_size += m->room;
    m->next = r->spare;
    r->spare = m;
}

void outstanding_free(struct replayer *r)
{
    while (r->spare != NULL) {
        struct batch_memory *next = r->spare->next;
        free(r->spare);
        r->spare = next;
    }
    r->spare_size = 0;
}
