/* A file, packed or not. Its bytes are the same however many of them are asked for at once. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "formats/input.h"

#define BYTES_MAX ((size_t)8 << 20) /* what is packed may become a thousand times as large */

struct outcome {
    int opened, status;
    size_t size;
    uLong sum;
};

static struct outcome read_all(const char *path, size_t step)
{
    struct input *input;
    struct outcome outcome = {.sum = crc32(0, NULL, 0)};
    outcome.opened = input_open(&input, path, NULL);
    if (outcome.opened < 0)
        return outcome;
    while (outcome.size < BYTES_MAX) {
        size_t have = input_peek(input, step);
        if (have == 0)
            break;
        size_t size = have < step ? have : step;
        assert(input_offset(input) == outcome.size);
        outcome.sum = crc32(outcome.sum, input->at, (uInt)size);
        outcome.size += size;
        input_consume(input, size);
    }
    if (outcome.size < BYTES_MAX)
        outcome.status = input_status(input, NULL);
    input_close(input);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[64];
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct outcome small = read_all(path, 4096), large = read_all(path, 2 * BYTES_MAX);
    close(fd);
    assert(small.opened == large.opened);
    if (small.size < BYTES_MAX && large.size < BYTES_MAX)
        assert(small.status == large.status && small.size == large.size && small.sum == large.sum);
    return 0;
}
