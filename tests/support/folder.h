/* folder.h - scratch folders for tests, in memory if the host has a tmpfs. */
#ifndef TDK_TESTS_FOLDER_H
#define TDK_TESTS_FOLDER_H

#include "tests/support/check.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#define FOLDER_PATH 64

static inline void folder_make(char path[FOLDER_PATH])
{
    const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(path, FOLDER_PATH, "%s/tdk-test-XXXXXX", where);
    assert_non_null(mkdtemp(path));
}

static inline int folder_remove_one(const char *path, const struct stat *stat, int flag,
                                    struct FTW *walk)
{
    (void)stat;
    (void)flag;
    (void)walk;
    return remove(path);
}

static inline void folder_remove(const char *path)
{
    nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* For cmocka_unit_test_setup_teardown(): *state is the path of a folder for this test alone. */
static inline int folder_setup(void **state)
{
    char *path = malloc(FOLDER_PATH);
    assert_non_null(path);
    folder_make(path);
    *state = path;
    return 0;
}

static inline int folder_teardown(void **state)
{
    folder_remove(*state);
    free(*state);
    return 0;
}

/* The number of names in the folder. */
static inline int folder_count(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* The same for a folder in it. */
static inline int folder_count_in(const char *path, const char *name)
{
    char inner[128];
    snprintf(inner, sizeof inner, "%s/%s", path, name);
    return folder_count(inner);
}

#endif
