/*
 * session_last.h - what a play comes to, for its last notification.
 *
 * On the play's thread, when it is over.
 */
#ifndef TDK_REPLAYER_SESSION_LAST_H
#define TDK_REPLAYER_SESSION_LAST_H

#include "base/text_buffer.h"

struct session;

/* Pairs of a map: fidelity, coverage, digest, ...; how many. */
uint32_t session_put_last(struct session *session, struct text_buffer *out);

#endif
