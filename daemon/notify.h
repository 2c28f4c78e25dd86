/* notify.h - tell systemd, if it wants to know. Nothing here waits or fails the caller. */
#ifndef TDK_DAEMON_NOTIFY_H
#define TDK_DAEMON_NOTIFY_H

/* Send `state` ("READY=1") to $NOTIFY_SOCKET. If that is not set, or on any failure, nothing
 * happens. */
void notify_send(const char *state);

#endif
