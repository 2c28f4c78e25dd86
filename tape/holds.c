#include "tape/holds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tape/files.h"
#include "tape/format.h"
#include "tape/lease.h"

#define HOLDS_SIZE_MAX (sizeof(struct holds_head) + 2 * HOLDS_MAX * sizeof(uint64_t))

enum { ROW_WAIT_MS = 10000 };

/* ---- bytes ---- */

static int copy_numbers(uint64_t **numbers, const void *bytes, size_t count)
{
    uint64_t *copy = calloc(count + 1, sizeof *copy);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, bytes, count * sizeof *copy);
    *numbers = copy;
    return 0;
}

/* As searching requires. */
static bool is_ascending(const uint64_t *numbers, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (numbers[i] <= numbers[i - 1])
            return false;
    return true;
}

int holds_decode(struct holds *holds, const void *bytes, size_t size, const uint8_t tape_id[16],
                 struct tdk_err *err)
{
    struct holds_head head;
    *holds = (struct holds){.held_count = 0};
    int rc = kept_check(bytes, size, sizeof head, HOLDS_MAGIC, tape_id, "holds", err);
    if (rc < 0)
        return rc;
    memcpy(&head, bytes, sizeof head);
    if (head.held > HOLDS_MAX || head.released > HOLDS_MAX ||
        size != sizeof head + ((size_t)head.held + head.released) * sizeof(uint64_t))
        return err_set(err, TDK_ECORRUPT, "holds");
    const unsigned char *at = (const unsigned char *)bytes + sizeof head;
    rc = copy_numbers(&holds->held, at, head.held);
    if (rc == 0)
        rc = copy_numbers(&holds->released, at + head.held * sizeof(uint64_t), head.released);
    if (rc == 0 &&
        (!is_ascending(holds->held, head.held) || !is_ascending(holds->released, head.released)))
        rc = TDK_ECORRUPT;
    if (rc < 0) {
        holds_close(holds);
        return err_set(err, rc, "holds");
    }
    holds->held_count = head.held;
    holds->released_count = head.released;
    return 0;
}

/* ---- the file ---- */

int holds_load(struct holds *holds, const struct folder *folder, struct tdk_err *err)
{
    void *bytes;
    size_t size;
    *holds = (struct holds){.held_count = 0};
    int rc = kept_read(folder, "holds", HOLDS_SIZE_MAX, &bytes, &size, err);
    if (rc < 0 || bytes == NULL)
        return rc;
    rc = holds_decode(holds, bytes, size, folder->tape_id, err);
    free(bytes);
    if (rc == TDK_ECORRUPT)
        return err_say(err, rc,
                       "%s/holds is damaged: which segments are held is not known, so none is "
                       "deleted; remove the file, and hold again what is to stay",
                       folder->path);
    return rc < 0 ? err_wrap(err, rc, "read %s/holds", folder->path) : 0;
}

static int save(const struct holds *holds, const struct folder *folder, struct tdk_err *err)
{
    struct holds_head head = {.held = (uint32_t)holds->held_count,
                              .released = (uint32_t)holds->released_count};
    size_t held = holds->held_count * sizeof(uint64_t);
    size_t released = holds->released_count * sizeof(uint64_t);
    size_t size = sizeof head + held + released;
    unsigned char *bytes = malloc(size);
    if (bytes == NULL)
        return err_set(err, -ENOMEM, "holds");
    memcpy(bytes, &head, sizeof head);
    if (held > 0)
        memcpy(bytes + sizeof head, holds->held, held);
    if (released > 0)
        memcpy(bytes + sizeof head + held, holds->released, released);
    kept_sign(bytes, size, HOLDS_MAGIC, folder->tape_id);
    int rc = files_replace(folder->path, "holds", bytes, size, err);
    free(bytes);
    return rc;
}

void holds_close(struct holds *holds)
{
    free(holds->held);
    free(holds->released);
    *holds = (struct holds){.held_count = 0};
}

/* ---- numbers ---- */

/* The place where the number is, or where it would be. */
static size_t place_of(const uint64_t *numbers, size_t count, uint64_t number)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has(const uint64_t *numbers, size_t count, uint64_t number)
{
    size_t at = place_of(numbers, count, number);
    return at < count && numbers[at] == number;
}

bool holds_has(const struct holds *holds, uint64_t segment)
{
    return has(holds->held, holds->held_count, segment);
}

bool holds_is_released(const struct holds *holds, uint64_t segment)
{
    return has(holds->released, holds->released_count, segment);
}

static int put(uint64_t **numbers, size_t *count, uint64_t number)
{
    size_t at = place_of(*numbers, *count, number);
    if (at < *count && (*numbers)[at] == number)
        return 0;
    if (*count == HOLDS_MAX)
        return TDK_EFULL;
    uint64_t *grown = realloc(*numbers, (*count + 1) * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    memmove(grown + at + 1, grown + at, (*count - at) * sizeof *grown);
    grown[at] = number;
    *numbers = grown;
    ++*count;
    return 0;
}

static void take_out(uint64_t *numbers, size_t *count, uint64_t number)
{
    size_t at = place_of(numbers, *count, number);
    if (numbers == NULL || at == *count || numbers[at] != number)
        return;
    memmove(numbers + at, numbers + at + 1, (*count - at - 1) * sizeof *numbers);
    --*count;
}

static int change_one(struct holds *holds, uint64_t segment, enum hold_change change)
{
    if (change == HOLD_KEEP) {
        take_out(holds->released, &holds->released_count, segment);
        return put(&holds->held, &holds->held_count, segment);
    }
    take_out(holds->held, &holds->held_count, segment);
    return put(&holds->released, &holds->released_count, segment);
}

int holds_change(const struct folder *folder, const uint64_t *segments, size_t count,
                 enum hold_change change, struct tdk_err *err)
{
    struct holds holds;
    int row, rc = leases_hold_row(&row, folder, ROW_WAIT_MS, err);
    if (rc < 0)
        return rc;
    rc = holds_load(&holds, folder, err);
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = change_one(&holds, segments[i], change);
        if (rc < 0)
            err_set(err, rc, "segment %llu", (unsigned long long)segments[i]);
    }
    if (rc == 0)
        rc = save(&holds, folder, err);
    holds_close(&holds);
    leases_give_row(row);
    return rc;
}
