#include "daemon/server_config.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

const struct option server_rows[] = {
    {.name = "socket",
     .kind = OPTION_TEXT,
     .value = "PATH",
     .at = offsetof(struct server_config, socket),
     .help = "where to listen; by default a socket in the tape's directory; none: no socket"},
    {.name = "allow-uid",
     .kind = OPTION_LIST,
     .value = "USER",
     .at = offsetof(struct server_config, uid_words),
     .help = "user who may connect besides root and the daemon's own: a name or a number"},
    {.name = "listen",
     .kind = OPTION_TEXT,
     .value = "HOST:PORT",
     .at = offsetof(struct server_config, listen),
     .help = "listen on TCP, too; needs --token-file"},
    {.name = "token-file",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .at = offsetof(struct server_config, token_file),
     .help = "file whose first line is the token that TCP clients must know"},
    {.name = "allow-remote",
     .kind = OPTION_FLAG,
     .at = offsetof(struct server_config, allow_remote),
     .help = "let other hosts connect, not only this one"},
    {.name = "http",
     .kind = OPTION_TEXT,
     .value = "HOST:PORT",
     .at = offsetof(struct server_config, http),
     .help = "serve a page, /metrics and /healthz here; loopback, unless --allow-remote"},
    {.name = "audit",
     .kind = OPTION_FLAG,
     .at = offsetof(struct server_config, audit),
     .help = "log each request as a line in audit.jsonl in the tape's directory"},
    {.name = NULL},
};

static int path_in(char path[PATH_MAX], const char *tape, const char *name, struct tdk_err *err)
{
    int size = snprintf(path, PATH_MAX, "%s/%s", tape, name);
    if (size < 0 || size >= PATH_MAX)
        return err_say(err, TDK_EVALUE, "%.80s...: the path is too long", tape);
    return 0;
}

static int take_socket(struct server_config *c, const char *tape, const char *name,
                       struct tdk_err *err)
{
    if (c->socket == NULL)
        return path_in(c->socket_path, tape, name, err);
    if (strcmp(c->socket, "none") == 0)
        return 0;
    size_t size = strlen(c->socket);
    if (size == 0 || size >= sizeof c->socket_path)
        return err_say(err, TDK_EVALUE, "--socket '%.80s': not a path", c->socket);
    memcpy(c->socket_path, c->socket, size + 1);
    return 0;
}

static int take_uid(const char *word, const char *option, uid_t *uid, struct tdk_err *err)
{
    uint64_t number;
    struct passwd entry, *found = NULL;
    char memory[4096];
    if (quantity_count(word, &number, NULL) == 0 && number < UINT32_MAX) {
        *uid = (uid_t)number;
        return 0;
    }
    if (getpwnam_r(word, &entry, memory, sizeof memory, &found) != 0 || found == NULL)
        return err_say(err, TDK_EVALUE, "%s %.80s: there is no such user", option, word);
    *uid = entry.pw_uid;
    return 0;
}

int server_config_uids(const struct option_list *words, const char *option, struct uid_list *list,
                       struct tdk_err *err)
{
    int rc = 0;
    if (words->count > SERVER_UIDS_MAX)
        return err_say(err, TDK_EVALUE, "%s: at most %u users", option, SERVER_UIDS_MAX);
    for (size_t i = 0; rc == 0 && i < words->count; i++)
        rc = take_uid(words->items[i], option, &list->uids[list->count++], err);
    return rc;
}

static int check_address(const char *address, const char *option, const struct server_config *c,
                         struct tdk_err *err)
{
    int rc = address != NULL ? listen_check(address, c->allow_remote, err) : 0;
    return rc < 0 ? err_wrap(err, rc, "%s", option) : 0;
}

int server_config_check(struct server_config *c, const char *tape, const char *name,
                        struct tdk_err *err)
{
    int rc = take_socket(c, tape, name, err);
    if (rc == 0 && c->audit)
        rc = path_in(c->audit_path, tape, "audit.jsonl", err);
    if (rc == 0)
        rc = server_config_uids(&c->uid_words, "--allow-uid", &c->users, err);
    if (rc == 0 && c->listen != NULL && c->token_file == NULL)
        rc = err_say(err, TDK_EVALUE,
                     "--listen needs --token-file: clients over TCP must know the token");
    if (rc == 0)
        rc = check_address(c->listen, "--listen", c, err);
    return rc < 0 ? rc : check_address(c->http, "--http", c, err);
}

void server_config_apply(const struct server_config *c, struct server_options *o)
{
    o->socket = c->socket_path[0] != '\0' ? c->socket_path : NULL;
    o->audit_file = c->audit_path[0] != '\0' ? c->audit_path : NULL;
    o->listen = c->listen;
    o->token_file = c->token_file;
    o->allow_remote = c->allow_remote;
    o->users = c->users;
}
