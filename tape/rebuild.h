/*
 * rebuild.h - an index from the segments alone.
 *
 * For a writer whose index is not clean, and for a reader that finds none it can trust (the
 * reader's goes into private memory: index_open_private). Sealed segments are read by their
 * footers. The others, and those whose footer is bad, are scanned. Nothing on the tape is changed.
 */
#ifndef TDK_TAPE_REBUILD_H
#define TDK_TAPE_REBUILD_H

#include "index/index.h"
#include "tape/catalog.h"
#include "tape/damage.h"
#include "tape/folder.h"
#include "tape/retired.h"
#include "tape/segment.h"

/* Load TAPE/retired. When it cannot be read, that is reported, and the result is that nothing was
 * retired. -ENOMEM. */
int retired_load_or_tell(struct retired **retired, const struct folder *folder,
                         struct damage *damage, struct tdk_err *err);

/* Put every segment of the tape into an empty index, and into `catalog` (NULL: not wanted).
 * `damage` may be NULL. Only what makes it impossible to go on is an error. */
int rebuild_index(const struct folder *folder, struct index *index, struct catalog *catalog,
                  struct damage *damage, struct tdk_err *err);

/* The same for one segment file, given its path, of any tape; tape_id says of which. */
int rebuild_lone(const char *path, struct index *index, uint8_t tape_id[16], struct damage *damage,
                 struct tdk_err *err);

/* ---- segment by segment, for recover.c ---- */

/* What a segment holds, by its foot or by a scan. */
struct found {
    struct block_ref *refs;
    size_t count;
    bool has_foot;
    bool tells_all;           /* its catalogue is whole, too */
    struct segment_foot foot; /* if it has one */
    struct states states;     /* if it has them; ours */
    struct segment_scan scan; /* if it has no foot; trimmed when the segment is not sealed */
};

/* How far a rebuild is. */
struct rebuild_totals {
    uint64_t segments, blocks, ticks, bytes;
    uint64_t bytes_total; /* of all segments; 0: not known */
};

struct rebuild {
    const struct folder *folder;
    const struct retired *retired; /* what was deleted on purpose; NULL: nothing was */
    struct index *index;
    struct catalog *catalog;
    struct damage *damage;
    struct tdk_err *err;
    uint64_t last_number;  /* of the segment before */
    uint64_t previous_end; /* where its blocks end; 0: not known */
    uint64_t written_ns;   /* the latest time that a segment gave */
    uint32_t digest;       /* of its foot; 0: not known */
    /* An unsealed segment ended in a hole. What was written after the hole never counted. */
    bool cut;
    struct rebuild_totals totals;
    void (*progress)(const struct rebuild_totals *totals, void *context); /* may be NULL */
    void *context;
};

/* Rebuild every segment of the tape, in order. */
int rebuild_each(struct rebuild *rebuild);

/* The row went on to `end`, as the mark of a clean tape or a file without anything in it says: when
 * that is behind the `last` there is, nothing else would tell. Its numbers are not to be given
 * again, so that the row shows what is missing. */
void rebuild_tell_gone(uint64_t last, uint64_t end, struct damage *damage);

/* The bytes of all these segments, for totals.bytes_total. */
uint64_t rebuild_size(const struct folder *folder, const struct segment_name *names, size_t count);

/* Put a sealed or unsealed segment into index and catalogue, as it is. What cannot be read is
 * reported and left out. */
int rebuild_segment(struct rebuild *rebuild, const struct segment_name *name);

/* The same in steps, for a segment that is mended in between. `sealed`: as the segment's name
 * says. */
int found_open(struct found *found, const struct segment *segment, bool sealed,
               struct catalog *catalog, struct damage *damage, struct tdk_err *err);
/* Learn names and symbols from its blocks, unless the catalogue of its foot has given them all. */
int found_learn(const struct found *found, const struct segment *segment, struct catalog *catalog,
                struct tdk_err *err);
int rebuild_put(struct rebuild *rebuild, const struct segment *segment, const struct found *found,
                uint16_t sealed); /* SEGMENT_HAS_FOOTER ... */
void found_close(struct found *found);

/*
 * The segment before this one ended in a hole, and this one's blocks come after it. Not one of them
 * was acknowledged (this segment's blocks would say what was synced), and the feeds' rings still
 * hold their frames. So they are no part of the tape. Ask before found_learn() and rebuild_put().
 */
bool rebuild_is_orphan(struct rebuild *rebuild, const struct found *found);

int rebuild_complete(struct index *index, struct tdk_err *err);

#endif
