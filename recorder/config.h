/* config.h - the recorder's configuration: one table for flags, environment, file and --help. */
#ifndef TDK_RECORDER_CONFIG_H
#define TDK_RECORDER_CONFIG_H

#include <stdint.h>

#include "base/option.h"
#include "daemon/server_config.h"
#include "tape/retain_limits.h"
#include "tapedeck/tick.h"

#define CONFIG_RINGS_MAX 1024u

enum sync_mode { SYNC_INTERVAL, SYNC_BATCH, SYNC_NONE };

enum config_seal { CONFIG_SEAL_OFF, CONFIG_SEAL_AUTO };

struct config_ring {
    char name[TDK_NAME_MAX + 1];
    char track[TDK_NAME_MAX + 1]; /* empty: the one in the ring's header */
};

struct config {
    const char *tape;
    struct option_list ring_words;
    const char *sync_word;
    uint64_t create_size; /* of rings that do not exist; 0: wait for them */
    uint64_t block_size, block_age_ns;
    uint64_t segment_size, segment_age_ns;
    uint64_t memory; /* bytes of write buffers: how far a stalled disk may fall behind */
    const char *ack_word;
    uint64_t io_workers, cpu_workers;
    uint64_t idle_exit_ns; /* 0: never */
    uint64_t canary_ns;    /* 0: none */
    struct retain_limits keep;
    uint64_t warn_full_ns; /* 0: never */
    int seal;              /* enum config_seal */
    uint64_t seal_after_ns, seal_level;
    bool on_disk_ring;
    struct server_config server;
    struct option_list feed_words;
    struct uid_list feeds; /* the users among these words */

    /* made from the words above */
    enum sync_mode sync;
    uint64_t sync_interval_ns;
    struct retain_policy retain; /* owned */
    int ack_fd;                  /* -1: none */
    struct config_ring *rings;   /* owned */
    unsigned ring_count;
    struct option_result options; /* owned: holds the texts */
};

/* Returns 0. 1: --help or --version was given, and has been answered. TDK_EVALUE and others: exit
 * 2. */
int config_load(struct config *config, int argc, char *const argv[], struct tdk_err *err);
void config_close(struct config *config);

/* "NAME" or "NAME=TRACK". Pure. */
int config_ring_parse(struct config_ring *ring, const char *word, struct tdk_err *err);

/* "none", "batch", "interval:100ms". Pure. */
int config_sync_parse(const char *word, enum sync_mode *mode, uint64_t *interval_ns,
                      struct tdk_err *err);

#endif
