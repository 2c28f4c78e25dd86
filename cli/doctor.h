/*
 * doctor.h - what may be wrong with a host, and the remedy for each finding. It changes nothing,
 * except for a file without a name on the tape's disk.
 */
#ifndef TDK_CLI_DOCTOR_H
#define TDK_CLI_DOCTOR_H

#include "cli/health.h"

/* Shared memory, limits, namespaces, clocks. */
void doctor_host(struct health *health);

struct doctor_disk {
    const char *path;    /* the tape, or where it will be */
    uint64_t write_size; /* bytes to write for the measurement; 0: do not write */
    uint64_t rate;       /* bytes a second to be recorded; 0: not known */
};

/* File system, allocation, O_DIRECT, room for segments and index, bandwidth. */
void doctor_disk(struct health *health, const struct doctor_disk *disk);

#endif
