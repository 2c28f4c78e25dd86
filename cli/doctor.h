/*
 * doctor.h - what may be wrong with a host, each with what mends it. Looks only, but for a file of
 * its own on the tape's disk, which has no name.
 */
#ifndef TDK_CLI_DOCTOR_H
#define TDK_CLI_DOCTOR_H

#include "cli/health.h"

/* Shared memory, limits, namespaces, clocks. */
void doctor_host(struct health *health);

struct doctor_disk {
    const char *path;    /* the tape, or where it is to be */
    uint64_t write_size; /* bytes to measure with; 0: do not write */
    uint64_t rate;       /* bytes a second that are recorded; 0: not known */
};

/* File system, allocation, O_DIRECT, room for segments and index, bandwidth. */
void doctor_disk(struct health *health, const struct doctor_disk *disk);

#endif
