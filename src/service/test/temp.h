/* A temporary folder for one test. */
#ifndef GB_TEST_TEMP_H
#define GB_TEST_TEMP_H

#include <dirent.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline int temp_remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at) {
    (void)info;
    (void)at;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

/* dir: a buffer of at least 64 bytes. False when none can be made. */
static inline bool temp_make(char *dir) {
    const char *base = getenv("TMPDIR");
    snprintf(dir, 64, "%.40s/gb-test-XXXXXX", base != NULL ? base : "/tmp");
    return mkdtemp(dir) != NULL;
}

static inline void temp_remove(const char *dir) { (void)nftw(dir, temp_remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

#endif
