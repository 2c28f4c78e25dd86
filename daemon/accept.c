/* accept.c - who may connect, and for whom there is room. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "daemon/connection.h"

#define UNGREETED_NS (10 * NS_PER_S) /* of a local one, after which a newcomer gets the place */

/* Tell a peer that cannot stay why, and close it. */
static void refuse(struct server *s, int fd, const struct tdk_err *err)
{
    text_clear(&s->out);
    wire_put_failure(&s->out, NULL, err, 0);
    ssize_t ignored = 0;
    if (text_error(&s->out) == 0)
        ignored = send(fd, s->out.bytes, s->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    ignored += recv(fd, s->scratch, FRAME_REQUEST_SIZE, MSG_DONTWAIT); /* or it would be reset */
    (void)ignored;
    close(fd);
}

static bool has_uid(const struct uid_list *list, uid_t uid)
{
    for (unsigned i = 0; i < list->count; i++)
        if (list->uids[i] == uid)
            return true;
    return false;
}

static int peer_of(const struct server *s, int fd, struct peer *who, struct tdk_err *err)
{
    const struct server_options *o = &s->options;
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return err_set(err, -errno, "who connects");
    bool user = peer.uid == 0 || peer.uid == geteuid() || has_uid(&o->users, peer.uid);
    *who = (struct peer){.uid = peer.uid, .guest = !user};
    if (user || has_uid(&o->guests, peer.uid))
        return 0;
    return err_say(err, -EACCES, "uid %u may not connect; --allow-uid %u would allow it", peer.uid,
                   peer.uid);
}

/* Without a word of greeting: at once where it came over TCP, which names nobody, so that silence
 * keeps none out who has the token; after a while where it is local, and named by the system. */
static bool gives_way(const struct connection *c, uint64_t now_ns)
{
    return c->state == CONNECTION_NEW && (!c->local || now_ns - c->since_ns >= UNGREETED_NS);
}

/* Of those that give way, the one that has been there longest. */
static bool make_room(struct server *s, bool guest, uint64_t now_ns)
{
    const struct server_options *o = &s->options;
    struct connection *oldest = NULL;
    bool guests_full = guest && s->guest_count >= o->guests_max;
    if (s->live_count < o->connections_max && !guests_full)
        return true;
    for (struct connection *c = s->live; c != NULL; c = c->next)
        if (gives_way(c, now_ns) && (c->guest || !guests_full) &&
            (oldest == NULL || c->since_ns < oldest->since_ns))
            oldest = c;
    if (oldest == NULL)
        return false;
    connection_close(oldest);
    return true;
}

void connection_accept(struct server *s, int fd, bool local)
{
    struct tdk_err err;
    uint64_t now_ns = clock_mono();
    struct peer who = {.uid = 0};
    if (local && peer_of(s, fd, &who, &err) < 0) {
        s->counts.refused_peer++;
        refuse(s, fd, &err);
    } else if (!make_room(s, who.guest, now_ns) || s->free == NULL) {
        s->counts.refused_full++;
        err_say(&err, TDK_EFULL, "%u connections are open, and there can be no more; try later",
                who.guest ? s->guest_count : s->live_count);
        refuse(s, fd, &err);
    } else {
        connection_begin(s, fd, local, who, now_ns);
    }
}
