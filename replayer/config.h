/* config.h - what the replayer was asked to do: one table for flags, environment, file and --help.
 */
#ifndef TDK_REPLAYER_CONFIG_H
#define TDK_REPLAYER_CONFIG_H

#include "base/option.h"
#include "daemon/server_config.h"

struct replay_config {
    const char *tape;
    struct server_config server;
    uint64_t connections, connection_streams, streams;
    uint64_t reads, outstanding_client, outstanding;
    uint64_t control_rate, control_burst;
    uint64_t idle_ns, half_ns, stuck_ns;
    uint64_t io_workers;
    struct option_result options; /* owned: the texts of the options */
};

/* Returns 0 to go on; 1 when --help or --version was asked for and answered; TDK_EVALUE and other
 * errors: exit with status 2. */
int replay_config_load(struct replay_config *config, int argc, char *const argv[],
                       struct tdk_err *err);
void replay_config_close(struct replay_config *config);

#endif
