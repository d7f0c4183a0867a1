#ifndef DEJA_SCRATCH_H
#define DEJA_SCRATCH_H
/*
 * A folder of its own for a test: made below $TMPDIR or /tmp, removed with all it holds. As setup and
 * teardown of a cmocka case: *state is the folder's path, and the working directory of the case.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    char folder[4096];
    (void)st;
    if (kind == FTW_DNR)
        chmod(path, 0700);
    if (remove(path) == 0)
        return 0;
    if (errno != EACCES || at->level == 0)
        return -1;
    /* in a folder that a case has closed */
    snprintf(folder, sizeof folder, "%.*s", at->base, path);
    return chmod(folder, 0700) ? -1 : remove(path);
}

static inline int scratch_setup(void **state)
{
    static char path[4096];
    const char *parent = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/deja-test-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(path) || chdir(path))
        return -1;
    *state = path;
    return 0;
}

static inline int scratch_teardown(void **state)
{
    if (chdir("/"))
        return -1;
    return nftw(*state, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
