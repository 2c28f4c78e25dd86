/*
 * pages.h - the counters pages of the running daemons, and what they say about a ring.
 *
 * A page is a copy taken at one moment. Texts are borrowed from it.
 */
#ifndef TDK_CLI_PAGES_H
#define TDK_CLI_PAGES_H

#include "shm/counters.h"
#include "tape/folder.h"
#include "tapedeck/ring.h"

enum { PAGES_MAX = 512 }; /* daemons on one host */

struct pages {
    const char *writer; /* "recorder"; NULL: any */
    bool quiet;         /* do not report one that cannot be read */
    struct counters_copy items[PAGES_MAX];
    unsigned count;
};

/* Read the pages of living daemons, of one tape or (NULL) of all. A page that cannot be read, or
 * for which there is no room, is reported and passed over. */
int pages_read(struct pages *pages, const char *tape, struct tdk_err *err);
void pages_forget(struct pages *pages);

/* The page of the recorder of this tape; if that has died, the one that it left. -ENOENT: there is
 * none, or it is of the recorder of another copy of the tape. */
int page_read_recorder(struct counters_copy *page, const struct folder *folder,
                       struct tdk_err *err);

/* The page of the same run of the same daemon, or NULL. */
const struct counters_copy *pages_same(const struct pages *pages, const struct counters_copy *page);

/* 0 if there is no such counter. */
uint64_t page_value(const struct counters_copy *page, const char *name, const char *ring);

const char *page_state(const struct counters_copy *page); /* "ok", "degraded: no space", "hangs" */

/* The age of the newest tick of a recorder's tape that can be queried, as a replayer beside it sees
 * the recorder's canary. False: no replayer looks for it. */
bool page_canary_age(const struct counters_copy *recorder, uint64_t *age_ns);

/* Why the ring is quarantined or refused. NULL: it is neither. */
const char *page_ring_reason(const struct counters_copy *page, const char *ring);

struct ring_view {
    const char *name, *track, *state;
    const char *reason; /* why it is quarantined or refused; NULL: it is neither */
    bool seen;          /* the ring itself is visible from here: info is filled in */
    struct tdk_ring_info info;
    uint64_t epoch, written, durable, lost_total, fill, high_water, ticks, bytes;
};

typedef void ring_cb(const struct ring_view *ring, const struct counters_copy *page, void *context);

/* Call `each` for each ring that the recorder has met. */
void page_rings(const struct counters_copy *page, ring_cb *each, void *context);

#endif
