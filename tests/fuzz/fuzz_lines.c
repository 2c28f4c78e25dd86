/* A whole file of any kind through a source: detection, gzip, zstd, lines, DBN. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/source.h"

static void read_all(const char *path, enum source_format format)
{
    struct source_options options = {.format = format, .payload_max = 4096};
    struct source *source;
    struct source_item item;
    struct tdk_err err;
    if (source_open(&source, path, &options, &err) < 0)
        return;
    for (;;) {
        int rc = source_next(source, &item, &err);
        assert(rc <= 1);
        if (rc != 1 && rc != TDK_EVALUE)
            break;
        assert(rc != 1 || item.size <= options.payload_max);
    }
    assert(source_next(source, &item, &err) == 0);
    source_close(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[64];
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (enum source_format format = SOURCE_AUTO; format <= SOURCE_LINES; format++)
        read_all(path, format);
    close(fd);
    return 0;
}
