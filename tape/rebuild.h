/*
 * rebuild.h - an index from the segments alone.
 *
 * For a writer whose index is not clean, and for a reader that finds none it can trust (into
 * private memory: index_open_private). Sealed segments are read by their footers, the others, and
 * those whose footer is bad, are scanned. Nothing on the tape is changed.
 */
#ifndef TDK_TAPE_REBUILD_H
#define TDK_TAPE_REBUILD_H

#include "index/index.h"
#include "tape/catalog.h"
#include "tape/folder.h"

/* What is wrong with a tape, by count; `each` is told every case in words, if it is not NULL. */
struct damage {
    uint64_t blocks;   /* bad stretches inside what was synced */
    uint64_t footers;  /* of sealed segments: scanned instead */
    uint64_t segments; /* missing from the row, foreign, unreadable */
    uint64_t torn;     /* bytes behind the last good block: never acknowledged, no damage */
    void (*each)(const char *text, void *context);
    void *context;
};

/* Every segment of the tape into an empty index, and into `catalog` (NULL: none is wanted).
 * `damage` may be NULL. Only what cannot go on at all is an error. */
int rebuild_index(const struct folder *folder, struct index *index, struct catalog *catalog,
                  struct damage *damage, struct tdk_err *err);

/* The same for one segment file by its path, of any tape. */
int rebuild_lone(const char *path, struct index *index, uint8_t tape_id[16], struct damage *damage,
                 struct tdk_err *err);

#endif
