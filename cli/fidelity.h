/*
 * fidelity.h - a gate on how late a play was: "p99<50us".
 */
#ifndef TDK_CLI_FIDELITY_H
#define TDK_CLI_FIDELITY_H

#include <stdint.h>

#include "tapedeck/err.h"

struct fidelity {
    uint32_t quantile; /* parts per million; 1000000: the largest */
    uint64_t limit_ns; /* it must be below */
};

/* "p50", "p99", "p99.9" or "max", "<", a duration. TDK_EVALUE. */
int fidelity_parse(const char *text, struct fidelity *fidelity, struct tdk_err *err);

#endif
