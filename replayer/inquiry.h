/*
 * inquiry.h - which ticks a request is about: its params, kept until the tape can be asked.
 *
 *   {from?, to?, tracks?, symbols?, types?, axis?, limit?, reverse?, control?, written?,
 *    digest?}
 *
 * On the loop the params are checked and copied. On the pool follows what only the tape knows:
 * types by name. One owner.
 */
#ifndef TDK_REPLAYER_INQUIRY_H
#define TDK_REPLAYER_INQUIRY_H

#include "replayer/types.h"
#include "wire/message.h"

struct inquiry {
    struct tdk_query query;
    char *words; /* ours: all texts, one after the other */
    struct option_list tracks, symbols, type_words;
    struct types types;
    bool digest; /* of what is delivered is wanted; the default */
};

/* Check and copy the params. TDK_EVALUE: err names the param. */
int inquiry_take(struct inquiry *inquiry, struct wire_map params, struct tdk_err *err);

/* Look up what only the tape knows. On the pool, before the query is used. */
int inquiry_resolve(struct inquiry *inquiry, struct tdk_tape *tape, struct tdk_err *err);

void inquiry_close(struct inquiry *inquiry); /* a zeroed one is fine */

#endif
