/* A whole file as a pack: the archive, the names in it, the manifest at its end. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/bundle.h"

#define BYTES_MAX (4u << 20) /* what a few bytes under zstd may become */

static int count(uint64_t bytes, void *context)
{
    uint64_t *left = context;
    if (bytes > *left)
        return 1;
    *left -= bytes;
    return 0;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat;
    (void)walk;
    assert(flag == FTW_F || flag == FTW_DP); /* folders and files: nothing that leads elsewhere */
    return remove(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[64], folder[] = "/dev/shm/tdk-fuzz-XXXXXX";
    uint64_t left = BYTES_MAX;
    struct tdk_err err;
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || mkdtemp(folder) == NULL)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int rc = bundle_extract(path, folder, count, &left, &err);
    assert(rc <= 0 && (rc == 0 || strlen(err.text) > 0));
    if (nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        abort();
    close(fd);
    return 0;
}
