/*
 * A whole segment file: head, blocks, table, catalogue, states, foot. Also a catalogue and a list
 * of states alone.
 *
 * The input is the file. It is read as it is, and again with correct checksums for the head, the
 * foot and what the foot points to.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "tape/kinds.h"
#include "tape/rebuild.h"
#include "tape/segment.h"

static void mend_head(unsigned char *bytes)
{
    struct segment_head head;
    memcpy(&head, bytes, sizeof head);
    head.magic = SEGMENT_MAGIC;
    head.version = TAPE_VERSION;
    head.crc = 0;
    head.crc = crc32c(0, &head, sizeof head);
    memcpy(bytes, &head, sizeof head);
}

static void mend_foot(unsigned char *bytes, size_t size)
{
    struct segment_foot foot;
    unsigned char *at = bytes + size - sizeof foot;
    memcpy(&foot, at, sizeof foot);
    foot.magic = FOOT_MAGIC;
    foot.version = TAPE_VERSION;
    foot.crc = 0;
    if (foot.end <= size && foot.table_size <= size - foot.end &&
        foot.catalog_size <= size - foot.end - foot.table_size) {
        foot.table_crc = crc32c(0, bytes + foot.end, foot.table_size);
        uint64_t behind = foot.end + foot.table_size + foot.catalog_size;
        foot.catalog_crc = crc32c(0, bytes + foot.end + foot.table_size, foot.catalog_size);
        if (foot.states_size <= size - behind)
            foot.states_crc = crc32c(0, bytes + behind, foot.states_size);
    }
    foot.crc = crc32c(0, &foot, sizeof foot);
    memcpy(at, &foot, sizeof foot);
}

static void read_blocks(const struct segment *segment, const struct found *found)
{
    for (size_t i = 0; i < found->count; i++) {
        struct block_view view;
        void *buffer = malloc(found->refs[i].span);
        if (buffer != NULL)
            segment_read(segment, &found->refs[i], buffer, &view, NULL);
        free(buffer);
    }
}

static int pass_over(const struct state_ref *state, void *context)
{
    (void)state;
    (void)context;
    return 0;
}

/* The list of states alone, as a segment of at most 8 blocks would have it. */
static void read_states(const uint8_t *bytes, size_t size)
{
    static const struct block_ref refs[8];
    struct states states;
    unsigned char *copy = malloc(size + 1);
    if (copy == NULL)
        return;
    memcpy(copy, bytes, size);
    if (states_open(&states, copy, size, size < 8 ? size : 8, KINDS_TOLD) < 0)
        return;
    states_each(&states, refs, pass_over, NULL);
    for (size_t i = 0; i < states.blocks; i++)
        states_have(&states, i, (const uint32_t[]){7, 9, UINT32_MAX}, 3);
    states_close(&states);
}

static void read_segment(const char *path, bool sealed)
{
    struct segment *segment;
    struct catalog *catalog;
    struct found found;
    void *bytes = NULL;
    size_t size;
    if (segment_open(&segment, path, NULL, NULL) < 0)
        return;
    if (catalog_open(&catalog, NULL) == 0) {
        if (found_open(&found, segment, sealed, catalog, NULL, NULL) == 0) {
            found_learn(&found, segment, catalog, NULL);
            if (found.states.kinds != 0)
                states_each(&found.states, found.refs, pass_over, NULL);
            read_blocks(segment, &found);
            for (size_t i = 0; i < found.count; i++)
                catalog_guess_track(catalog, found.refs[i].track, NULL);
            if (catalog_encode(catalog, found.refs, found.count, &bytes, &size, NULL) == 0)
                free(bytes);
            found_close(&found);
        }
        catalog_close(catalog);
    }
    segment_close(segment);
}

static void read_file(const void *bytes, size_t size)
{
    char path[64];
    int fd = memfd_create("segment", MFD_CLOEXEC);
    if (fd < 0)
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, bytes, size) == (ssize_t)size) {
        read_segment(path, true);
        read_segment(path, false);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct catalog *catalog;
    if (catalog_open(&catalog, NULL) < 0)
        return 0;
    catalog_decode(catalog, bytes, size, NULL);
    catalog_close(catalog);

    read_states(bytes, size);
    read_file(bytes, size);
    if (size < sizeof(struct segment_head) + sizeof(struct segment_foot))
        return 0;
    unsigned char *copy = malloc(size);
    if (copy == NULL)
        return 0;
    memcpy(copy, bytes, size);
    mend_head(copy);
    mend_foot(copy, size);
    read_file(copy, size);
    free(copy);
    return 0;
}
