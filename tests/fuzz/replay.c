/* Gives each file of a folder to a fuzzer, so that every test run sees what fuzzing has found. Each
 * file is also cut: a small one at each byte, others at up to CUTS places. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define SIZE_MAX_INPUT (1 << 20)
#define CUTS           24

/* Run on memory of exactly this size, so that a sanitizer sees a read one byte too far. */
static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        abort();
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay(const char *folder, const char *name)
{
    static uint8_t bytes[SIZE_MAX_INPUT];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 0; cut < size; cut += 1 + size / CUTS)
        run(bytes, cut);
    run(bytes, size);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    unsigned count = 0;
    if (folder == NULL) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.') {
            if (replay(argv[1], entry->d_name) < 0)
                return 1;
            count++;
        }
    closedir(folder);
    printf("%u inputs\n", count);
    return count > 0 ? 0 : 1;
}
