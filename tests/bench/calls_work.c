/*
 * The work that backends are compared by, one program from start to end:
 *     calls_work BACKEND WORK COUNT [STEPS]    BACKEND: process, thread, async, inline, or loop (no deja)
 *     calls_work calibrate NS                  prints the STEPS that take so many ns
 * WORK, COUNT times over: io opens /dev/urandom and reads 100 bytes; cpu sums squares up to 10^4, or up to
 * STEPS to last as long as another language; mixed does both.
 */
#include "calls_open.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { IO = 1, CPU = 2, SUMMANDS = 10000 };

static long read_bytes(void)
{
    char buffer[100];
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof buffer);
    if (fd >= 0)
        close(fd);
    return (long)n;
}

__attribute__((noinline)) static uint64_t sum_squares(uint64_t most)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < most; i++) {
        sum += i * i;
        __asm__ volatile(""
                         : "+r"(sum)); /* no formula instead, no four at once: it is a loop that is meant */
    }
    return sum;
}

static int do_work(int64_t what, int64_t steps)
{
    int ok = 1;
    if (what & IO)
        ok = read_bytes() == 100;
    if (what & CPU)
        ok &= sum_squares((uint64_t)steps) > 0;
    return ok;
}

static int work(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    if (!do_work(arg[0].i64, arg[1].i64))
        return deja_fail(err, DEJA_EIO, "/dev/urandom cannot be read");
    return deja_return(out, deja_i64(0));
}

/* Medians on both sides, not the best: what shares the machine slows a loop of C and one of Python
 * differently. */
static long calibrate(double ns)
{
    volatile uint64_t sink = 0, most = 100 * SUMMANDS;
    double step[801];
    for (int i = 0; i < 801; i++) {
        double begin = figure_now();
        sink = sum_squares(most);
        step[i] = (figure_now() - begin) * 1e9 / (100 * SUMMANDS);
    }
    (void)sink;
    return (long)(ns / figure_median(step, 801) + 0.5);
}

static void loop(int64_t what, size_t count, int64_t steps)
{
    for (size_t i = 0; i < count; i++)
        figure_check(!do_work(what, steps), "/dev/urandom cannot be read");
}

static void spread(uint32_t backend, int64_t what, size_t count, int64_t steps)
{
    uint32_t flags = DEJA_NO_CACHE | (backend == DEJA_PROCESS ? 0 : DEJA_NO_WORKERS);
    deja *d = calls_open(flags, 0, NULL);
    deja_fn *f = calls_define(d, "work", work, backend);
    deja_value *rows = malloc(count * 2 * sizeof *rows);
    figure_check(!rows, "out of memory");
    for (size_t i = 0; i < count; i++)
        rows[2 * i] = deja_i64(what), rows[2 * i + 1] = deja_i64(steps);
    calls_map(f, rows, count, 2);
    free(rows);
    deja_close(d);
}

int main(int argc, char **argv)
{
    static const char *const backends[] = {"process", "thread", "async", "inline"};
    static const char *const works[] = {"io", "cpu", "mixed"};
    if (argc == 3 && strcmp(argv[1], "calibrate") == 0)
        return printf("%ld\n", calibrate(atof(argv[2]))) < 0;
    int64_t what = 0, steps = argc > 4 ? atoll(argv[4]) : SUMMANDS;
    for (int i = 0; argc > 3 && i < 3; i++)
        if (strcmp(argv[2], works[i]) == 0)
            what = i + 1;
    figure_check(!what, "usage: calls_work BACKEND WORK COUNT [STEPS]");
    size_t count = strtoul(argv[3], NULL, 10);
    if (strcmp(argv[1], "loop") == 0)
        return loop(what, count, steps), 0;
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(argv[1], backends[i]) == 0)
            return spread(i, what, count, steps), 0;
    figure_check(1, "there is no such backend");
}
