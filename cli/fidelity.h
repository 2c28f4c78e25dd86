/*
 * fidelity.h - a limit on how late a play may be: "p99<50us".
 */
#ifndef TDK_CLI_FIDELITY_H
#define TDK_CLI_FIDELITY_H

#include <stdint.h>

#include "tapedeck/err.h"

struct fidelity {
    uint32_t quantile; /* in parts per million; 1000000: the largest */
    uint64_t limit_ns; /* lateness must be below this */
};

/* Parse "p50", "p99", "p99.9" or "max", then "<", then a duration. TDK_EVALUE. */
int fidelity_parse(const char *text, struct fidelity *fidelity, struct tdk_err *err);

#endif
