/*
 * What a tape keeps about its own upkeep: the tombstones of deleted segments, holds, and where
 * moved segments are.
 *
 * The input is one of these files. It is read as it is, and again with correct magic, version, tape
 * and checksum. Tombstones that are accepted come out as they went in, and answer questions about
 * them.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "tape/annex.h"
#include "tape/format.h"
#include "tape/holds.h"
#include "tape/retired.h"

static const uint8_t tape_id[16] = "a fuzzer's tape";

static void ask(const struct retired *retired)
{
    for (size_t i = 0; i < retired->extent_count; i++) {
        const struct retired_extent *e = &retired->extents[i], *end;
        uint64_t first = e->first_seq, last = e->last_seq;
        if (retired_of(retired, e->track, e->epoch, &end) > end ||
            retired_trim(retired, e->track, e->epoch, &first, &last))
            abort(); /* it was deleted: none of it is left */
    }
    for (size_t i = 0; i < retired->range_count; i++)
        if (retired_find(retired, retired->ranges[i].first) != &retired->ranges[i] ||
            retired_find(retired, retired->ranges[i].last) != &retired->ranges[i])
            abort();
}

static void read_retired(const uint8_t *bytes, size_t size)
{
    struct retired *retired;
    void *again;
    size_t again_size;
    if (retired_decode(&retired, bytes, size, tape_id, NULL) < 0)
        return;
    ask(retired);
    if (retired_encode(retired, tape_id, &again, &again_size, NULL) == 0) {
        if (again_size != size || memcmp(again, bytes, size) != 0)
            abort();
        free(again);
    }
    retired_drop(retired);
}

static void read_holds(const uint8_t *bytes, size_t size)
{
    struct holds holds = {.held = NULL};
    if (holds_decode(&holds, bytes, size, tape_id, NULL) < 0)
        return;
    for (size_t i = 0; i < holds.held_count; i++)
        if (!holds_has(&holds, holds.held[i]))
            abort();
    for (size_t i = 0; i < holds.released_count; i++)
        if (!holds_is_released(&holds, holds.released[i]))
            abort();
    holds_close(&holds);
}

static void read_annexes(const uint8_t *bytes, size_t size)
{
    struct annexes annexes, again;
    void *encoded;
    size_t encoded_size;
    if (annexes_decode(&annexes, bytes, size, tape_id, NULL) < 0)
        return;
    for (size_t i = 0; i < annexes.count; i++)
        if (annexes_find(&annexes, annexes.items[i].id) != &annexes.items[i] ||
            annexes.items[i].path[0] != '/')
            abort();
    if (annexes_encode(&annexes, tape_id, &encoded, &encoded_size, NULL) == 0) {
        if (annexes_decode(&again, encoded, encoded_size, tape_id, NULL) < 0 ||
            again.count != annexes.count)
            abort();
        annexes_close(&again);
        free(encoded);
    }
    annexes_close(&annexes);
}

/* Sign the file, and clear the bytes that are zero at the end of each kind of head. */
static void mend(uint8_t *bytes, size_t size, uint64_t magic)
{
    const size_t zeros = offsetof(struct holds_head, zero);
    memset(bytes + zeros, 0, sizeof(struct holds_head) - zeros);
    kept_sign(bytes, size, magic, tape_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    read_retired(bytes, size);
    read_holds(bytes, size);
    read_annexes(bytes, size);
    if (size < sizeof(struct holds_head))
        return 0;
    uint8_t *copy = malloc(size);
    if (copy == NULL)
        return 0;
    memcpy(copy, bytes, size);
    mend(copy, size, RETIRED_MAGIC);
    read_retired(copy, size);
    mend(copy, size, HOLDS_MAGIC);
    read_holds(copy, size);
    mend(copy, size, ANNEXES_MAGIC);
    read_annexes(copy, size);
    free(copy);
    return 0;
}
