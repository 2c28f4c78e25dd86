/*
 * Each byte of a small tape's segments is changed in turn, and each segment is cut at many lengths.
 * No changed tick may ever be served, all ticks of all other blocks must be, and what is missing
 * must be reported. This is tested with an index and without one.
 */
#include "tests/support/check.h"

#include <string.h>

#include "base/crc32c.h"
#include "tests/support/seeds.h"
#include "tests/support/taping.h"
#include "tests/support/whole.h"

enum { TICKS = 200, SEGMENTS_MAX = 8, BLOCKS_MAX = 32 };

/* ---- checksums that can be switched off ---- */

static bool blind; /* all checksums are equal, so no change is ever found */

uint32_t __real_crc32c(uint32_t crc, const void *bytes, size_t size);
uint32_t __wrap_crc32c(uint32_t crc, const void *bytes, size_t size);

uint32_t __wrap_crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return blind ? 1 : __real_crc32c(crc, bytes, size);
}

void __real_crc32c_chunks(const void *bytes, size_t size, size_t chunk, uint32_t *crcs);
void __wrap_crc32c_chunks(const void *bytes, size_t size, size_t chunk, uint32_t *crcs);

void __wrap_crc32c_chunks(const void *bytes, size_t size, size_t chunk, uint32_t *crcs)
{
    for (size_t at = 0; blind && at < size; at += chunk)
        *crcs++ = 1;
    if (!blind)
        __real_crc32c_chunks(bytes, size, chunk, crcs);
}

/* ---- a tape, and what is known of it ---- */

struct block_known {
    uint64_t offset, end;
    unsigned first, count; /* its ticks */
};

struct file_known {
    char path[128];
    unsigned char *bytes;
    size_t size;
    struct block_known blocks[BLOCKS_MAX];
    unsigned block_count;
};

struct fixture {
    char tape[FOLDER_PATH];
    struct file_known files[SEGMENTS_MAX];
    unsigned file_count;
    bool served[TICKS];
    unsigned damaged;
};

static void know_file(struct fixture *f, struct file_known *file, uint64_t number, unsigned *tick)
{
    struct folder folder;
    struct segment *segment;
    struct segment_scan scan;
    struct tdk_err err;
    taping_ok(folder_open(&folder, f->tape, &err), &err);
    taping_ok(segment_open_number(&segment, &folder, number, SEGMENT_SEALED, &err), &err);
    taping_ok(segment_scan(segment, UINT64_MAX, &scan, &err), &err);
    assert_true(scan.count <= BLOCKS_MAX);
    for (size_t i = 0; i < scan.count; i++) {
        const struct block_ref *ref = &scan.refs[i];
        file->blocks[file->block_count++] =
            (struct block_known){ref->offset, ref->offset + ref->span, *tick, ref->count};
        *tick += ref->count;
    }
    segment_scan_close(&scan);
    segment_close(segment);
    taping_path(f->tape, number, ".seg", file->path);
    file->bytes = taping_load(file->path, &file->size);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    unsigned ticks = 0;
    folder_make(f->tape);
    taping_make(f->tape, TICKS, 4096, 16 << 10);
    while (ticks < TICKS) {
        know_file(f, &f->files[f->file_count], f->file_count + 1, &ticks);
        f->file_count++;
    }
    assert_true(f->file_count > 1);
    *state = f;
    return 0;
}

static int setup_blind(void **state)
{
    blind = true;
    return setup(state);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    blind = false;
    folder_remove(f->tape);
    for (unsigned i = 0; i < f->file_count; i++)
        free(f->files[i].bytes);
    free(f);
    return 0;
}

static void drop_index(const struct fixture *f)
{
    char path[FOLDER_PATH + 16];
    snprintf(path, sizeof path, "%s/index/clean", f->tape);
    unlink(path);
}

/* ---- what is served ---- */

static int look_at(const struct tdk_run *run, const struct tdk_frame *frame, void *context)
{
    struct fixture *f = context;
    (void)run;
    if (!tdk_frame_is_tick(frame))
        return 0;
    unsigned char want[40] = {0};
    uint32_t i = (uint32_t)frame->seq - 1;
    memcpy(want, &i, sizeof i);
    if (frame->seq == 0 || i >= TICKS || f->served[i] || frame->ts != TAPING_NOW + i ||
        frame->size != sizeof want || frame->type != TDK_TYPE_OPAQUE ||
        memcmp(tdk_frame_payload(frame), want, sizeof want) != 0)
        return 1;
    f->served[i] = true;
    return 0;
}

/* Read the whole tape. False: a tick was served that nobody wrote. */
static bool read_all(struct fixture *f)
{
    struct tdk_err err;
    memset(f->served, 0, sizeof f->served);
    f->damaged = 0;
    return whole_read(f->tape, look_at, f, &f->damaged, &err) != 1;
}

static unsigned missing(const struct fixture *f, unsigned first, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = first; i < first + count; i++)
        n += !f->served[i];
    return n;
}

/* ---- changed ---- */

static const struct block_known *block_at(const struct file_known *file, size_t offset)
{
    for (unsigned i = 0; i < file->block_count; i++)
        if (offset >= file->blocks[i].offset && offset < file->blocks[i].end)
            return &file->blocks[i];
    return NULL;
}

/* Only the block with the changed byte may be missing, and only as a whole. */
static void check_flip(const struct fixture *f, const struct file_known *file, size_t offset,
                       struct verdict *verdict)
{
    const struct block_known *block = block_at(file, offset);
    unsigned gone = missing(f, 0, TICKS);
    unsigned of_block = block != NULL ? missing(f, block->first, block->count) : 0;
    if (gone != of_block || (of_block != 0 && of_block != block->count))
        verdict_blame(verdict, "%s: a change at %zu: %u ticks are missing, %u of its block",
                      file->path, offset, gone, of_block);
    if (gone != 0 && f->damaged == 0)
        verdict_blame(verdict, "%s: a change at %zu is not told", file->path, offset);
}

static void put_byte(const struct file_known *file, size_t offset, unsigned char byte)
{
    int fd = open(file->path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
}

static void flip_each(struct fixture *f, size_t step, struct verdict *verdict)
{
    for (unsigned i = 0; i < f->file_count; i++) {
        const struct file_known *file = &f->files[i];
        for (size_t at = 0; at < file->size && verdict->text[0] == '\0'; at += step) {
            put_byte(file, at, file->bytes[at] ^ (unsigned char)(1u << at % 8));
            if (!read_all(f))
                verdict_blame(verdict, "%s: changed at %zu, and served", file->path, at);
            else
                check_flip(f, file, at, verdict);
            put_byte(file, at, file->bytes[at]);
        }
    }
}

static void check_verdict(const struct verdict *verdict)
{
    if (verdict->text[0] != '\0')
        fail_msg("%s", verdict->text);
}

static void no_changed_byte_is_served_and_it_costs_its_block_alone(void **state)
{
    struct fixture *f = *state;
    struct verdict verdict = {.text = ""};
    flip_each(f, SEEDS_SANITIZED ? 11 : 1, &verdict);
    check_verdict(&verdict);
}

static void nor_without_an_index(void **state)
{
    struct fixture *f = *state;
    struct verdict verdict = {.text = ""};
    drop_index(f);
    flip_each(f, seeds_number("TDK_STEP", 17), &verdict);
    check_verdict(&verdict);
}

/* The control: without checksums the tests above must fail. */
static void without_checksums_it_would_be_noticed(void **state)
{
    struct fixture *f = *state;
    struct verdict verdict = {.text = ""};
    flip_each(f, 7, &verdict);
    assert_true(verdict.text[0] != '\0');
}

/* ---- cut ---- */

static void check_cut(const struct fixture *f, const struct file_known *file, size_t size)
{
    for (unsigned i = 0; i < file->block_count; i++) {
        const struct block_known *block = &file->blocks[i];
        unsigned gone = missing(f, block->first, block->count);
        if (gone != 0 && (block->end <= size || gone != block->count))
            fail_msg("%s cut at %zu: %u of the block at %llu are missing", file->path, size, gone,
                     (unsigned long long)block->offset);
    }
    unsigned of_file =
        missing(f, file->blocks[0].first,
                file->blocks[file->block_count - 1].first +
                    file->blocks[file->block_count - 1].count - file->blocks[0].first);
    assert_int_equal(missing(f, 0, TICKS), of_file);
}

static void cut_each(struct fixture *f)
{
    for (unsigned i = 0; i < f->file_count; i++) {
        const struct file_known *file = &f->files[i];
        for (size_t size = file->size; size-- > 0; size -= size > 61 ? 61 : 0) {
            assert_int_equal(truncate(file->path, (off_t)size), 0);
            assert_true(read_all(f));
            if (size > SEGMENT_FIRST_OFFSET) /* a shorter file is lost as a whole */
                check_cut(f, file, size);
            taping_store(file->path, file->bytes, file->size);
        }
    }
}

static void cut_at_any_length_the_blocks_before_the_cut_are_served(void **state)
{
    struct fixture *f = *state;
    cut_each(f);
    drop_index(f);
    cut_each(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_changed_byte_is_served_and_it_costs_its_block_alone),
        TEST(nor_without_an_index),
        TEST(cut_at_any_length_the_blocks_before_the_cut_are_served),
        cmocka_unit_test_setup_teardown(without_checksums_it_would_be_noticed, setup_blind,
                                        teardown),
    };
    return cmocka_run_group_tests_name("crash.every_byte", tests, NULL, NULL);
}
