#ifndef CALLS_H
#define CALLS_H
/*
 * What tests of the C calls share: functions that leave a mark each time they run, whatever process they run
 * in, and a context in the folder of the case.
 */
#include <deja.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"

static const uint32_t backends[] = {DEJA_PROCESS, DEJA_THREAD, DEJA_ASYNC, DEJA_INLINE};
#define BACKENDS (sizeof backends / sizeof *backends)

/* One byte a run: the working directory of a case is the same in all processes. */
static inline void mark(void)
{
    int fd = open("runs", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1)
        abort();
    close(fd);
}

static inline long runs(void)
{
    struct stat st;
    return stat("runs", &st) ? 0 : (long)st.st_size;
}

static inline int add(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int64_t sum = 0;
    mark();
    for (size_t i = 0; i < n; i++) {
        if (arg[i].kind != DEJA_I64)
            return deja_fail(err, DEJA_ETYPE, "wants whole numbers");
        sum += arg[i].i64;
    }
    return deja_return(out, deja_i64(sum));
}

static inline int fail_on_13(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    mark();
    return arg->i64 == 13 ? deja_fail(err, DEJA_EINVAL, "13 is bad luck") : deja_return(out, *arg);
}

static inline deja *open_with(uint32_t flags)
{
    deja_error err;
    deja *d = deja_open(DEJA_OPTIONS(.flags = flags, .cache = "cache", .workers = 2), &err);
    if (!d)
        fail_msg("%s", err.text);
    return d;
}

static inline deja_fn *define_on(deja *d, uint32_t backend, const char *name, deja_job_fn function)
{
    deja_error err;
    deja_fn *f = deja_define(d, name, "1", function, DEJA_FN_OPTIONS(.backend = backend), &err);
    if (!f)
        fail_msg("%s", err.text);
    return f;
}

static sigjmp_buf fault;

static inline void jump_out(int signal)
{
    siglongjmp(fault, signal);
}

/* 1: a write to `at` is a fault. */
static inline int write_faults(const void *at)
{
    struct sigaction old, catch = {.sa_handler = jump_out};
    volatile int faults = 1;
    sigaction(SIGSEGV, &catch, &old);
    if (sigsetjmp(fault, 1) == 0) {
        *(volatile char *)(uintptr_t)at = 77;
        faults = 0;
    }
    sigaction(SIGSEGV, &old, NULL);
    return faults;
}

/* The result of a call that must succeed. */
static inline int64_t call_i64(deja_fn *f, int64_t a, int64_t b)
{
    deja_error err;
    int64_t x;
    if (deja_call_i64(f, DEJA_ARGS(a, b), &x, &err) < 0)
        fail_msg("%s", err.text);
    return x;
}

#endif
