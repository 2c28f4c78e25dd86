#include "daemon/page.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/metrics.h"
#include "daemon/page_assets.h"
#include "daemon/state.h"
#include "daemon/tool.h"

enum {
    OK = 200,
    WRONG = 400,
    NOT_FOUND = 404,
    FAILED = 500,
    BUSY = 503,
    TOO_LATE = 504,
    PARAM_MAX = 256,
    LIBRARY_MAX = 2 << 20,
};
#define PLAYERS_NS NS_PER_S

static const char json_type[] = "application/json";

/* ---- monitors ---- */

static int read_counters(const struct http_options *options, struct counters_copy *page)
{
    struct tdk_err err;
    return counters_read_of(page, options->writer, options->tape_id, &err);
}

static bool read_counters_or_say(struct http_request *request, struct counters_copy *page)
{
    if (read_counters(http_options_of(request), page) == 0)
        return true;
    http_answer_words(request, BUSY, "there is no counters page; the log says why\n");
    return false;
}

static void on_metrics(struct http_request *request)
{
    struct counters_copy page;
    struct text_buffer text;
    if (!read_counters_or_say(request, &page))
        return;
    text_init(&text);
    metrics_put(&text, &page, clock_mono());
    if (text_error(&text) == 0)
        http_answer(request, OK, "text/plain; version=0.0.4", text.bytes, text.size);
    text_close(&text);
    counters_forget(&page);
}

static void on_health(struct http_request *request)
{
    struct counters_copy page;
    char words[80];
    if (!read_counters_or_say(request, &page))
        return;
    const char *trouble = metrics_trouble(&page, clock_mono());
    snprintf(words, sizeof words, "%s\n", trouble != NULL ? trouble : "ok");
    http_answer_words(request, trouble == NULL ? OK : BUSY, words);
    counters_forget(&page);
}

/* ---- the page itself ---- */

static void answer_asset(struct http_request *request, const char *name, const char *type)
{
    for (const struct page_asset *asset = page_assets; asset->name != NULL; asset++)
        if (strcmp(asset->name, name) == 0)
            http_answer(request, OK, type, asset->bytes, asset->size);
}

static void on_page(struct http_request *request)
{
    answer_asset(request, "index.html", "text/html; charset=utf-8");
}

static void on_script(struct http_request *request)
{
    answer_asset(request, "page.js", "text/javascript; charset=utf-8");
}

static void on_style(struct http_request *request)
{
    answer_asset(request, "page.css", "text/css; charset=utf-8");
}

/* ---- the library of charts, as its package installed it ---- */

static int read_library(const char *name, struct text_buffer *text)
{
    char path[PATH_MAX];
    struct stat file;
    snprintf(path, sizeof path, "%s/dygraphs/%s", TDK_JAVASCRIPT, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = fstat(fd, &file) < 0                                   ? -errno
             : !S_ISREG(file.st_mode) || file.st_size > LIBRARY_MAX ? -EFBIG
                                                                    : 0;
    char *room = rc == 0 ? text_reserve(text, (size_t)file.st_size) : NULL;
    ssize_t size = room != NULL ? read(fd, room, (size_t)file.st_size) : -1;
    if (size >= 0)
        text->size = (size_t)size;
    else if (rc == 0)
        rc = room != NULL ? -errno : -ENOMEM;
    close(fd);
    return rc;
}

static void answer_library(struct http_request *request, const char *name, const char *type)
{
    struct text_buffer text;
    text_init(&text);
    if (read_library(name, &text) == 0)
        http_answer(request, OK, type, text.bytes, text.size);
    else
        http_answer_words(request, NOT_FOUND,
                          "the Debian package libjs-dygraphs is not installed on this host\n");
    text_close(&text);
}

static void on_library_script(struct http_request *request)
{
    answer_library(request, "dygraph.min.js", "text/javascript; charset=utf-8");
}

static void on_library_style(struct http_request *request)
{
    answer_library(request, "dygraph.min.css", "text/css; charset=utf-8");
}

/* ---- what changes ---- */

/* The plays, requested once a second however many clients watch. */
static struct {
    pthread_mutex_t lock;
    struct text_buffer list; /* one line, because the event that it goes into is one line */
    uint64_t asked_ns;
} players = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* "unix:PATH" of the replayer to ask. False: there is none. */
static bool find_replayer(const struct http_options *options, char address[PATH_MAX])
{
    static const char kind[] = "unix:";
    int size = options->replayer != NULL
                   ? snprintf(address, PATH_MAX, "%s%s", kind, options->replayer)
                   : snprintf(address, PATH_MAX, "%s%s/replayer.sock", kind, options->tape);
    return size < PATH_MAX && access(address + sizeof kind - 1, F_OK) == 0;
}

/* A text in JSON has no end of line in it. So each one lies between values, where a blank does as
 * well. */
static void keep_players(const struct text_buffer *said)
{
    struct text_buffer *list = &players.list;
    text_add_buffer(list, said);
    for (size_t i = 0; i < list->size; i++)
        if (list->bytes[i] == '\n')
            list->bytes[i] = ' ';
}

static void ask_players(const struct http_options *options, const atomic_bool *stopping)
{
    char address[PATH_MAX];
    const char *const argv[] = {"session", "ls", "--json", "--timeout=2s", "--addr", address, NULL};
    struct tool_answer answer;
    struct tdk_err err;
    text_clear(&players.list);
    if (options->tape == NULL || !find_replayer(options, address))
        return;
    if (tool_run(argv, stopping, &answer, &err) == 0 && answer.status == 0)
        keep_players(&answer.out);
    tool_forget(&answer);
}

static void put_state(const struct http_options *options, const atomic_bool *stopping,
                      struct text_buffer *out)
{
    struct counters_copy page;
    if (read_counters(options, &page) < 0) {
        text_add_string(out, "{\"error\":\"there is no counters page; the log says why\"}");
        return;
    }
    pthread_mutex_lock(&players.lock);
    uint64_t now_ns = clock_mono();
    if (players.asked_ns == 0 || now_ns - players.asked_ns >= PLAYERS_NS) {
        ask_players(options, stopping);
        players.asked_ns = clock_mono();
    }
    const struct text_buffer *list = &players.list;
    bool any = list->size > 0 && text_error(list) == 0;
    state_put(out, &page, clock_wall(), clock_mono(), any ? list->bytes : "[]",
              any ? list->size : 2);
    pthread_mutex_unlock(&players.lock);
    counters_forget(&page);
}

static void put_event(const struct http_options *options, const atomic_bool *stopping,
                      struct text_buffer *out)
{
    text_add_string(out, "data: ");
    put_state(options, stopping, out);
    text_add_string(out, "\n\n");
}

static void on_events(struct http_request *request)
{
    http_answer_stream(request, "text/event-stream", put_event);
}

static void on_state(struct http_request *request)
{
    struct text_buffer text;
    text_init(&text);
    put_state(http_options_of(request), http_stopping(request), &text);
    if (text_error(&text) == 0)
        http_answer(request, OK, json_type, text.bytes, text.size);
    text_close(&text);
}

/* ---- out of the tape ---- */

static void answer_error(struct http_request *request, unsigned status, const char *why)
{
    struct text_buffer text;
    text_init(&text);
    text_add_string(&text, "{\"error\":");
    text_add_json(&text, why, strlen(why));
    text_add_string(&text, "}\n");
    http_answer(request, status, json_type, text.bytes, text.size);
    text_close(&text);
}

static void answer_rows(struct http_request *request, const struct tool_answer *answer)
{
    struct text_buffer text;
    text_init(&text);
    text_add_string(&text, "{\"rows\":");
    text_add(&text, answer->out.bytes, answer->out.size);
    text_add_string(&text, ",\"told\":");
    text_add_json(&text, answer->told, strlen(answer->told));
    text_add_string(&text, "}\n");
    if (text_error(&text) == 0)
        http_answer(request, OK, json_type, text.bytes, text.size);
    text_close(&text);
}

static void answer_failure(struct http_request *request, int rc, const char *text)
{
    if (rc == -EBUSY || rc == -ECANCELED)
        answer_error(request, BUSY, text);
    else if (rc == -ETIMEDOUT)
        answer_error(request, TOO_LATE, "that takes too long to look up: choose a shorter range");
    else if (rc == -EFBIG)
        answer_error(request, TOO_LATE, "that is too much to show: choose less");
    else
        answer_error(request, FAILED, text);
}

/* Answer with what the command prints with --json about our tape. Exit 3 is an answer, too: it is
 * not whole. */
static void answer_tool(struct http_request *request, const char *const argv[])
{
    struct tool_answer answer;
    struct tdk_err err;
    int rc = tool_run(argv, http_stopping(request), &answer, &err);
    if (rc < 0)
        answer_failure(request, rc, err.text);
    else if ((answer.status == 0 || answer.status == 3) && answer.out.size > 0)
        answer_rows(request, &answer);
    else if (answer.status < 0)
        answer_failure(request, -ETIMEDOUT, "");
    else
        answer_error(request, answer.status == 2 ? WRONG : FAILED, answer.told);
    tool_forget(&answer);
}

/* The folder of the tape. NULL: the client has been told that there is none. */
static const char *tape_of(struct http_request *request)
{
    const char *tape = http_options_of(request)->tape;
    if (tape == NULL)
        answer_error(request, NOT_FOUND, "nothing of the tape is shown here");
    return tape;
}

static void on_tape(struct http_request *request)
{
    const char *tape = tape_of(request);
    if (tape != NULL)
        answer_tool(request, (const char *const[]){"info", "--json", "--tape", tape, NULL});
}

static void on_tracks(struct http_request *request)
{
    const char *tape = tape_of(request);
    if (tape != NULL)
        answer_tool(request, (const char *const[]){"ls", "tracks", "--json", "--tape", tape, NULL});
}

static void on_symbols(struct http_request *request)
{
    const char *tape = tape_of(request);
    if (tape != NULL)
        answer_tool(request, (const char *const[]){"ls", "symbols", "--json", "--limit=5000",
                                                   "--tape", tape, NULL});
}

/* By the index. Reading every block is for `tapedeck verify`. */
static void on_coverage(struct http_request *request)
{
    const char *tape = tape_of(request);
    if (tape != NULL)
        answer_tool(request,
                    (const char *const[]){"coverage", "--quick", "--json", "--tape", tape, NULL});
}

static void on_gaps(struct http_request *request)
{
    const char *tape = tape_of(request);
    if (tape != NULL)
        answer_tool(request,
                    (const char *const[]){"gaps", "--quick", "--json", "--tape", tape, NULL});
}

/* Make "--NAME=VALUE" of a parameter; none if it is missing or empty. False: it is too long for a
 * real value. */
static bool take_param(const struct http_request *request, const char *name,
                       char word[PARAM_MAX + 16], const char **argv, size_t *argc)
{
    const char *value = http_param(request, name);
    if (value == NULL || value[0] == '\0')
        return true;
    if (strlen(value) > PARAM_MAX)
        return false;
    snprintf(word, PARAM_MAX + 16, "--%s=%s", name, value);
    argv[(*argc)++] = word;
    return true;
}

static bool is_few(const char *bars)
{
    size_t size = bars != NULL ? strlen(bars) : 0;
    return size <= 4 && (size == 0 || strspn(bars, "0123456789") == size);
}

/* Each value goes into one argument with the option's name before it. So it stays a value whatever
 * it holds. */
static void on_ticks(struct http_request *request)
{
    static const char *const names[] = {"symbol", "track", "from", "to", "bars"};
    char words[sizeof names / sizeof names[0]][PARAM_MAX + 16];
    const char *tape = tape_of(request);
    const char *argv[16] = {"bars", "--json", "--tape", tape};
    size_t argc = 4;
    if (tape == NULL)
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!take_param(request, names[i], words[i], argv, &argc)) {
            answer_error(request, WRONG, "symbol, track, from, to: at most 256 bytes each");
            return;
        }
    const char *symbol = http_param(request, "symbol");
    if (symbol == NULL || symbol[0] == '\0')
        answer_error(request, WRONG, "the symbol is missing");
    else if (!is_few(http_param(request, "bars")))
        answer_error(request, WRONG, "bars must be a number up to 9999");
    else
        answer_tool(request, argv);
}

const struct http_route page_routes[] = {
    {.path = "/metrics", .call = on_metrics, .foreign = true, .linked = true},
    {.path = "/healthz", .call = on_health, .foreign = true, .linked = true},
    {.path = "/", .call = on_page, .linked = true},
    {.path = "/page.js", .call = on_script},
    {.path = "/page.css", .call = on_style},
    {.path = "/dygraph.js", .call = on_library_script},
    {.path = "/dygraph.css", .call = on_library_style},
    {.path = "/events", .call = on_events},
    {.path = "/state", .call = on_state},
    {.path = "/tape", .call = on_tape},
    {.path = "/tracks", .call = on_tracks},
    {.path = "/symbols", .call = on_symbols},
    {.path = "/coverage", .call = on_coverage},
    {.path = "/gaps", .call = on_gaps},
    {.path = "/ticks", .call = on_ticks},
    {.path = NULL},
};
