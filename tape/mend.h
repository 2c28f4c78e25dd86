/*
 * mend.h - what a dead writer left: imports half made, segments unsealed, files that are not ours.
 *
 * Only with the tape's lock held. Each step is durable before the next that stands on it; to die
 * between two of them and begin again gives the same tape.
 */
#ifndef TDK_TAPE_MEND_H
#define TDK_TAPE_MEND_H

#include "tape/recover.h"

/* What sealing left behind when it died: half-packed segments, and those of which there is a packed
 * one, if that is whole. Removed. */
int mend_leftovers(const struct folder *folder, struct damage *damage,
                   struct recover_report *report, struct tdk_err *err);

/* An import that reached its last step is finished, one that did not is removed. */
int mend_imports(const struct folder *folder, struct recover_report *report, struct tdk_err *err);

/* Files under a segment's name that are none of this tape's go to quarantine/. Unsealed ones at the
 * end of the row that hold nothing at all are removed. *row_end: the last number that the row had;
 * also of a sealed segment that follows and is set aside because nothing of it can be read: its
 * number is not to be given again, for the hole in the row is all that tells of it. */
int mend_strangers(const struct folder *folder, struct damage *damage,
                   struct recover_report *report, uint64_t *row_end, struct tdk_err *err);

/* An unsealed segment: its torn tail cut and kept, what is good sealed, and put into index and
 * catalogue. One with nothing good in it (its first write failed, and the recorder went on in
 * another) is sealed empty, so that the row has no hole, which would mean a loss; but removed if it
 * is the `last`. */
int mend_unsealed(struct rebuild *rebuild, uint64_t number, bool last,
                  struct recover_report *report);

/* Files of segments that were deleted on purpose, and are still there after a death: removed. What
 * was deleted, for the rest. */
int mend_retired(const struct folder *folder, struct retired **retired, struct damage *damage,
                 struct recover_report *report, struct tdk_err *err);

#endif
