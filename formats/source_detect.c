/* source_detect.c - detects what a file is by its first bytes. It asks for no more than needed,
 * because the other end of a pipe may be waiting for us. */
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "formats/dbn_layout.h"
#include "formats/pcap.h"
#include "formats/source_reader.h"

#define BLANKS_MAX 4096 /* before the first line */

static bool looks_like_dbn(struct input *in)
{
    return input_peek(in, 3) >= 3 && memcmp(in->at, "DBN", 3) == 0;
}

static bool looks_like_fragment(struct input *in)
{
    if (input_peek(in, 2) < 2)
        return false;
    uint32_t size = in->at[0] * 4u;
    return dbn_layout_find(TDK_TYPE_DBN, in->at[1], size) != NULL && input_peek(in, size) >= size;
}

static bool looks_like_pcap(struct input *in)
{
    return input_peek(in, 4) >= 4 && pcap_begins(in->at);
}

/* Data that is still compressed: input.c undoes only one layer. */
static const char *packing_of(struct input *in)
{
    static const struct {
        unsigned char begins[4], size;
        const char *name;
    } packings[] = {{{0x1f, 0x8b, 0x08}, 3, "gzip"},
                    {{0x28, 0xb5, 0x2f, 0xfd}, 4, "zstd"},
                    {{'P', 'K', 3, 4}, 4, "zip"},
                    {{'B', 'Z', 'h'}, 3, "bzip2"},
                    {{0xfd, '7', 'z', 'X'}, 4, "xz"}};
    size_t have = input_peek(in, 4);
    for (size_t i = 0; i < array_size(packings); i++)
        if (have >= packings[i].size && memcmp(in->at, packings[i].begins, packings[i].size) == 0)
            return packings[i].name;
    return NULL;
}

static bool looks_like_tar(struct input *in)
{
    enum { MAGIC_AT = 257 };
    return input_peek(in, MAGIC_AT + 5) >= MAGIC_AT + 5 &&
           memcmp(in->at + MAGIC_AT, "ustar", 5) == 0;
}

/* Refuse files that need another program first. */
static int refuse(struct source *s, struct tdk_err *err)
{
    const char *packing = packing_of(s->input);
    if (packing != NULL)
        return err_say(
            err, TDK_EFORMAT,
            "%s: is compressed by %s: decompress it first, and import the result ('-' is stdin)",
            s->path, packing);
    if (looks_like_tar(s->input))
        return err_say(err, TDK_EFORMAT,
                       "%s: is a tar archive: extract its files, and import those", s->path);
    return err_say(
        err, TDK_EFORMAT,
        "%s: not a known format: neither DBN (no \"DBN\", no record at its "
        "beginning), nor a capture of packets, nor JSON lines (no \"{\"), nor lines of "
        "'NS PAYLOAD' (no digits and a space); if it is CSV, give its columns with --map",
        s->path);
}

/* The message that begins a day. No other message has its form. */
static bool looks_like_itch(struct input *in)
{
    return in->at[0] == 0 && input_peek(in, 3) >= 3 && (in->at[1] == 0 || in->at[1] == 12) &&
           in->at[2] == 'S' && input_peek(in, 14) >= 14 && in->at[13] == 'O';
}

/* A known first line, or any if a map was given. */
static bool looks_like_csv(struct source *s)
{
    static const char tardis[] = "exchange,";
    struct input *in = s->input;
    if (s->options.map != NULL)
        return true;
    return input_peek(in, 1) > 0 && in->at[0] == 'e' &&
           input_peek(in, sizeof tardis - 1) >= sizeof tardis - 1 &&
           memcmp(in->at, tardis, sizeof tardis - 1) == 0;
}

/* SECONDS with a fraction, and a colon; or a connection, which begins such a file. */
static bool looks_like_cryptofeed(struct input *in)
{
    size_t at = 0;
    while (at < 512 && input_peek(in, at + 1) > at && in->at[at] != '\n')
        at++;
    const char *line = (const char *)in->at;
    size_t digits = 0;
    while (digits < at && ((line[digits] >= '0' && line[digits] <= '9') || line[digits] == '.'))
        digits++;
    bool message = digits > 0 && digits + 1 < at && line[digits] == ':' && line[digits + 1] == ' ';
    return message || memmem(line, at, " <-> ", 5) != NULL;
}

/* The first byte that is not blank. '\0': there is none. */
static char first_letter(struct input *in, size_t *at)
{
    for (*at = 0; *at < BLANKS_MAX && input_peek(in, *at + 1) > *at; ++*at)
        if (strchr(" \t\r\n", in->at[*at]) == NULL)
            return (char)in->at[*at];
    return '\0';
}

/* Digits and then a space. */
static bool looks_like_lines(struct input *in, size_t at)
{
    size_t end = at;
    while (end - at < 64 && input_peek(in, end + 1) > end && in->at[end] >= '0' &&
           in->at[end] <= '9')
        end++;
    return end > at && input_peek(in, end + 1) > end && in->at[end] == ' ';
}

/* The first line may be a bad one. Another line among the bytes read so far is enough, if it is
 * beyond doubt. */
static bool has_five_line(struct input *in)
{
    static const char line[] = "\n{\"symbol\":";
    return memmem(in->at, (size_t)(in->end - in->at), line, sizeof line - 1) != NULL;
}

int source_detect(struct source *s, enum source_format *format, struct tdk_err *err)
{
    struct input *in = s->input;
    size_t at;
    if (input_peek(in, 1) == 0) {
        int rc = input_status(in, err);
        return rc < 0 ? rc
                      : err_say(err, TDK_EFORMAT,
                                "%s: is empty; with --format it counts as a file without ticks",
                                s->path);
    }
    char first = first_letter(in, &at);
    if (looks_like_dbn(in) || looks_like_fragment(in))
        *format = SOURCE_DBN;
    else if (looks_like_pcap(in))
        *format = SOURCE_PCAP;
    else if (looks_like_itch(in))
        *format = SOURCE_ITCH;
    else if (looks_like_csv(s))
        *format = SOURCE_CSV;
    else if (looks_like_lines(in, at))
        *format = SOURCE_LINES;
    else if (first == '{' || has_five_line(in))
        *format = SOURCE_FIVE;
    else if (looks_like_cryptofeed(in))
        *format = SOURCE_CRYPTOFEED;
    else
        return refuse(s, err);
    return 0;
}
