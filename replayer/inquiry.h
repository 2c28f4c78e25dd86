/*
 * inquiry.h - which ticks a request is about: its params, kept until the tape has been asked.
 *
 *   {from?, to?, tracks?, symbols?, types?, axis?, limit?, reverse?, control?, written?,
 *    digest?}
 *
 * The params are looked at on the loop and copied; what only the tape knows (types by name) is
 * looked up on the pool. One owner.
 */
#ifndef TDK_REPLAYER_INQUIRY_H
#define TDK_REPLAYER_INQUIRY_H

#include "replayer/types.h"
#include "wire/message.h"

struct inquiry {
    struct tdk_query query;
    char *words; /* ours: all texts, one behind the other */
    struct option_list tracks, symbols, type_words;
    struct types types;
    bool digest; /* of what is delivered: wanted, unless it is said that it is not */
};

/* TDK_EVALUE: err names the param. */
int inquiry_take(struct inquiry *inquiry, struct wire_map params, struct tdk_err *err);

/* On the pool, before the query is used. */
int inquiry_resolve(struct inquiry *inquiry, struct tdk_tape *tape, struct tdk_err *err);

void inquiry_close(struct inquiry *inquiry); /* of zeros is fine */

#endif
