/*
 * catalog_epoch.h - one life of a track, as the catalogue has it: counts, properties, symbols.
 *
 * Only for catalog.c and catalog_code.c; and retire_index.c counts as they do.
 */
#ifndef TDK_TAPE_CATALOG_EPOCH_H
#define TDK_TAPE_CATALOG_EPOCH_H

#include <stdbool.h>

#include "tape/mark.h"
#include "tape/symbols.h"

struct property {
    struct property *next;
    unsigned char *value;  /* the last that was told whole; NULL: none was */
    unsigned char *coming; /* what has come of the next */
    uint32_t size;
    uint32_t total, have; /* bytes of the one that is coming; and how many have come */
    bool changed;
    char key[]; /* ends in a NUL */
};

struct catalog_epoch {
    struct catalog_epoch *before; /* the track's epoch before it */
    struct epoch_ref ref;
    struct property *properties;
    struct symbols_of symbols;
    size_t property_count, property_bytes;
    uint64_t refused; /* properties that found no room, or parts of them */
    bool changed;     /* ref, since it was stored */
    struct catalog_epoch *next_changed;
    bool listed;                     /* in the catalogue's list of changed ones */
    struct catalog_epoch *next_told; /* while a footer is made: its list */
    struct epoch_ref told;           /* and what its blocks come to */
    uint64_t told_round;
    uint64_t noted_round; /* of catalog_forget(): blocks were noted since */
};

struct catalog_track {
    struct track_ref ref;
    struct catalog_epoch *last; /* by number, the highest first */
    bool changed;
    bool guessed; /* its name */
};

struct catalog {
    struct catalog_track *tracks[65536]; /* by number; [0] is not used */
    uint32_t top;                        /* highest number + 1 */
    bool tracks_changed;
    struct catalog_epoch *changed;
    uint64_t refused;      /* by all epochs: see catalog_refused() */
    uint64_t round;        /* of catalog_encode() */
    uint64_t forget_round; /* of catalog_forget() */
    struct marks marks;
};

struct catalog_epoch *catalog_epoch_of(const struct catalog *catalog, uint16_t track,
                                       uint64_t epoch); /* NULL: not known */

/* The same, made if it is new. NULL: no memory, or no such track. */
struct catalog_epoch *catalog_epoch_need(struct catalog *catalog, uint16_t track, uint64_t epoch);

void catalog_touch(struct catalog *catalog, struct catalog_epoch *epoch); /* it has changed */

/* A track as told by a footer or a frame, if its number is free. 0, -ENOMEM, TDK_ECORRUPT. */
int catalog_restore_track(struct catalog *catalog, const struct track_ref *ref);

/* A whole value; what its key has now goes. 0 or -ENOMEM: beyond the limits it is passed over. */
int catalog_put_property(struct catalog *catalog, struct catalog_epoch *epoch, const char *key,
                         size_t key_size, const void *value, size_t size);

/* What a block adds to its epoch's counts and bounds. */
void epoch_add_block(struct epoch_ref *epoch, const struct block_ref *block);

#endif
