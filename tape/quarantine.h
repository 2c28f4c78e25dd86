/*
 * quarantine.h - TAPE/quarantine: what recovery takes off the tape is kept there, and never touched
 * again.
 *
 * A name that is taken gets a number behind it. What is kept is durable when a call returns 0.
 */
#ifndef TDK_TAPE_QUARANTINE_H
#define TDK_TAPE_QUARANTINE_H

#include "tape/folder.h"
#include "tape/segment.h"

/* Move a file of the tape there. */
int quarantine_file(const struct folder *folder, const char *path, struct tdk_err *err);
int quarantine_segment(const struct folder *folder, const struct segment_name *name,
                       struct tdk_err *err);

/* Keep the bytes of a torn tail, from `offset` up to `end`, as NUMBER.torn, before they are cut.
 * They are kept once, however often recovery is begun. */
int quarantine_torn(const struct folder *folder, const struct segment *segment, uint64_t offset,
                    uint64_t end, struct tdk_err *err);

#endif
