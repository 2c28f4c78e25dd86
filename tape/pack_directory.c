/* pack_directory.c - the directory of a block before it was packed, as far as the outline gives
 * it. */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tape/pack_inner.h"

static int compare_strands(const void *a, const void *b)
{
    const struct strand *const *x = a, *const *y = b;
    return (*x)->instrument < (*y)->instrument ? -1 : (*x)->instrument > (*y)->instrument;
}

static struct directory_entry *entries_of(const struct pack *pack)
{
    return (void *)(pack->directory + sizeof(struct directory_head));
}

/* Make one entry for each instrument, whatever classes its ticks are of. cursors[] gets their
 * counts. */
static bool count_entries(struct pack *pack, struct strand **order, uint32_t count)
{
    pack->entries = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || order[i]->instrument != order[i - 1]->instrument) {
            if (pack->entries == BLOCK_ENTRIES_MAX)
                return false;
            pack->cursors[pack->entries++] = 0;
        }
        order[i]->entry = (uint16_t)(pack->entries - 1);
        pack->cursors[pack->entries - 1] += order[i]->count;
    }
    return true;
}

static size_t directory_size(const struct directory_head *d)
{
    return align_up(sizeof *d + d->entries * sizeof(struct directory_entry) +
                        d->anchors * sizeof(uint32_t) + d->ordinals * sizeof(uint16_t),
                    8);
}

/* If pack->directory is NULL, only the entries are needed, and go to own_directory. Otherwise the
 * rest of the directory is written with the ticks, except for the zeros at its end, which are
 * written here. */
static bool place_directory(struct pack *pack)
{
    if (pack->directory != NULL) {
        store_u64(pack->directory + pack->head->directory_size - sizeof(uint64_t), 0);
        return true;
    }
    size_t size = sizeof(struct directory_head) + pack->entries * sizeof(struct directory_entry);
    if (!pack_need(&pack->own_directory, size))
        return false;
    pack->directory = pack->own_directory.bytes;
    return true;
}

/* Write head and entries. cursors[] become the places of the first ordinals. */
static void write_entries(struct pack *pack, const struct directory_head *d, struct strand **order,
                          uint32_t count)
{
    memcpy(pack->directory, d, sizeof *d);
    struct directory_entry *entries = entries_of(pack);
    uint32_t place = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t entry = order[i]->entry;
        if (i > 0 && entry == order[i - 1]->entry)
            continue;
        entries[entry] = (struct directory_entry){order[i]->instrument, place};
        uint32_t ticks = pack->cursors[entry];
        pack->cursors[entry] = place;
        place += ticks;
    }
}

/* 0; TDK_ECORRUPT, -ENOMEM. */
static int make_directory(struct pack *pack, struct strand **order, uint32_t count)
{
    if (!count_entries(pack, order, count))
        return TDK_ECORRUPT;
    struct directory_head d = {
        .entries = pack->entries,
        .ordinals = pack->entries == 1 ? 0 : pack->ticks,
        .uniform = pack->outline.uniform,
    };
    if (d.uniform == 0)
        d.anchors = (pack->ticks + DIRECTORY_STRIDE - 1) / DIRECTORY_STRIDE;
    if (directory_size(&d) != pack->head->directory_size)
        return TDK_ECORRUPT;
    if (!place_directory(pack))
        return -ENOMEM;
    write_entries(pack, &d, order, count);
    return 0;
}

int pack_begin_directory(struct pack *pack, struct tdk_err *err)
{
    struct strand **order = malloc(pack->outline.strands * sizeof(struct strand *));
    if (order == NULL)
        return err_set(err, -ENOMEM, "unpack a block");
    uint32_t count = 0;
    for (uint32_t i = 0; i < pack->outline.strands; i++)
        if (pack->strands[i].class != PACK_CONTROL)
            order[count++] = &pack->strands[i];
    if (count > 0 && order[0]->class != order[count - 1]->class)
        qsort(order, count, sizeof(struct strand *), compare_strands);
    int rc = make_directory(pack, order, count);
    free(order);
    if (rc == -ENOMEM)
        return err_set(err, rc, "unpack a block");
    return rc == 0 ? 0 : pack_corrupt(err, "it names other instruments than its head");
}

uint16_t *pack_ordinals(const struct pack *pack)
{
    struct directory_head d;
    memcpy(&d, pack->directory, sizeof d);
    return d.ordinals == 0
               ? NULL
               : (void *)(pack->directory + sizeof d + d.entries * sizeof(struct directory_entry) +
                          d.anchors * sizeof(uint32_t));
}
