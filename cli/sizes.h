/*
 * sizes.h - how large synthetic payloads are: --size-dist.
 *
 *   market          DBN trades and quotes of synthetic symbols (market.h)
 *   trades  mbp-1   only one kind of them
 *   fixed:64        opaque payloads of 64 bytes; 0 is a frame with only its head
 *   uniform:0-4K    all sizes are equally likely
 *   log:0-64K       all powers of two are equally likely: many small ones, a few large ones
 *
 * Pure; any thread.
 */
#ifndef TDK_CLI_SIZES_H
#define TDK_CLI_SIZES_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/market.h"
#include "tapedeck/err.h"

enum sizes_kind { SIZES_MARKET, SIZES_FIXED, SIZES_UNIFORM, SIZES_LOG };

struct sizes {
    enum sizes_kind kind;
    enum market_kind market;
    uint32_t least, most;
};

/* TDK_EVALUE: err says what is allowed. */
int sizes_parse(const char *text, struct sizes *sizes, struct tdk_err *err);

uint32_t sizes_next(const struct sizes *sizes, struct random *random);

/* The largest payload that can come. */
uint32_t sizes_most(const struct sizes *sizes);

#endif
