/*
 * replayer.h - the daemon that plays the past: its socket, and the plays that run in it.
 *
 * Opens a tape for reading; nothing of it is ever written, so any number of replayers may stand
 * beside a recorder. The loop's thread.
 */
#ifndef TDK_REPLAYER_REPLAYER_H
#define TDK_REPLAYER_REPLAYER_H

#include "base/option.h"
#include "daemon/server_config.h"
#include "daemon/service.h"
#include "replayer/session.h"

struct replayer_config {
    const char *tape;
    struct server_config server;
    struct option_result options; /* owned: the texts */
};

/* 0; 1: --help or --version was asked for and answered; TDK_EVALUE and others: exit 2. */
int replayer_config_load(struct replayer_config *config, int argc, char *const argv[],
                         struct tdk_err *err);

struct replayer {
    const struct replayer_config *config; /* borrowed */
    struct service service;
    struct server server;
    struct sessions sessions;
};

/* Listen, and say so. */
int replayer_open(struct replayer *replayer, const struct replayer_config *config,
                  struct tdk_err *err);

/* Until it is told to stop. The exit status. */
int replayer_run(struct replayer *replayer);
void replayer_close(struct replayer *replayer);

#endif
