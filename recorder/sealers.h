/*
 * sealers.h - as many sealers as there are cpu workers, each with its share of the segments.
 *
 * With n sealers, sealer i has the segments whose number modulo n is i, so no two meet at one
 * segment. What they do together is reported here as the work of one. The loop's thread.
 */
#ifndef TDK_RECORDER_SEALERS_H
#define TDK_RECORDER_SEALERS_H

#include "recorder/sealer.h"

#define SEALERS_MAX 16u

struct sealers {
    struct sealer each[SEALERS_MAX];
    unsigned count;
};

/* What all of them are doing now and have done since the start. */
struct sealers_view {
    const char *state; /* as sealer_state_text() says of the busiest one */
    bool asked;
    uint64_t segment;          /* the first that is being packed; 0: none */
    uint64_t read, total;      /* bytes of the segments that are being packed */
    uint64_t left, left_bytes; /* as of their last looks, including those being packed */
    struct sealer_totals totals;
};

/* `count` from 1 to SEALERS_MAX. */
void sealers_init(struct sealers *sealers, unsigned count, uv_loop_t *loop, struct recovered *tape,
                  struct journal *journal, const struct sealer_options *options);

/* Each as for one sealer. */
void sealers_tend(struct sealers *sealers, uint64_t now_ns, bool behind);
void sealers_ask(struct sealers *sealers, uint64_t first, uint64_t last);
void sealers_stop(struct sealers *sealers);
bool sealers_are_idle(const struct sealers *sealers);
void sealers_look(const struct sealers *sealers, struct sealers_view *view);
void sealers_close(struct sealers *sealers);
void sealers_free(struct sealers *sealers);

#endif
