#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H
/*
 * A cache in the folder "cache" of the working directory, results put into it and looked up: what the tests
 * of the store share. Every helper asserts that it succeeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <deja/cache.h>
#include <deja/memory.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static inline deja_cache *open_cache(const char *folder)
{
    deja_cache_options options = {.size = sizeof options, .folder = folder};
    deja_cache *c = NULL;
    deja_error err = {0};
    if (deja_cache_open(&c, &options, &err))
        fail_msg("open: %s", err.text);
    return c;
}

/* Waits until `step` is finished, `begun` being what ..._begin returned. */
static inline int wait_step(deja_cache *c, deja_step *step, int begun)
{
    if (begun)
        return step->status;
    deja_cache_hurry(c);
    for (;;) {
        struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
        assert_true(poll(&p, 1, 20000) == 1 || errno == EINTR);
        for (deja_step *s; (s = deja_cache_next(c));)
            if (s == step)
                return step->status;
    }
}

static inline deja_hash key_of(const char *encoding)
{
    return deja_hash_bytes(encoding, strlen(encoding));
}

static inline deja_result result_of(const char *encoding, const char *out)
{
    return (deja_result){.key = key_of(encoding),
                         .encoding = encoding,
                         .encoding_len = strlen(encoding),
                         .label = encoding,
                         .wall_ns = 1000,
                         .out = {.data = out, .len = strlen(out), .fd = -1},
                         .err = {.data = "", .len = 0, .fd = -1},
                         .root_fd = AT_FDCWD};
}

/* Seals and commits; the status of the first that fails. */
static inline int keep(deja_cache *c, deja_result *r)
{
    int status = wait_step(c, &r->step, deja_result_seal_begin(c, r));
    return status ? status : wait_step(c, &r->step, deja_result_commit_begin(c, r));
}

static inline void store(deja_cache *c, const char *encoding, const char *out)
{
    deja_result r = result_of(encoding, out);
    if (keep(c, &r))
        fail_msg("store: %s", r.step.error.text);
    deja_result_done(&r);
}

static inline deja_entry *look(deja_cache *c, const char *encoding)
{
    deja_lookup l = {.key = key_of(encoding), .encoding = encoding, .encoding_len = strlen(encoding)};
    deja_error err = {0};
    if (deja_cache_lookup(c, &l, 1, &err))
        fail_msg("look-up: %s", err.text);
    return l.entry;
}

static inline void assert_out(const deja_entry *e, const char *out)
{
    assert_non_null(e);
    assert_int_equal(e->out.where, DEJA_STORED_INLINE);
    assert_int_equal(e->out.content.size, strlen(out));
    assert_memory_equal(e->out.data, out, strlen(out));
}

static inline void write_file(const char *path, const void *data, size_t len, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static inline void assert_file(const char *path, const void *data, size_t len)
{
    deja_buffer b = {0};
    char chunk[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_msg("no file '%s'", path);
    for (ssize_t n; (n = read(fd, chunk, sizeof chunk)) > 0;)
        deja_buffer_add(&b, chunk, (size_t)n);
    close(fd);
    assert_int_equal(b.len, len);
    if (len)
        assert_memory_equal(b.data, data, len);
    deja_buffer_done(&b);
}

/* Big enough for a blob; the content depends on `seed`. */
#define BIG_BYTES 100000
static inline char *big(unsigned seed)
{
    char *data = deja_realloc(NULL, BIG_BYTES);
    assert_non_null(data);
    for (size_t i = 0; i < BIG_BYTES; i++)
        data[i] = (char)((i * 31 + seed * 17 + i / 251) & 0xff);
    return data;
}

/* The next warning, asserted to be there when `expected`. */
static inline void assert_warning(deja_cache *c, const char *part)
{
    char *text = deja_cache_take_warning(c);
    if (!part && text)
        fail_msg("unexpected warning: %s", text);
    if (part && (!text || !strstr(text, part)))
        fail_msg("expected a warning with '%s', got: %s", part, text ? text : "none");
    deja_free(text);
}

/* Blob files of a cache. */
static inline int count_blobs(const char *cache)
{
    int n = 0;
    for (int i = 0; i < 256; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/blobs/%02x", cache, (unsigned)i);
        DIR *dir = opendir(path);
        for (struct dirent *e; dir && (e = readdir(dir));)
            n += e->d_name[0] != '.';
        if (dir)
            closedir(dir);
    }
    return n;
}

/* Nobody has written for an hour. */
static inline void let_rest(const char *path)
{
    struct timespec before[2];
    clock_gettime(CLOCK_REALTIME, &before[0]);
    before[0].tv_sec -= 3600;
    before[1] = before[0];
    assert_int_equal(utimensat(AT_FDCWD, path, before, 0), 0);
}

#endif
