/*
 * input_zip.c - reads a zip from its beginning, so that it may come through a pipe: the head of its
 * first file, the file, then a look at what follows. The directory at the zip's end is not needed
 * for that.
 */
#include "base/bytes.h"
#include "formats/input_private.h"

#define HEAD_SIZE 30u

enum zip_signature {
    ZIP_FILE = 0x04034b50,
    ZIP_DESCRIPTOR = 0x08074b50,
};

enum zip_flag { ZIP_ENCRYPTED = 1, ZIP_SIZES_FOLLOW = 8 };
enum zip_method { ZIP_STORED = 0, ZIP_DEFLATED = 8 };

static uint32_t signature(struct input_file *f)
{
    return input_raw_want(f, 4) ? load_u32(f->raw + f->raw_at) : 0;
}

/* Read one head with its name. *folder: it is a folder's, and no data follows it. */
static bool read_head(struct input_file *f, bool *folder)
{
    if (!input_raw_want(f, HEAD_SIZE))
        return false;
    const unsigned char *head = f->raw + f->raw_at;
    size_t name = load_u16(head + 26), span = HEAD_SIZE + name + load_u16(head + 28);
    if (!input_raw_want(f, span))
        return false;
    head = f->raw + f->raw_at;
    f->zip = (struct zip_member){.flags = load_u16(head + 6),
                                 .method = load_u16(head + 8),
                                 .crc = load_u32(head + 14),
                                 .left = load_u32(head + 18)};
    *folder = name > 0 && head[HEAD_SIZE + name - 1] == '/' && f->zip.left == 0;
    f->raw_at += span;
    return true;
}

static void begin_file(struct input_file *f)
{
    bool folder = true;
    while (folder) {
        if (signature(f) != ZIP_FILE) {
            input_fail(f, TDK_EFORMAT, "a zip without a file in it");
            return;
        }
        if (!read_head(f, &folder)) {
            input_fail(f, TDK_ETRUNCATED, "the zip breaks off");
            return;
        }
    }
    f->inside = true;
    if ((f->zip.flags & ZIP_ENCRYPTED) != 0)
        input_fail(f, TDK_EFORMAT, "the file in the zip is encrypted");
    else if (f->zip.method == ZIP_STORED &&
             ((f->zip.flags & ZIP_SIZES_FOLLOW) != 0 || f->zip.left == UINT32_MAX))
        input_fail(f, TDK_EFORMAT, "a zip whose file is neither compressed nor of a known size");
    else if (f->zip.method != ZIP_STORED && f->zip.method != ZIP_DEFLATED)
        input_fail(f, TDK_EFORMAT, "a zip that is compressed in an unknown way; unpack it first");
}

/* Pass over the checksum and sizes (of 4 or 8 bytes each) that follow a file whose head did not
 * have them. */
static void pass_descriptor(struct input_file *f)
{
    if (signature(f) == ZIP_DESCRIPTOR)
        f->raw_at += 4;
    if (!input_raw_want(f, 12)) {
        input_fail(f, TDK_ETRUNCATED, "the zip breaks off");
        return;
    }
    f->zip.crc = load_u32(f->raw + f->raw_at);
    bool sizes_of_eight = input_raw_want(f, 22) && f->raw[f->raw_at + 12] != 'P' &&
                          f->raw[f->raw_at + 20] == 'P' && f->raw[f->raw_at + 21] == 'K';
    f->raw_at += sizes_of_eight ? 20 : 12;
}

static void end_file(struct input_file *f)
{
    f->inside = false;
    if ((f->zip.flags & ZIP_SIZES_FOLLOW) != 0)
        pass_descriptor(f);
    if (f->ended)
        return;
    if (f->zip.crc != f->zip.seen_crc)
        input_fail(f, TDK_ECORRUPT, "the file in the zip fails its checksum");
    else if (signature(f) == ZIP_FILE)
        input_fail(f, TDK_ECORRUPT,
                   "a zip of several files, of which only the first is read: unpack it and give "
                   "each by itself;");
    else
        f->ended = true;
}

static size_t copy_stored(struct input_file *f, unsigned char *out, size_t room)
{
    size_t n = f->raw_size - f->raw_at;
    n = n < room ? n : room;
    n = n < f->zip.left ? n : (size_t)f->zip.left;
    memcpy(out, f->raw + f->raw_at, n);
    f->raw_at += n;
    f->zip.left -= n;
    return n;
}

size_t input_step_zip(struct input_file *f, unsigned char *out, size_t room)
{
    if (!f->inside)
        begin_file(f);
    if (f->ended)
        return 0;
    bool stored = f->zip.method == ZIP_STORED, over = stored && f->zip.left == 0;
    size_t n = 0;
    if (!over && !input_raw(f)) {
        if (f->status < 0) /* reading the file failed */
            input_fail(f, f->status, NULL);
        else
            input_fail(f, TDK_ETRUNCATED, "the zip breaks off");
        return 0;
    }
    if (stored) {
        n = copy_stored(f, out, room);
        over = f->zip.left == 0;
    } else {
        n = input_inflate(f, out, room, &over);
    }
    f->zip.seen_crc = (uint32_t)crc32(f->zip.seen_crc, out, (unsigned)n);
    if (over)
        end_file(f);
    return n;
}
