#include "tape/abstract.h"

#include <errno.h>
#include <stdlib.h>

void abstract_close(struct abstract *abstract)
{
    free(abstract->refs);
    states_close(&abstract->states);
    *abstract = (struct abstract){.number = 0};
}

static int read_abstract(struct abstract *abstract, const struct segment *segment)
{
    struct segment_foot foot;
    int rc = segment_read_foot(segment, &foot, NULL);
    if (rc == 0)
        rc = segment_read_table(segment, &foot, &abstract->refs, NULL);
    if (rc == 0)
        rc = segment_read_states(segment, &foot, &abstract->states, NULL);
    if (rc < 0) {
        abstract_close(abstract);
        return rc;
    }
    abstract->blocks = foot.blocks;
    abstract->number = foot.number;
    return 0;
}

/* For a segment whose blocks are away: what stayed here says whether any of them is needed. */
static int load_home(struct abstract *abstract, struct tdk_tape *tape, uint64_t number)
{
    struct segment *segment;
    int rc = segment_open_home(&segment, &tape->folder, number, SEGMENT_SEALED, NULL);
    if (rc < 0)
        return rc;
    rc = read_abstract(abstract, segment);
    segment_close(segment);
    return rc;
}

int abstract_load(struct abstract *abstract, struct tdk_tape *tape, uint64_t number)
{
    unsigned generation = tape_generation(tape, number);
    int rc = -ENOENT;
    if (abstract->number == number)
        return 0;
    abstract_close(abstract);
    for (unsigned turn = 0; turn < 2 && rc == -ENOENT; turn++, generation ^= 1) {
        const struct block_ref any = {.segment = number,
                                      .flags = (uint16_t)(generation << BLOCK_GENERATION_SHIFT)};
        struct handle *handle;
        rc = segments_take(&tape->segments, &any, false, &handle, NULL);
        if (rc < 0)
            continue;
        rc = read_abstract(abstract, handle->segment);
        segments_give(&tape->segments, handle);
    }
    return rc == TDK_EAWAY ? load_home(abstract, tape, number) : rc;
}

bool abstract_find(const struct abstract *abstract, const struct block_ref *ref, size_t *place)
{
    size_t low = 0, high = abstract->number == ref->segment ? abstract->blocks : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (abstract->refs[middle].offset < ref->offset)
            low = middle + 1;
        else
            high = middle;
    }
    *place = low;
    return abstract->number == ref->segment && low < abstract->blocks &&
           abstract->refs[low].offset == ref->offset &&
           abstract->refs[low].first_seq == ref->first_seq &&
           block_ref_generation(&abstract->refs[low]) == block_ref_generation(ref);
}
