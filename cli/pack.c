/* pack.c - a range of a tape as one file that stands alone; unpack.c makes a tape from it again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/text_buffer.h"
#include "cli/bundle.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/control_text.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/sink.h"
#include "tape/format.h"
#include "tape/segment.h"
#include "tape/tape.h"

struct args {
    struct range_args range;
    const char *mark, *output;
    uint64_t back_ns, after_ns;
    struct option_list include;
    int progress;
    bool force;
};

static struct args args;

static const struct option rows[] = {
    {.name = "mark",
     .kind = OPTION_TEXT,
     .value = "NAME",
     .at = offsetof(struct args, mark),
     .help = "pack the time around this mark (the last of the name) instead of --from and --to"},
    {.name = "back",
     .kind = OPTION_DURATION,
     .at = offsetof(struct args, back_ns),
     .help = "begin this long before the mark; by default what the mark keeps, at least 1m"},
    {.name = "after",
     .kind = OPTION_DURATION,
     .preset = "1m",
     .at = offsetof(struct args, after_ns),
     .help = "end this long after the mark"},
    {.name = "include",
     .kind = OPTION_LIST,
     .value = "FILE",
     .at = offsetof(struct args, include),
     .help = "add this file (configuration, logs)"},
    {.name = "output",
     .letter = 'O',
     .kind = OPTION_TEXT,
     .value = "FILE",
     .required = true,
     .at = offsetof(struct args, output),
     .help = "the pack; it appears only when complete"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, force),
     .help = "replace FILE if it exists"},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args, progress)},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.title = "range", .rows = range_span_rows, .into = &args.range},
    {.title = "options", .rows = rows, .into = &args},
    {.rows = NULL},
};

struct packing {
    struct progress progress;
    struct range range;
    struct bundle *bundle;
    struct lease lease;
    uint64_t from, to;            /* [from, to) */
    struct segment_ref *segments; /* from the first to the last that meets it; ours */
    size_t count, room;
    uint64_t done, total;
    const char *config; /* --config */
    struct text_buffer text;
    bool whole;
};

/* ---- which range ---- */

struct mark_search {
    struct mark_ref found;
    bool any;
};

static int match_mark(const struct mark_ref *mark, void *context)
{
    struct mark_search *search = context;
    if (strcmp(mark->name, args.mark) == 0) {
        search->found = *mark; /* marks come in order of time, so the last one stays */
        search->any = true;
    }
    return 0;
}

static int find_mark(struct packing *p)
{
    struct tdk_err err;
    struct mark_search search = {.any = false};
    struct view *view = tape_view(p->range.tape);
    int rc = index_marks(view->index, match_mark, &search, &err);
    view_drop(view);
    if (rc < 0)
        return cli_fail(&err, NULL);
    if (!search.any)
        return cli_fail_words("no mark \"%s\" on this tape; `tapedeck ls marks` lists them",
                              args.mark);
    uint64_t ts = search.found.ts, back = args.back_ns;
    if (back == 0)
        back = search.found.back > 60 * NS_PER_S ? search.found.back : 60 * NS_PER_S;
    p->from = ts > back ? ts - back : 0;
    p->to = args.after_ns < UINT64_MAX - 1 - ts ? ts + 1 + args.after_ns : UINT64_MAX;
    return CLI_OK;
}

static int find_range(struct packing *p)
{
    p->from = p->range.query.from;
    p->to = p->range.query.to;
    return args.mark != NULL ? find_mark(p) : CLI_OK;
}

/* ---- which segments ---- */

static int note_segment(const struct segment_ref *segment, void *context)
{
    struct packing *p = context;
    bool meets = segment->max_ts >= p->from && segment->min_ts < p->to;
    if (p->count == 0 && !meets)
        return 0;
    struct segment_ref *segments =
        array_grow(p->segments, &p->room, p->count + 1, sizeof *segments);
    if (segments == NULL)
        return -ENOMEM;
    p->segments = segments;
    p->segments[p->count++] = *segment;
    return 0;
}

/* All segments from the first to the last that meets the range, so that packing adds no holes. */
static int find_segments(struct packing *p, struct tdk_err *err)
{
    struct view *view = tape_view(p->range.tape);
    int rc = index_segments(view->index, note_segment, p, err);
    view_drop(view);
    while (p->count > 0 && (p->segments[p->count - 1].max_ts < p->from ||
                            p->segments[p->count - 1].min_ts >= p->to))
        p->count--;
    for (size_t i = 0; i < p->count; i++)
        p->total += p->segments[i].size;
    if (rc == 0 && p->count == 0)
        return err_say(err, TDK_EVALUE, "no segment of this tape has ticks in this range");
    return rc == -ENOMEM ? err_set(err, rc, "list segments") : rc;
}

/* ---- what goes in ---- */

static int on_bytes(uint64_t bytes, void *context)
{
    struct packing *p = context;
    p->done += bytes;
    progress_at(&p->progress, p->done, p->total, "bytes", 0);
    return interrupted() ? 1 : 0;
}

/* Open the whole file of a segment that was moved, where it is now. */
static int open_moved(const struct packing *p, uint64_t number, enum segment_stage stage,
                      struct tdk_err *err)
{
    struct segment *segment;
    int rc = segment_open_number(&segment, &p->range.tape->folder, number, stage, err);
    if (rc < 0)
        return rc;
    rc = segment_is_away(segment) ? err_say(err, segment->away.code, "%s", segment->away.text)
                                  : segment_check_size(segment, err);
    int fd = rc == 0 ? dup(segment->fd) : rc;
    segment_close(segment);
    return fd;
}

/* A segment that is being recorded may be sealed meanwhile, and a sealed one packed. */
static int open_segment(const struct packing *p, const struct segment_ref *ref,
                        enum segment_stage *stage, char path[TAPE_PATH_MAX], struct tdk_err *err)
{
    static const enum segment_stage stages[] = {SEGMENT_PACKED, SEGMENT_OPEN, SEGMENT_SEALED,
                                                SEGMENT_PACKED};
    int fd = -1;
    for (size_t i = 0; i < array_size(stages) && fd < 0; i++) {
        *stage = stages[i];
        folder_segment_path(&p->range.tape->folder, ref->number, *stage, path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno != ENOENT)
            break;
    }
    if (fd < 0)
        return err_set(err, -errno, "open %s", path);
    if (!stub_is_at(&p->range.tape->folder, ref->number, *stage))
        return fd;
    close(fd);
    return open_moved(p, ref->number, *stage, err);
}

static int add_segment(struct packing *p, const struct segment_ref *ref, struct tdk_err *err)
{
    enum segment_stage stage;
    char path[TAPE_PATH_MAX], name[64];
    int fd = open_segment(p, ref, &stage, path, err);
    if (fd < 0)
        return fd;
    off_t end = lseek(fd, 0, SEEK_END);
    uint64_t size = stage == SEGMENT_OPEN ? align_up(ref->size, TAPE_ALIGN) : (uint64_t)end;
    snprintf(name, sizeof name, "segments/%.40s", strrchr(path, '/') + 1);
    int rc = end < 0 ? err_set(err, -errno, "read %s", name)
                     : bundle_add_file(p->bundle, name, fd, size, on_bytes, p, err);
    close(fd);
    return rc;
}

/* The row begins with our first segment, or with what is missing in front of it and may have been
 * in the range. */
static uint64_t row_begin(const struct packing *p)
{
    const struct tdk_query range = {.from = p->from, .to = p->to};
    const uint64_t first = p->segments[0].number;
    struct tdk_lost_segments lost;
    uint64_t told = 0;
    while (tape_next_lost(p->range.tape, &range, &told, &lost))
        if (!lost.is_cut && lost.last + 1 == first)
            return lost.first;
    return first;
}

/* Write the meta file of a tape of its own, whose row begins with what we have. */
static int add_meta(struct packing *p, struct tdk_err *err)
{
    const struct folder *folder = &p->range.tape->folder;
    struct tape_meta meta = {.magic = TAPE_MAGIC,
                             .version = TAPE_VERSION,
                             .created_ns = folder->created_ns,
                             .first_segment = row_begin(p)};
    memcpy(meta.tape_id, folder->tape_id, sizeof meta.tape_id);
    meta.crc = crc32c(0, &meta, sizeof meta);
    return bundle_add(p->bundle, "tape.meta", &meta, sizeof meta, err);
}

static int add_retired(struct packing *p, struct tdk_err *err)
{
    struct retired *retired = tape_retired(p->range.tape);
    void *bytes = NULL;
    size_t size = 0;
    if (retired == NULL)
        return 0;
    int rc = retired_encode(retired, p->range.tape->folder.tape_id, &bytes, &size, err);
    if (rc == 0)
        rc = bundle_add(p->bundle, "retired", bytes, size, err);
    free(bytes);
    retired_drop(retired);
    return rc;
}

static int add_text(struct packing *p, const char *name, struct tdk_err *err)
{
    int rc = text_error(&p->text);
    if (rc < 0)
        return err_set(err, rc, "make %s", name);
    rc = bundle_add(p->bundle, name, p->text.bytes, p->text.size, err);
    text_clear(&p->text);
    return rc;
}

/* ---- is the range whole? ---- */

static int put_gap(const struct tdk_gap *gap, void *context)
{
    struct packing *p = context;
    p->whole = false;
    text_add_format(
        &p->text, "gap\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%s\n",
        gap->track, gap->epoch, gap->first_seq, gap->count, gap->from, gap->to,
        control_text_reason(gap->reason));
    return 0;
}

static int put_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct packing *p = context;
    text_add_format(&p->text,
                    "epoch\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n",
                    epoch->track, epoch->epoch, epoch->first_seq, epoch->last_seq, epoch->ticks,
                    epoch->lost + epoch->damaged + epoch->retired + epoch->away);
    return 0;
}

static int put_lost(const struct tdk_lost_segments *lost, void *context)
{
    struct packing *p = context;
    p->whole = false;
    text_add_format(&p->text, "segments\t%" PRIu64 "\t%" PRIu64 "\t%s\n", lost->first, lost->last,
                    lost->is_cut ? "cut" : "missing");
    return 0;
}

static int add_coverage(struct packing *p, struct tdk_err *err)
{
    const struct tdk_query query = {.from = p->from, .to = p->to};
    const struct tdk_coverage_walk walk = {
        .lost = put_lost, .gap = put_gap, .epoch = put_epoch, .context = p};
    text_add_string(&p->text, "# segments first last cut|missing\n"
                              "# gap track epoch first_seq count from to reason\n"
                              "# epoch track epoch first_seq last_seq ticks missing\n");
    int rc = tdk_tape_coverage(p->range.tape, &query, &walk, err);
    return rc == 0 ? add_text(p, "pack/coverage", err) : rc;
}

/* ---- where it comes from ---- */

static int put_track(const struct tdk_track_info *track, void *context)
{
    struct packing *p = context;
    text_add_format(&p->text,
                    "track\t%s\tticks\t%" PRIu64 "\tbytes\t%" PRIu64 "\tlost\t%" PRIu64
                    "\tepochs\t%u\n",
                    track->name, track->ticks, track->bytes, track->lost, track->epochs);
    return 0;
}

/* Write the counters of the whole tape, as of now. A recorder's own are in its log and its
 * status. */
static int add_counters(struct packing *p, struct tdk_err *err)
{
    struct tdk_tape_info info;
    tdk_tape_info(p->range.tape, &info);
    text_add_format(&p->text,
                    "tape\tticks\t%" PRIu64 "\tlost\t%" PRIu64 "\tsegments\t%u\tsize\t%" PRIu64
                    "\trecording\t%s\n",
                    info.ticks, info.lost, info.segments, info.size_on_disk,
                    info.recording ? "yes" : "no");
    int rc = tdk_tape_tracks(p->range.tape, put_track, p, err);
    return rc == 0 ? add_text(p, "pack/counters", err) : rc;
}

static int add_versions(struct packing *p, struct tdk_err *err)
{
    struct utsname host;
    text_add_string(&p->text, "tapedeck " TDK_VERSION "\n");
    text_add_format(&p->text, "tape format %u\n", TAPE_VERSION);
    if (uname(&host) == 0)
        text_add_format(&p->text, "host %s\n%s %s %s\n", host.nodename, host.sysname, host.release,
                        host.machine);
    return add_text(p, "pack/versions", err);
}

static int add_one_file(struct packing *p, const char *path, struct tdk_err *err)
{
    const char *slash = strrchr(path, '/');
    char name[256];
    snprintf(name, sizeof name, "pack/files/%.200s", slash != NULL ? slash + 1 : path);
    if (!bundle_name_is_valid(name))
        return err_say(
            err, TDK_EVALUE,
            "--include %s: its name may have only letters, digits, '.', '_' and '-'; rename it",
            path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    int rc = end < 0 ? err_set(err, -errno, "read %s", path)
                     : bundle_add_file(p->bundle, name, fd, (uint64_t)end, NULL, NULL, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int add_files(struct packing *p, struct tdk_err *err)
{
    int rc = p->config != NULL ? add_one_file(p, p->config, err) : 0;
    for (size_t i = 0; i < args.include.count && rc == 0; i++)
        rc = add_one_file(p, args.include.items[i], err);
    return rc;
}

static int finish(struct packing *p, struct tdk_err *err)
{
    char lines[512];
    const uint8_t *id = p->range.tape->folder.tape_id;
    size_t n = (size_t)snprintf(lines, sizeof lines,
                                "tapedeck-pack 1\ncreated %" PRIu64 "\nrange %" PRIu64 " %" PRIu64
                                "\ntape ",
                                clock_wall(), p->from, p->to);
    for (size_t i = 0; i < 16; i++)
        n += (size_t)snprintf(lines + n, sizeof lines - n, "%02x", id[i]);
    snprintf(lines + n, sizeof lines - n, "%s%.64s\n", args.mark != NULL ? "\nmark " : "",
             args.mark != NULL ? args.mark : "");
    return bundle_finish(p->bundle, lines, err);
}

static int add_all(struct packing *p, struct tdk_err *err)
{
    int rc = add_meta(p, err);
    if (rc == 0)
        rc = add_retired(p, err);
    for (size_t i = 0; i < p->count && rc == 0; i++)
        rc = add_segment(p, &p->segments[i], err);
    if (rc == 0)
        rc = add_coverage(p, err);
    if (rc == 0)
        rc = add_counters(p, err);
    if (rc == 0)
        rc = add_versions(p, err);
    if (rc == 0)
        rc = add_files(p, err);
    return rc == 0 ? finish(p, err) : rc;
}

/* ---- the whole ---- */

static int write_pack(struct packing *p, struct tdk_err *err)
{
    struct sink sink = {.fd = -1};
    int rc = sink_open(&sink, args.output, true, args.force, err);
    if (rc < 0)
        return rc;
    rc = bundle_open(&p->bundle, sink.fd, args.output, err);
    if (rc == 0)
        rc = add_all(p, err);
    bundle_close(p->bundle);
    if (rc == 0)
        rc = sink_finish(&sink, err);
    sink_close(&sink);
    return rc;
}

static int conclude(const struct packing *p)
{
    char size[QUANTITY_TEXT], from[MOMENT_TEXT], to[MOMENT_TEXT];
    cli_note("%zu %s of %s, %s to %s, in %s", p->count,
             quantity_word(p->count, "segment", "segments"), quantity_size_text(size, p->total),
             moment_text(from, p->segments[0].min_ts),
             moment_text(to, p->segments[p->count - 1].max_ts),
             strcmp(args.output, "-") == 0 ? "stdout" : args.output);
    if (p->whole)
        return CLI_OK;
    cli_warn("the range is not whole: the pack's file pack/coverage names what is missing");
    return CLI_LOSSY;
}

static int pack(struct packing *p)
{
    struct tdk_err err = {.code = 0};
    tape_lease(p->range.tape, &p->lease, TDK_AXIS_RECV, p->from, p->to - 1);
    int rc = find_segments(p, &err);
    if (rc == 0)
        rc = write_pack(p, &err);
    lease_give(&p->range.tape->leases, &p->lease);
    progress_end(&p->progress, p->done, p->total, "bytes", 0);
    if (rc == -EEXIST)
        return cli_usage("%s", err.text);
    return rc < 0 ? cli_fail(&err, NULL) : conclude(p);
}

static int run(const struct cli *cli)
{
    struct packing p = {.whole = true, .config = cli->globals->config};
    if (args.mark != NULL && (args.range.from.text != NULL || args.range.to.text != NULL))
        return cli_usage("choose --mark, or --from and --to, not both");
    int status = range_open(&p.range, &args.range);
    if (status != CLI_OK)
        return status;
    status = p.range.tape->lone[0] != '\0'
                 ? cli_usage("-T: a lone segment cannot be packed; name the tape's directory")
                 : find_range(&p);
    if (status == CLI_OK) {
        interrupt_catch();
        text_init(&p.text);
        progress_begin(&p.progress, "pack", args.progress, cli->globals->quiet);
        status = pack(&p);
        text_close(&p.text);
    }
    free(p.segments);
    range_close(&p.range);
    return status;
}

const struct command pack_command = {
    .name = "pack",
    .brief = "export a stretch of a tape as one self-contained file",
    .usage = "-T DIR (--mark NAME | --from T --to T) -O FILE [--include FILE]...",
    .about = "Packs the whole segments that hold the range, with what is missing of it,\n"
             "counters, versions, the file of --config and those of --include, each under a\n"
             "checksum. A pack is a tar archive under zstd; `tapedeck unpack` makes a tape of\n"
             "it, anywhere. It works beside a recorder. Exit 3: done, and the range has gaps.",
    .sets = sets,
    .run = run,
};
