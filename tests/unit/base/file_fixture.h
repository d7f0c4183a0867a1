#ifndef FILE_FIXTURE_H
#define FILE_FIXTURE_H
/*
 * Files of the working directory: written, compared and counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static inline void write_file(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(deja_file_write_all(fd, data, len, path, NULL), 0);
    close(fd);
}

static inline void assert_content(const char *path, const char *expected)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(deja_file_load(AT_FDCWD, path, 1 << 20, &b, NULL), 0);
    assert_string_equal(deja_buffer_string(&b), expected);
}

static inline int count_names(const char *folder)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static inline int count_open(void)
{
    return count_names("/proc/self/fd");
}

#endif
