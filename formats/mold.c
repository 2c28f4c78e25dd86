#include "formats/mold.h"

#include <string.h>

#include "base/bytes.h"

#define SESSION_END 0xffffu /* as a count */

static struct mold_session *new_session(struct mold *mold, const unsigned char *name, uint64_t next)
{
    unsigned at = mold->session_count;
    if (at < MOLD_SESSIONS_MAX) {
        mold->session_count++;
    } else {
        at = mold->oldest;
        mold->oldest = (mold->oldest + 1) % MOLD_SESSIONS_MAX;
    }
    struct mold_session *session = &mold->sessions[at];
    *session = (struct mold_session){.next = next};
    memcpy(session->name, name, sizeof session->name);
    return session;
}

/* A capture may begin anywhere: nothing is missing before the first message. */
static struct mold_session *session_of(struct mold *mold, const unsigned char *name, uint64_t first)
{
    for (unsigned i = 0; i < mold->session_count; i++)
        if (memcmp(mold->sessions[i].name, name, sizeof mold->sessions[i].name) == 0)
            return &mold->sessions[i];
    return new_session(mold, name, first);
}

static void forget_gap(struct mold_session *session, unsigned at)
{
    session->gap_count--;
    memmove(session->gaps + at, session->gaps + at + 1,
            (session->gap_count - at) * sizeof *session->gaps);
}

static void add_gap(struct mold_session *session, uint64_t from, uint64_t to)
{
    if (session->gap_count == MOLD_GAPS_MAX)
        forget_gap(session, 0);
    session->gaps[session->gap_count++] = (struct mold_gap){from, to};
}

/* The messages [from, to) have come after all, as far as they were missing. */
static void fill_gaps(struct mold *mold, struct mold_session *session, uint64_t from, uint64_t to)
{
    struct mold_gap rest = {0, 0}; /* of a gap that is filled in its middle: there is only one */
    for (unsigned i = session->gap_count; i-- > 0;) {
        struct mold_gap *gap = &session->gaps[i];
        uint64_t first = from > gap->from ? from : gap->from, end = min_u64(to, gap->to);
        if (first >= end)
            continue;
        mold->missing -= end - first;
        if (first > gap->from && end < gap->to)
            rest = (struct mold_gap){end, gap->to};
        if (first > gap->from)
            gap->to = first;
        else
            gap->from = end;
        if (gap->from == gap->to)
            forget_gap(session, i);
    }
    if (rest.from < rest.to)
        add_gap(session, rest.from, rest.to);
}

unsigned mold_note(struct mold *mold, const unsigned char head[MOLD_HEAD_SIZE])
{
    uint64_t first = load_be64(head + 10), end;
    unsigned count = load_be16(head + 18);
    if (count == SESSION_END)
        count = 0;
    if (__builtin_add_overflow(first, count, &end))
        end = UINT64_MAX;
    struct mold_session *session = session_of(mold, head, first);
    if (first > session->next) {
        mold->missing += first - session->next;
        add_gap(session, session->next, first);
    } else {
        fill_gaps(mold, session, first, end);
    }
    if (end > session->next)
        session->next = end;
    return count;
}
