#include "shm/clock_page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/lock.h"
#include "base/owner.h"
#include "shm/ended.h"
#include "shm/guard.h"
#include "shm/rings.h"

#define FILE_MAX       (TDK_NAME_MAX + sizeof ".clock")
#define FOLDER_TIME_NS NS_PER_S /* another player holds it for less */

/* passed * numerator does not fit 64 bits after 18 s at 1e9 times the speed. */
__extension__ typedef unsigned __int128 wide;

/* One name of a page's file. */
struct name {
    struct name *next;
    char file[FILE_MAX];
};

struct clock_writer {
    int fd, folder; /* owned; fd holds the lock */
    struct name *names;
    struct clock_page *page;
};

struct tdk_clock_page {
    const struct clock_page *page; /* NULL: live */
    int fd;
    struct clock_page own; /* used for a play that is over and has no page any more */
};

/* ---- the writer ---- */

static int name_file(char file[FILE_MAX], const char *ring, struct tdk_err *err)
{
    char checked[RINGS_FILE_MAX];
    int rc = rings_file(checked, ring, err);
    if (rc == 0)
        snprintf(file, FILE_MAX, "%.64s.clock", ring);
    return rc;
}

/* Does somebody hold the page of this name? */
static bool is_held(int folder, const char *file)
{
    int fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
    if (fd >= 0)
        close(fd);
    return held;
}

static int make_page(struct clock_writer *w, struct tdk_err *err)
{
    w->fd = openat(w->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0660);
    if (w->fd < 0 || fchmod(w->fd, 0660) < 0 || flock(w->fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, -errno, "create a clock page in %s", rings_path());
    owner_give(w->fd, w->folder);
    int rc = posix_fallocate(w->fd, 0, sizeof *w->page);
    if (rc != 0)
        return err_set(err, -rc, "create a clock page in %s", rings_path());
    void *at = mmap(NULL, sizeof *w->page, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, 0);
    if (at == MAP_FAILED)
        return err_set(err, -errno, "map a clock page");
    guard_add(at, sizeof *w->page, NULL); /* once cut, it has no readers, and kills nobody */
    w->page = at;
    w->page->magic = CLOCK_PAGE_MAGIC;
    w->page->version = CLOCK_PAGE_VERSION;
    w->page->words[0].state = TDK_CLOCK_WAITING;
    return 0;
}

/* A writer that looks at what has a name and then takes that name away holds the folder's lock
 * meanwhile. Without it, the name may belong to another by then. If the lock cannot be had, we go
 * on: it would only have helped if two were at one page at the same moment, and no play waits for
 * that. */
static void hold_folder(const struct clock_writer *w)
{
    (void)lock_wait(w->folder, FOLDER_TIME_NS);
}

static void give_folder(const struct clock_writer *w)
{
    flock(w->folder, LOCK_UN);
}

/* Link the page, in the place of what a dead player left there. */
static int link_page(const struct clock_writer *w, const char *file, struct tdk_err *err)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", w->fd);
    for (int attempt = 0; attempt < 3; attempt++) {
        if (linkat(AT_FDCWD, path, w->folder, file, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        if (errno != EEXIST)
            break;
        if (is_held(w->folder, file))
            return err_say(err, TDK_EBUSY, "%s: another living producer uses this clock", file);
        unlinkat(w->folder, file, 0);
    }
    return err_set(err, -errno, "name the clock page %s", file);
}

int clock_writer_name(struct clock_writer *w, const char *ring, struct tdk_err *err)
{
    struct name *name = malloc(sizeof *name);
    if (name == NULL)
        return err_set(err, -ENOMEM, "name a clock page");
    int rc = name_file(name->file, ring, err);
    if (rc == 0) {
        hold_folder(w);
        rc = link_page(w, name->file, err);
        give_folder(w);
    }
    if (rc < 0) { /* a file of that name is not ours */
        free(name);
        return rc;
    }
    name->next = w->names;
    w->names = name;
    return 0;
}

int clock_writer_open(struct clock_writer **writer, const char *ring, struct tdk_err *err)
{
    struct clock_writer *w = malloc(sizeof *w);
    if (w == NULL)
        return err_set(err, -ENOMEM, "create a clock page");
    *w = (struct clock_writer){.fd = -1, .folder = -1};
    w->folder = rings_open(true, err);
    int rc = w->folder < 0 ? w->folder : make_page(w, err);
    if (rc == 0)
        rc = clock_writer_name(w, ring, err);
    if (rc < 0) {
        clock_writer_close(w);
        return rc;
    }
    *writer = w;
    return 0;
}

/* Does this name still lead to our page? Somebody may have deleted it, and another may have taken
 * the name since. */
static bool has_name(const struct clock_writer *w, const struct name *name)
{
    struct stat own, named;
    return fstat(w->fd, &own) == 0 &&
           fstatat(w->folder, name->file, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           own.st_dev == named.st_dev && own.st_ino == named.st_ino;
}

static void drop_names(struct clock_writer *w)
{
    while (w->names != NULL) {
        struct name *name = w->names;
        w->names = name->next;
        hold_folder(w);
        if (has_name(w, name))
            unlinkat(w->folder, name->file, 0);
        give_folder(w);
        free(name);
    }
}

void clock_writer_close(struct clock_writer *w)
{
    if (w == NULL)
        return;
    drop_names(w);
    if (w->page != NULL) {
        guard_remove(w->page, NULL);
        munmap(w->page, sizeof *w->page);
    }
    if (w->fd >= 0)
        close(w->fd);
    if (w->folder >= 0)
        close(w->folder);
    free(w);
}

void clock_writer_set(struct clock_writer *w, const struct clock_words *words)
{
    uint64_t generation = w->page->generation + 1;
    uint64_t *to = &w->page->words[generation & 1].state;
    const uint64_t *from = &words->state;
    /* Release: a reader that sees one of these words sees that the previous generation is the
     * current one. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (size_t i = 0; i < sizeof *words / sizeof *to; i++)
        __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
    __atomic_store_n(&w->page->generation, generation, __ATOMIC_RELEASE);
}

/* ---- readers ---- */

uint64_t clock_words_at(const struct clock_words *words, uint64_t mono_ns)
{
    uint64_t now = words->floor;
    if (words->numerator != 0 && words->denominator != 0) {
        uint64_t passed = mono_ns > words->anchor_mono ? mono_ns - words->anchor_mono : 0;
        wide tape = (wide)passed * words->numerator;
        if (words->denominator != 1)
            tape /= words->denominator;
        tape += words->anchor_ts;
        now = tape > words->until ? words->until : (uint64_t)tape;
    }
    return now > words->floor ? now : words->floor;
}

/* Read again only if two changes were made meanwhile. */
static uint64_t read_words(const struct clock_page *page, struct clock_words *words)
{
    uint64_t *to = &words->state;
    for (;;) {
        uint64_t generation = __atomic_load_n(&page->generation, __ATOMIC_ACQUIRE);
        const uint64_t *from = &page->words[generation & 1].state;
        for (size_t word = 0; word < sizeof *words / sizeof *to; word++)
            to[word] = __atomic_load_n(&from[word], __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&page->generation, __ATOMIC_RELAXED) == generation)
            return generation;
    }
}

uint64_t tdk_clock_now(const struct tdk_clock_page *clock)
{
    struct clock_words words;
    if (clock->page == NULL)
        return clock_wall();
    read_words(clock->page, &words);
    return words.state == TDK_CLOCK_LIVE ? clock_wall() : clock_words_at(&words, clock_mono());
}

void tdk_clock_info(const struct tdk_clock_page *clock, struct tdk_clock_info *info)
{
    struct clock_words words = {.state = TDK_CLOCK_LIVE, .numerator = 1, .denominator = 1};
    uint64_t generation = clock->page != NULL ? read_words(clock->page, &words) : 0;
    bool live = words.state == TDK_CLOCK_LIVE || words.state > TDK_CLOCK_ENDED;
    *info = (struct tdk_clock_info){
        .state = live ? TDK_CLOCK_LIVE : (enum tdk_clock_state)words.state,
        .now = live ? clock_wall() : clock_words_at(&words, clock_mono()),
        .anchor_ts = words.anchor_ts,
        .anchor_mono = words.anchor_mono,
        .numerator = words.numerator,
        .denominator = words.denominator,
        .generation = generation,
    };
}

/* Map the page of a living player. If there is none, that is no error. */
static int map_page(struct tdk_clock_page *c, int folder, const char *file, struct tdk_err *err)
{
    struct stat st;
    c->fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (c->fd < 0) /* only these say that there is none */
        return errno == ENOENT || errno == ELOOP || errno == ENXIO
                   ? 0
                   : err_set(err, -errno, "open the clock page %s", file);
    if (fstat(c->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_size < (off_t)sizeof(struct clock_page) || flock(c->fd, LOCK_SH | LOCK_NB) == 0)
        return 0;
    void *at = mmap(NULL, sizeof(struct clock_page), PROT_READ, MAP_SHARED, c->fd, 0);
    if (at == MAP_FAILED)
        return err_set(err, -errno, "map the clock page %s", file);
    guard_add(at, sizeof(struct clock_page), NULL);
    c->page = at;
    if (c->page->magic == CLOCK_PAGE_MAGIC && c->page->version == CLOCK_PAGE_VERSION)
        return 0;
    return err_say(err, TDK_EVERSION, "the clock page %s is of another version", file);
}

static int look_for_page(struct tdk_clock_page *c, const char *file, struct tdk_err *err)
{
    int folder = rings_open(false, err);
    if (folder < 0)
        return folder == -ENOENT ? 0 : folder;
    int rc = map_page(c, folder, file, err);
    close(folder);
    return rc;
}

/* The player has gone, and had said before that the play was over: tape time stands where it
 * ended. */
static int look_for_end(struct tdk_clock_page *c, const char *ring, struct tdk_err *err)
{
    struct clock_words *words = &c->own.words[0];
    int rc = ring_ended(ring, &words->floor, err);
    if (rc <= 0)
        return rc;
    words->state = TDK_CLOCK_ENDED;
    c->page = &c->own;
    return 0;
}

int tdk_clock_attach(struct tdk_clock_page **clock, const char *ring, struct tdk_err *err)
{
    char file[FILE_MAX];
    int rc = name_file(file, ring, err);
    if (rc < 0)
        return rc;
    struct tdk_clock_page *c = malloc(sizeof *c);
    if (c == NULL)
        return err_set(err, -ENOMEM, "attach to a clock page");
    *c = (struct tdk_clock_page){.fd = -1};
    struct tdk_err why; /* also of what is not there, and need not be */
    rc = look_for_page(c, file, &why);
    if (rc == 0 && c->page == NULL)
        rc = look_for_end(c, ring, &why);
    if (rc < 0) {
        tdk_clock_detach(c);
        return err_say(err, rc, "%s", why.text);
    }
    *clock = c;
    return 0;
}

void tdk_clock_detach(struct tdk_clock_page *clock)
{
    if (clock == NULL)
        return;
    if (clock->page != NULL && clock->page != &clock->own) {
        union {
            const void *in;
            void *out;
        } page = {.in = clock->page};
        guard_remove(page.in, NULL);
        munmap(page.out, sizeof(struct clock_page));
    }
    if (clock->fd >= 0)
        close(clock->fd);
    free(clock);
}
