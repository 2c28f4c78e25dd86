/*
 * server_config.h - the options of a daemon's sockets: rows for its table, and the values made from
 * them.
 *
 * Use it at start. Texts are borrowed from the options.
 */
#ifndef TDK_DAEMON_SERVER_CONFIG_H
#define TDK_DAEMON_SERVER_CONFIG_H

#include <limits.h>

#include "base/option.h"
#include "daemon/server.h"

struct server_config {
    const char *socket, *listen, *token_file, *http;
    bool allow_remote, audit;
    struct option_list uid_words;

    /* made from the words above; empty: none */
    char socket_path[PATH_MAX], audit_path[PATH_MAX];
    struct uid_list users;
};

extern const struct option server_rows[]; /* `at` is in struct server_config */

/* `name`: the socket in the tape's folder if no other is given. TDK_EVALUE. */
int server_config_check(struct server_config *config, const char *tape, const char *name,
                        struct tdk_err *err);

/* Read the users in `words`, each a name or a number. `option` names the option in errors.
 * TDK_EVALUE. */
int server_config_uids(const struct option_list *words, const char *option, struct uid_list *list,
                       struct tdk_err *err);

/* Put the values into options that have their defaults. */
void server_config_apply(const struct server_config *config, struct server_options *options);

#endif
