/*
 * catalog_epoch.h - one life of a track, as the catalogue has it: counts, properties, symbols.
 *
 * Only for catalog.c and catalog_code.c. retire_index.c also uses it, to count as they do.
 */
#ifndef TDK_TAPE_CATALOG_EPOCH_H
#define TDK_TAPE_CATALOG_EPOCH_H

#include <stdbool.h>

#include "tape/mark.h"
#include "tape/symbols.h"

struct property {
    struct property *next;
    unsigned char *value;  /* the last one that arrived whole; NULL: none did */
    unsigned char *coming; /* what has arrived of the next one */
    uint32_t size;
    uint32_t total, have; /* of the value that is arriving: its bytes, and how many are here */
    bool changed;
    char key[]; /* ends in a NUL */
};

struct catalog_epoch {
    struct catalog_epoch *before; /* the epoch of the track before this one */
    struct epoch_ref ref;
    struct property *properties;
    struct symbols_of symbols;
    size_t property_count, property_bytes;
    uint64_t refused; /* properties, or parts of them, that found no room */
    bool changed;     /* ref has changed since it was stored */
    struct catalog_epoch *next_changed;
    bool listed;                     /* is in the catalogue's list of changed epochs */
    struct catalog_epoch *next_told; /* the list of epochs while a footer is made */
    struct epoch_ref told;           /* and the sum of this epoch's blocks there */
    uint64_t told_round;
    uint64_t noted_round; /* round of catalog_forget() in which blocks were last noted */
};

struct catalog_track {
    struct track_ref ref;
    struct catalog_epoch *last; /* the highest number first */
    bool changed;
    bool guessed; /* the name is a guess */
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

void catalog_touch(struct catalog *catalog, struct catalog_epoch *epoch); /* mark it as changed */

/* Restore a track that a footer or a frame names, if its number is free. 0, -ENOMEM,
 * TDK_ECORRUPT. */
int catalog_restore_track(struct catalog *catalog, const struct track_ref *ref);

/* Set a whole value; it replaces the key's present one. A value beyond the limits is passed over. 0
 * or -ENOMEM. */
int catalog_put_property(struct catalog *catalog, struct catalog_epoch *epoch, const char *key,
                         size_t key_size, const void *value, size_t size);

/* Add a block to its epoch's counts and bounds. */
void epoch_add_block(struct epoch_ref *epoch, const struct block_ref *block);

#endif
