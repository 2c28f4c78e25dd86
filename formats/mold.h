/*
 * mold.h - how many messages of a MoldUDP64 capture are missing, by the numbers in its datagrams.
 *
 * A datagram says which session it belongs to, the number of its first message, and how many it
 * has. Several sessions may be mixed in one capture. A datagram may come late, or twice: the same
 * feed is often captured on two lines, and what is lost on one comes on the other. So a message is
 * missing only until it comes. Pure; one thread.
 */
#ifndef TDK_FORMATS_MOLD_H
#define TDK_FORMATS_MOLD_H

#include <stddef.h>
#include <stdint.h>

#define MOLD_HEAD_SIZE ((size_t)20) /* session 10, number 8, count 2; big-endian */

#define MOLD_SESSIONS_MAX 64u /* at a time; one more takes the place of the oldest */
#define MOLD_GAPS_MAX     64u /* of a session; what was missing in older ones stays missing */

/* The messages [from, to) have not come. */
struct mold_gap {
    uint64_t from, to;
};

struct mold_session {
    unsigned char name[10];
    uint64_t next;                       /* after the last message that has come */
    struct mold_gap gaps[MOLD_GAPS_MAX]; /* below `next`; they do not touch each other */
    unsigned gap_count;
};

/* Begin with zeros. */
struct mold {
    struct mold_session sessions[MOLD_SESSIONS_MAX];
    unsigned session_count, oldest;
    uint64_t missing; /* messages, of all sessions */
};

/* Take note of a datagram's head. Returns how many messages follow it; 0: it is a heartbeat, or the
 * session's end, and says only which number is next. */
unsigned mold_note(struct mold *mold, const unsigned char head[MOLD_HEAD_SIZE]);

#endif
