/*
 * host.h - is a request meant for us? A defence against other sites' pages whose name was made to
 * point here (DNS rebinding).
 */
#ifndef TDK_DAEMON_HOST_H
#define TDK_DAEMON_HOST_H

#include <stdbool.h>

/* `host`: what a request's Host says. Ours is an IP address, which no other page can have for its
 * name, localhost, or the host of `address` ("HOST:PORT"). Any port will do. NULL, nothing was
 * said: it is us, since no browser leaves it out, but a probe that speaks HTTP/1.0 may. Pure.
 */
bool host_is_ours(const char *host, const char *address);

#endif
