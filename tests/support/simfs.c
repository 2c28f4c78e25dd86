#include "tests/support/simfs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tape/files.h"
#include "tests/support/dice.h"

enum { NODES = 512, NAMES = 512, HANDLES = 64, NAME_OPS = 512, SECTOR = 512, FD_BASE = 1 << 20 };
enum { PATH = 200, NOTHING = -1, LOCK_BYTES = 3 };

/* ---- what there is ---- */

struct image {
    unsigned char *bytes;
    size_t size, room; /* beyond size everything is zero */
};

/* A write (bytes not NULL), or a change of size. */
struct change {
    unsigned char *bytes;
    uint64_t offset;
    size_t size;
};

struct node {
    bool is_folder;
    struct image now, durable;
    struct change *changes; /* between the two images, in order */
    size_t change_count, change_room;
    int locked_by[LOCK_BYTES]; /* handle, or NOTHING */
};

struct name {
    char path[PATH];
    int node;
};

struct names {
    struct name of[NAMES];
    size_t count;
};

/* What a name is to mean. node NOTHING: it is gone. */
struct name_set {
    char path[PATH];
    int node;
    bool synced; /* its folder has been synced since */
};

/* A create, a rename or an unlink: it happens whole or not at all. */
struct name_op {
    struct name_set sets[2];
    unsigned count;
};

struct handle {
    int node; /* NOTHING: free */
    bool direct;
};

static struct simfs {
    pthread_mutex_t lock;
    char root[PATH];
    struct node nodes[NODES];
    int node_count;
    struct names now, durable;
    struct name_op ops[NAME_OPS];
    size_t op_count;
    struct handle handles[HANDLES];
    struct dice dice;
    unsigned changes, last_change, one_in, failed;
    bool crashed, full;
    enum simfs_lie lie;
} fs = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- images ---- */

static void image_size(struct image *image, size_t size)
{
    if (size > image->room) {
        size_t room = size < 2 * image->room ? 2 * image->room : size;
        image->bytes = realloc(image->bytes, room);
        assert(image->bytes != NULL);
        memset(image->bytes + image->room, 0, room - image->room);
        image->room = room;
    }
    if (size < image->size)
        memset(image->bytes + size, 0, image->size - size);
    image->size = size;
}

static void image_write(struct image *image, const void *bytes, uint64_t offset, size_t size)
{
    if (offset + size > image->size)
        image_size(image, offset + size);
    memcpy(image->bytes + offset, bytes, size);
}

static void image_copy(struct image *to, const struct image *from)
{
    image_size(to, 0);
    if (from->size > 0)
        image_write(to, from->bytes, 0, from->size);
}

static void apply(struct image *image, const struct change *change)
{
    if (change->bytes != NULL)
        image_write(image, change->bytes, change->offset, change->size);
    else
        image_size(image, change->size);
}

/* Apply some sectors of a write: the first few, all but the first few, or any. */
static void apply_torn(struct image *image, const struct change *change, struct dice *dice)
{
    size_t sectors = (change->size + SECTOR - 1) / SECTOR;
    size_t cut = dice_roll(dice, (uint32_t)sectors + 1);
    uint32_t how = dice_roll(dice, 3);
    for (size_t i = 0; i < sectors; i++) {
        bool kept = how == 0 ? i < cut : how == 1 ? i >= cut : dice_one_in(dice, 2);
        size_t at = i * SECTOR;
        size_t size = change->size - at < SECTOR ? change->size - at : SECTOR;
        if (kept)
            image_write(image, change->bytes + at, change->offset + at, size);
    }
}

/* ---- what may survive ---- */

/* Which of a row of changes that are not yet durable survive: none, all, the first few, or any. */
struct fate {
    uint32_t how;
    size_t upto;
};

static struct fate fate_roll(size_t count)
{
    return (struct fate){dice_roll(&fs.dice, 5), dice_roll(&fs.dice, (uint32_t)count + 1)};
}

static bool fate_keeps(const struct fate *fate, size_t i)
{
    switch (fate->how) {
    case 0:
        return false;
    case 1:
        return true;
    case 2:
        return i < fate->upto;
    case 3:
        return i != fate->upto;
    default:
        return dice_one_in(&fs.dice, 2);
    }
}

static void forget_changes(struct node *node)
{
    for (size_t i = 0; i < node->change_count; i++)
        free(node->changes[i].bytes);
    node->change_count = 0;
}

static void keep_some(struct node *node)
{
    struct fate fate = fate_roll(node->change_count);
    for (size_t i = 0; i < node->change_count; i++) {
        const struct change *change = &node->changes[i];
        if (!fate_keeps(&fate, i))
            continue;
        if (change->bytes != NULL && change->size > SECTOR && dice_one_in(&fs.dice, 3))
            apply_torn(&node->durable, change, &fs.dice);
        else
            apply(&node->durable, change);
    }
    forget_changes(node);
}

static void keep_all(struct node *node)
{
    for (size_t i = 0; i < node->change_count; i++)
        apply(&node->durable, &node->changes[i]);
    forget_changes(node);
}

/* ---- names ---- */

static int find(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->of[i].path, path) == 0)
            return (int)i;
    return NOTHING;
}

static int node_of(const char *path)
{
    int at = find(&fs.now, path);
    return at == NOTHING ? NOTHING : fs.now.of[at].node;
}

static void name_put(struct names *names, const char *path, int node)
{
    int at = find(names, path);
    if (node == NOTHING) {
        if (at != NOTHING)
            names->of[at] = names->of[--names->count];
        return;
    }
    if (at == NOTHING) {
        at = (int)names->count++;
        assert(names->count <= NAMES);
        snprintf(names->of[at].path, PATH, "%s", path);
    }
    names->of[at].node = node;
}

static void op_apply(const struct name_op *op, struct names *names)
{
    for (unsigned i = 0; i < op->count; i++)
        name_put(names, op->sets[i].path, op->sets[i].node);
}

static struct name_op *op_new(void)
{
    assert(fs.op_count < NAME_OPS);
    struct name_op *op = &fs.ops[fs.op_count++];
    op->count = 0;
    return op;
}

static void op_set(struct name_op *op, const char *path, int node)
{
    struct name_set *set = &op->sets[op->count++];
    *set = (struct name_set){.node = node};
    snprintf(set->path, PATH, "%s", path);
}

static bool is_in(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return strncmp(path, folder, size) == 0 && path[size] == '/' &&
           strchr(path + size + 1, '/') == NULL;
}

static bool op_sync(struct name_op *op, const char *folder)
{
    bool all = true;
    for (unsigned i = 0; i < op->count; i++) {
        if (is_in(op->sets[i].path, folder))
            op->sets[i].synced = true;
        all = all && op->sets[i].synced;
    }
    return all;
}

static void sync_folder(const char *folder)
{
    size_t left = 0;
    for (size_t i = 0; i < fs.op_count; i++) {
        if (op_sync(&fs.ops[i], folder))
            op_apply(&fs.ops[i], &fs.durable);
        else
            fs.ops[left++] = fs.ops[i];
    }
    fs.op_count = left;
}

static int node_new(bool is_folder)
{
    assert(fs.node_count < NODES);
    fs.nodes[fs.node_count] =
        (struct node){.is_folder = is_folder, .locked_by = {NOTHING, NOTHING, NOTHING}};
    return fs.node_count++;
}

/* ---- faults ---- */

/* Called before each change. Returns 0, or the error that it fails with. */
static int change_fails(const int *codes, uint32_t count, bool needs_room)
{
    if (fs.crashed)
        return -EIO;
    if (fs.last_change != 0 && fs.changes == fs.last_change) {
        fs.crashed = true;
        return -EIO;
    }
    fs.changes++;
    if (needs_room && fs.full)
        return -ENOSPC;
    if (!dice_one_in(&fs.dice, fs.one_in))
        return 0;
    fs.failed++;
    return codes[dice_roll(&fs.dice, count)];
}

static int any_fails(bool needs_room)
{
    static const int codes[] = {-EIO, -ENOSPC, -EDQUOT};
    return change_fails(codes, needs_room ? 3 : 1, needs_room);
}

/* ---- the calls ---- */

static struct node *node_at(int fd)
{
    int at = fd - FD_BASE;
    if (at < 0 || at >= HANDLES || fs.handles[at].node == NOTHING)
        return NULL;
    return &fs.nodes[fs.handles[at].node];
}

static int handle_new(int node, int flags)
{
    for (int i = 0; i < HANDLES; i++)
        if (fs.handles[i].node == NOTHING) {
            fs.handles[i] = (struct handle){node, (flags & O_DIRECT) != 0};
            return FD_BASE + i;
        }
    return -EMFILE;
}

static int create(const char *path)
{
    static const int codes[] = {-EIO, -ENOSPC, -EMFILE};
    int rc = change_fails(codes, 3, true);
    if (rc < 0)
        return rc;
    int node = node_new(false);
    struct name_op *op = op_new();
    op_set(op, path, node);
    op_apply(op, &fs.now);
    return node;
}

static void note_change(struct node *node, const void *bytes, uint64_t offset, size_t size)
{
    if (node->change_count == node->change_room) {
        node->change_room = node->change_room == 0 ? 16 : 2 * node->change_room;
        node->changes = realloc(node->changes, node->change_room * sizeof *node->changes);
        assert(node->changes != NULL);
    }
    struct change *change = &node->changes[node->change_count++];
    *change = (struct change){.offset = offset, .size = size};
    if (bytes != NULL) {
        change->bytes = malloc(size);
        assert(change->bytes != NULL);
        memcpy(change->bytes, bytes, size);
    }
    apply(&node->now, change);
}

static int open_locked(const char *path, int flags)
{
    int node = node_of(path);
    if (node == NOTHING && (flags & O_CREAT) != 0)
        node = create(path);
    else if (node != NOTHING && (flags & O_EXCL) != 0)
        return -EEXIST;
    else if (node == NOTHING)
        return -ENOENT;
    if (node < 0)
        return node;
    if ((flags & O_DIRECTORY) != 0 && !fs.nodes[node].is_folder)
        return -ENOTDIR;
    if ((flags & O_TRUNC) != 0 && fs.nodes[node].now.size > 0) {
        int rc = any_fails(false);
        if (rc < 0)
            return rc;
        note_change(&fs.nodes[node], NULL, 0, 0);
    }
    return handle_new(node, flags);
}

static int sim_open(const char *path, int flags, mode_t mode)
{
    (void)mode;
    pthread_mutex_lock(&fs.lock);
    int rc = open_locked(path, flags);
    pthread_mutex_unlock(&fs.lock);
    return rc;
}

static int sim_close(int fd)
{
    pthread_mutex_lock(&fs.lock);
    struct node *node = node_at(fd);
    if (node != NULL) {
        for (unsigned byte = 0; byte < LOCK_BYTES; byte++)
            if (node->locked_by[byte] == fd)
                node->locked_by[byte] = NOTHING;
        fs.handles[fd - FD_BASE].node = NOTHING;
    }
    pthread_mutex_unlock(&fs.lock);
    return node != NULL ? 0 : -EBADF;
}

static ssize_t sim_pread(int fd, void *bytes, size_t size, uint64_t offset)
{
    pthread_mutex_lock(&fs.lock);
    const struct node *node = node_at(fd);
    ssize_t n = node == NULL ? -EBADF : node->is_folder ? -EISDIR : 0;
    if (n == 0 && offset < node->now.size) {
        n = (ssize_t)(node->now.size - offset < size ? node->now.size - offset : size);
        memcpy(bytes, node->now.bytes + offset, (size_t)n);
    }
    pthread_mutex_unlock(&fs.lock);
    return n;
}

/* A short write is no fault. A write that fails may have written something. */
static ssize_t write_locked(int fd, const void *bytes, size_t size, uint64_t offset)
{
    struct node *node = node_at(fd);
    if (node == NULL)
        return -EBADF;
    bool direct = fs.handles[fd - FD_BASE].direct, was_crashed = fs.crashed;
    if (direct && (size % SECTOR != 0 || offset % SECTOR != 0))
        return -EINVAL;
    int rc = any_fails(true);
    size_t done = size;
    if (rc < 0 || dice_one_in(&fs.dice, 2 * fs.one_in))
        done = dice_roll(&fs.dice, (uint32_t)(size / SECTOR) + 1) * (size_t)SECTOR;
    if (done > 0 && !was_crashed) /* the last change may be half done */
        note_change(node, bytes, offset, done);
    return rc < 0 ? rc : done > 0 ? (ssize_t)done : -EIO;
}

static ssize_t sim_pwrite(int fd, const void *bytes, size_t size, uint64_t offset)
{
    pthread_mutex_lock(&fs.lock);
    ssize_t n = write_locked(fd, bytes, size, offset);
    pthread_mutex_unlock(&fs.lock);
    return n;
}

static const char *path_of(int node)
{
    for (size_t i = 0; i < fs.now.count; i++)
        if (fs.now.of[i].node == node)
            return fs.now.of[i].path;
    return fs.root;
}

/*
 * A sync that fails drops what it could not write: the pages count as clean, and the file's next
 * sync succeeds. Linux does the same.
 */
static int sync_locked(int fd)
{
    struct node *node = node_at(fd);
    if (node == NULL)
        return -EBADF;
    int rc = any_fails(false);
    if (node->is_folder) {
        if (rc == 0 && fs.lie != SIMFS_LIE_FOLDER)
            sync_folder(path_of(fs.handles[fd - FD_BASE].node));
        return rc;
    }
    if (rc == 0 && fs.lie != SIMFS_LIE_SYNC)
        keep_all(node);
    else if (rc < 0 && !fs.crashed)
        keep_some(node);
    return rc < 0 && fs.lie == SIMFS_LIE_RETRY && !fs.crashed ? 0 : rc;
}

static int sim_fsync(int fd)
{
    pthread_mutex_lock(&fs.lock);
    int rc = sync_locked(fd);
    pthread_mutex_unlock(&fs.lock);
    return rc;
}

static int resize(int fd, uint64_t size, bool grow)
{
    pthread_mutex_lock(&fs.lock);
    struct node *node = node_at(fd);
    int rc = node == NULL ? -EBADF : any_fails(grow);
    if (rc == 0 && (!grow || size > node->now.size))
        note_change(node, NULL, 0, size);
    pthread_mutex_unlock(&fs.lock);
    return rc;
}

static int sim_fallocate(int fd, uint64_t offset, uint64_t size)
{
    return resize(fd, offset + size, true);
}

static int sim_ftruncate(int fd, uint64_t size)
{
    return resize(fd, size, false);
}

static uint64_t links_of(int node)
{
    uint64_t links = 0;
    for (size_t i = 0; i < fs.now.count; i++)
        links += fs.now.of[i].node == node;
    return links;
}

static int stat_node(int node, struct file_stat *stat)
{
    if (node == NOTHING)
        return -ENOENT;
    const struct node *n = &fs.nodes[node];
    *stat = (struct file_stat){n->now.size, links_of(node), !n->is_folder, n->is_folder};
    return 0;
}

static int sim_fstat(int fd, struct file_stat *stat)
{
    pthread_mutex_lock(&fs.lock);
    struct node *node = node_at(fd);
    int rc = node == NULL ? -EBADF : stat_node((int)(node - fs.nodes), stat);
    pthread_mutex_unlock(&fs.lock);
    return rc;
}

static int sim_stat(const char *path, struct file_stat *stat)
{
    pthread_mutex_lock(&fs.lock);
    int rc = stat_node(node_of(path), stat);
    pthread_mutex_unlock(&fs.lock);
    return rc;
}

static int64_t sim_seek_data(int fd, uint64_t offset)
{
    pthread_mutex_lock(&fs.lock);
    const struct node *node = node_at(fd);
    int64_t found = node == NULL ? -EBADF : -ENXIO;
    for (uint64_t at = offset; node != NULL && found < 0 && at < node->now.size; at++)
        if (node->now.bytes[at] != 0)
            found = (int64_t)at;
    pthread_mutex_unlock(&fs.lock);
    return found;
}

static int sim_lock(int fd, unsigned byte)
{
    pthread_mutex_lock(&fs.lock);
    struct node *node = node_at(fd);
    int rc = node == NULL ? -EBADF : node->locked_by[byte] != NOTHING ? -EAGAIN : 0;
    if (rc == 0)
        node->locked_by[byte] = fd;
    pthread_mutex_unlock(&fs.lock);
    return rc;
}

static int sim_unlock(int fd, unsigned byte)
{
    pthread_mutex_lock(&fs.lock);
    struct node *node = node_at(fd);
    if (node != NULL && node->locked_by[byte] == fd)
        node->locked_by[byte] = NOTHING;
    pthread_mutex_unlock(&fs.lock);
    return node == NULL ? -EBADF : 0;
}

static int sim_is_locked(int fd, unsigned byte)
{
    pthread_mutex_lock(&fs.lock);
    const struct node *node = node_at(fd);
    int rc = node == NULL ? -EBADF : node->locked_by[byte] != NOTHING;
    pthread_mutex_unlock(&fs.lock);
    return rc;
}

static int sim_rename(const char *from, const char *to)
{
    pthread_mutex_lock(&fs.lock);
    int node = node_of(from);
    int rc = node == NOTHING ? -ENOENT : any_fails(true);
    if (rc == 0) {
        struct name_op *op = op_new();
        op_set(op, from, NOTHING);
        op_set(op, to, node);
        op_apply(op, &fs.now);
    }
    pthread_mutex_unlock(&fs.lock);
    return rc;
}

static int sim_unlink(const char *path)
{
    pthread_mutex_lock(&fs.lock);
    int rc = node_of(path) == NOTHING ? -ENOENT : any_fails(false);
    if (rc == 0) {
        struct name_op *op = op_new();
        op_set(op, path, NOTHING);
        op_apply(op, &fs.now);
    }
    pthread_mutex_unlock(&fs.lock);
    return rc;
}

static int sim_mkdir(const char *path, mode_t mode)
{
    (void)mode;
    pthread_mutex_lock(&fs.lock);
    int rc = node_of(path) != NOTHING ? -EEXIST : any_fails(true);
    if (rc == 0) {
        struct name_op *op = op_new();
        op_set(op, path, node_new(true));
        op_apply(op, &fs.now);
    }
    pthread_mutex_unlock(&fs.lock);
    return rc;
}

/* Lists the names as they were at the beginning, because `each` may change them. */
static int sim_list(const char *path, int (*each)(const char *name, void *context), void *context)
{
    static struct names names;
    pthread_mutex_lock(&fs.lock);
    int rc = node_of(path) == NOTHING ? -ENOENT : 0;
    names = fs.now;
    pthread_mutex_unlock(&fs.lock);
    for (size_t i = 0; i < names.count && rc == 0; i++)
        if (is_in(names.of[i].path, path))
            rc = each(names.of[i].path + strlen(path) + 1, context);
    return rc;
}

static int name_is_there(const char *name, void *context)
{
    (void)name;
    (void)context;
    return 1;
}

static int sim_rmdir(const char *path)
{
    return sim_list(path, name_is_there, NULL) == 1 ? -ENOTEMPTY : sim_unlink(path);
}

static const struct file_ops simfs_ops = {
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .fsync = sim_fsync,
    .fdatasync = sim_fsync,
    .fallocate = sim_fallocate,
    .ftruncate = sim_ftruncate,
    .fstat = sim_fstat,
    .stat = sim_stat,
    .seek_data = sim_seek_data,
    .lock = sim_lock,
    .unlock = sim_unlock,
    .is_locked = sim_is_locked,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .list = sim_list,
};

/* ---- what a test does with it ---- */

static void close_handles(void)
{
    for (int i = 0; i < HANDLES; i++)
        fs.handles[i].node = NOTHING;
    for (int i = 0; i < fs.node_count; i++)
        for (unsigned byte = 0; byte < LOCK_BYTES; byte++)
            fs.nodes[i].locked_by[byte] = NOTHING;
}

static void put_root(struct names *names, const char *root)
{
    char part[PATH];
    for (const char *at = strchr(root + 1, '/');; at = strchr(at + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", at != NULL ? (int)(at - root) : PATH - 1, root);
        name_put(names, part, node_new(true));
        if (at == NULL)
            break;
    }
}

void simfs_begin(uint64_t seed, const char *root)
{
    simfs_end();
    fs.dice.state = seed;
    fs.lie = SIMFS_HONEST;
    snprintf(fs.root, sizeof fs.root, "%s", root);
    close_handles();
    put_root(&fs.now, root);
    fs.durable = fs.now;
    files = &simfs_ops;
}

void simfs_end(void)
{
    files = &files_posix;
    for (int i = 0; i < fs.node_count; i++) {
        struct node *node = &fs.nodes[i];
        forget_changes(node);
        free(node->changes);
        free(node->now.bytes);
        free(node->durable.bytes);
    }
    fs.node_count = 0;
    fs.now.count = fs.durable.count = 0;
    fs.op_count = 0;
    fs.changes = fs.last_change = fs.one_in = fs.failed = 0;
    fs.crashed = fs.full = false;
}

void simfs_crash_after(unsigned changes)
{
    fs.last_change = changes == 0 ? 0 : fs.changes + changes;
}

bool simfs_has_crashed(void)
{
    return fs.crashed;
}

unsigned simfs_changes(void)
{
    return fs.changes;
}

void simfs_fail_one_in(unsigned sides)
{
    fs.one_in = sides;
}

unsigned simfs_failed(void)
{
    return fs.failed;
}

void simfs_set_full(bool full)
{
    fs.full = full;
}

void simfs_set_lie(enum simfs_lie lie)
{
    fs.lie = lie;
}

static void cut_power(void)
{
    struct fate fate = fate_roll(fs.op_count);
    for (size_t i = 0; i < fs.op_count; i++)
        if (fate_keeps(&fate, i))
            op_apply(&fs.ops[i], &fs.durable);
    fs.op_count = 0;
    fs.now = fs.durable;
    for (int i = 0; i < fs.node_count; i++) {
        keep_some(&fs.nodes[i]);
        image_copy(&fs.nodes[i].now, &fs.nodes[i].durable);
    }
}

void simfs_restart(bool power_cut)
{
    close_handles();
    if (power_cut)
        cut_power();
    fs.changes = fs.last_change = fs.one_in = 0;
    fs.crashed = fs.full = false;
}
