/*
 * mend.h - what a dead writer left: half-made imports, unsealed segments, files that are not ours.
 *
 * Only while holding the tape's lock. Each step is durable before the next step that depends on it.
 * Dying between two steps and beginning again gives the same tape.
 */
#ifndef TDK_TAPE_MEND_H
#define TDK_TAPE_MEND_H

#include "tape/recover.h"

/* What sealing left behind when it died: half-packed segments, and those of which there is a packed
 * one, if that is whole. Removed. */
int mend_leftovers(const struct folder *folder, struct damage *damage,
                   struct recover_report *report, struct tdk_err *err);

/* Finish an import that reached its last step; remove one that did not. */
int mend_imports(const struct folder *folder, struct recover_report *report, struct tdk_err *err);

/* Files under a segment's name that are none of this tape's go to quarantine/. Unsealed ones at the
 * end of the row that hold nothing at all are removed. *row_end is the last number that the row is
 * known to have had. It goes down with those that are removed. It goes up to the last sealed
 * segment, and to one that follows and is set aside because nothing of it can be read: that number
 * must not be given again, for the hole in the row is all that tells of it. */
int mend_strangers(const struct folder *folder, struct damage *damage,
                   struct recover_report *report, uint64_t *row_end, struct tdk_err *err);

/* Mend an unsealed segment. Its torn tail is cut and kept, what is good is sealed, and put into
 * index and catalogue. A segment with nothing good in it (its first write failed, and the recorder
 * went on in another) is sealed empty, because a missing number would mean a loss; but if it is the
 * `last`, it is removed. */
int mend_unsealed(struct rebuild *rebuild, uint64_t number, bool last,
                  struct recover_report *report);

/* Remove the files of segments that were deleted on purpose and are still there after a death.
 * Returns what was deleted, for the other steps. */
int mend_retired(const struct folder *folder, struct retired **retired, struct damage *damage,
                 struct recover_report *report, struct tdk_err *err);

#endif
