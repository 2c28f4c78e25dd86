/*
 * remote_private.h - shared by the files that implement a remote tape.
 *
 * Internal to cli/remote*.c.
 */
#ifndef TDK_CLI_REMOTE_PRIVATE_H
#define TDK_CLI_REMOTE_PRIVATE_H

#include "cli/remote.h"

#define REMOTE_SYMBOL_ROOM 128u

struct remote_symbol {
    char symbol[REMOTE_SYMBOL_ROOM];
    char track[TDK_NAME_MAX + 1];
    uint32_t instrument_id;
    uint64_t epoch, from, to;
    uint64_t
        order; /* of several names at one time the highest counts; an older replayer says none */
};

struct remote {
    struct tdk_client *client;     /* ours; NULL: it must be opened again */
    const struct ask_args *where;  /* borrowed */
    struct remote_symbol *symbols; /* ours; fetched when first needed */
    size_t symbol_count;
    bool symbols_known;
};

/* Writes the params, one map. */
typedef void remote_params_cb(struct text_buffer *out, const void *context);

/* Send a request, and once more if the connection turns out to be gone. The result is borrowed
 * until the next call. */
int remote_call(struct remote *remote, const char *method, remote_params_cb *params,
                const void *context, struct wire_map *result, struct tdk_err *err);

struct remote_number {
    const char *key;
    uint64_t *at; /* left untouched if there is none */
};
int remote_numbers(struct wire_map map, const struct remote_number *rows, size_t count,
                   struct tdk_err *err);

#endif
