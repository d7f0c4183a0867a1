/*
 * Single calls through the C API, no cache. Usage as figure.h says.
 *
 *     submit-next     no-ops, one a message, a thousand in flight
 *     latency         one call of a worker that sleeps, median; latency-pool: against Pool.apply;
 * latency-futex: against two processes that wake each other by futex(2), as the machine's mood decides both
 *     respawn         from the news that a worker died to the answer of its successor, 4 GB resident here
 *     async-waits     100,000 coroutines that sleep 100 ms ten times, from the first submit to the last
 * answer, against that second; async-waits-memory: resident bytes for each at the height of it
 */
#include "calls_open.h"
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WINDOW = 1000, SLEEP_MS = 100, SLEEPS = 10 };

static int nothing(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)err;
    return deja_return(out, deja_null());
}

static int die(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    return raise(SIGKILL);
}

static int sleeper(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    for (int i = 0; i < SLEEPS; i++)
        deja_sleep_ms(SLEEP_MS);
    return 0;
}

static void submit(deja_fn *f)
{
    deja_error err;
    figure_check(!deja_submit(f, DEJA_ARGS(1), &err), err.text);
}

static void take(deja *d, deja_done *done)
{
    deja_error err = {0};
    figure_check(deja_next(d, -1, done, &err) != 1, err.text);
    figure_check(done->code < 0, done->error);
}

static double tasks_per_second(deja *d, deja_fn *f, long tasks)
{
    deja_done done = {0};
    double begin = figure_now();
    for (long in = 0, out = 0; out < tasks; out++) {
        for (; in < tasks && in - out < WINDOW; in++)
            submit(f);
        take(d, &done);
    }
    double seconds = figure_now() - begin;
    deja_done_free(&done);
    return (double)tasks / seconds / 1e6;
}

static void measure_submit(const figures *s)
{
    static figure row = {.name = "submit-next", .unit = "M/s", .asked = ">= 0.5"};
    deja *d = calls_open(DEJA_NO_CACHE, 0, NULL);
    deja_fn *f = calls_define(d, "nothing", nothing, DEJA_PROCESS);
    tasks_per_second(d, f, WINDOW);
    for (long i = 0; i < s->rounds; i++)
        figure_round(&row, tasks_per_second(d, f, 1000000 / s->scale), -1);
    figure_print(&row);
    deja_close(d);
}

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
    syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/* The other process of the pair; it is killed. */
_Noreturn static void echo(_Atomic uint32_t *word)
{
    for (uint32_t i = 1;; i++) {
        while (word[0] != i)
            futex(word, FUTEX_WAIT, i - 1);
        word[16] = i;
        futex(word + 16, FUTEX_WAKE, 1);
    }
}

/* There and back between two processes. */
static double futex_us(void)
{
    double us[201];
    _Atomic uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    figure_check(word == MAP_FAILED, "out of memory");
    pid_t pid = fork();
    if (pid == 0)
        echo(word);
    for (uint32_t i = 0; i < 201; i++) {
        poll(NULL, 0, 2);
        double begin = figure_now();
        word[0] = i + 1;
        futex(word, FUTEX_WAKE, 1);
        while (word[16] != i + 1)
            futex(word + 16, FUTEX_WAIT, i);
        us[i] = (figure_now() - begin) * 1e6;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    munmap(word, 4096);
    return figure_median(us, 201);
}

static double call_us(deja_fn *f)
{
    double us[201];
    for (int i = 0; i < 201; i++) {
        poll(NULL, 0, 2); /* it sleeps by now */
        double begin = figure_now();
        deja_results_free(calls_call(f, DEJA_ARGS(1)));
        us[i] = (figure_now() - begin) * 1e6;
    }
    return figure_median(us, 201);
}

static void measure_latency(const figures *s)
{
    static figure plain = {.name = "latency", .unit = "us", .asked = "<= 10"};
    static figure pool = {.name = "latency-pool", .unit = "us", .asked = "<= 0.35", .reference = "python3"};
    static figure bare = {.name = "latency-futex", .unit = "us", .reference = "futex"};
    deja *d = calls_open(DEJA_NO_CACHE, 1, NULL);
    deja_fn *f = calls_define(d, "nothing", nothing, DEJA_PROCESS);
    for (long i = 0; i < s->rounds; i++) {
        double us = call_us(f);
        figure_round(&bare, us, futex_us());
        figure_round(&plain, us, -1);
        if (figures_want(s, pool.name))
            figure_round(&pool, us, figures_peer(s, "apply 201"));
    }
    if (figures_want(s, plain.name))
        figure_print(&plain);
    if (figures_want(s, bare.name))
        figure_print(&bare);
    if (figures_want(s, pool.name))
        figure_print(&pool);
    deja_close(d);
}

/* As much as there is room for: half of what is free, 4 GB at most. */
static char *resident(size_t *ret_bytes, long scale)
{
    size_t most = ((size_t)4 << 30) / (size_t)scale;
    size_t half = (size_t)sysconf(_SC_AVPHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) / 2;
    *ret_bytes = most < half ? most : half;
    char *memory = malloc(*ret_bytes);
    figure_check(!memory, "out of memory");
    for (size_t i = 0; i < *ret_bytes; i += 4096)
        memory[i] = 1;
    return memory;
}

static double respawn_ms(deja_fn *f, deja_fn *g)
{
    deja_error err;
    double ms[21];
    for (int i = 0; i < 21; i++) {
        figure_check(deja_call(g, DEJA_ARGS(1), &err) != NULL, "a killed worker has answered");
        double begin = figure_now();
        deja_results_free(calls_call(f, DEJA_ARGS(1)));
        ms[i] = (figure_now() - begin) * 1e3;
    }
    return figure_median(ms, 21);
}

static void measure_respawn(const figures *s)
{
    static figure row = {.name = "respawn", .unit = "ms", .asked = "<= 0.5"};
    size_t bytes;
    deja *d = calls_open(DEJA_NO_CACHE, 1, NULL);
    deja_fn *f = calls_define(d, "nothing", nothing, DEJA_PROCESS),
            *g = calls_define(d, "die", die, DEJA_PROCESS);
    char *memory = resident(&bytes, s->scale);
    if (bytes >> 30 < 4 && s->scale == 1)
        fprintf(stderr, "respawn: with %zu MB resident, for lack of memory\n", bytes >> 20);
    for (long i = 0; i < s->rounds; i++)
        figure_round(&row, respawn_ms(f, g), -1);
    figure_print(&row);
    free(memory);
    deja_close(d);
}

static double resident_bytes(void)
{
    long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    figure_check(!f || fscanf(f, "%ld %ld", &size, &pages) != 2, "read /proc/self/statm");
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* A context for itself: what earlier ones left must not serve as memory of this one. */
static double waits(long count, double *ret_bytes)
{
    deja_done done = {0};
    deja *d = calls_open(DEJA_NO_CACHE | DEJA_NO_WORKERS, 1, NULL);
    deja_fn *f = calls_define(d, "sleeper", sleeper, DEJA_ASYNC);
    double before = resident_bytes(), begin = figure_now();
    for (long i = 0; i < count; i++)
        submit(f);
    while (figure_now() < begin + 0.75e-3 * SLEEP_MS * SLEEPS)
        poll(NULL, 0, 10);
    *ret_bytes = (resident_bytes() - before) / (double)count;
    for (long i = 0; i < count; i++)
        take(d, &done);
    double seconds = figure_now() - begin;
    deja_done_free(&done);
    deja_close(d);
    return seconds;
}

static void measure_waits(const figures *s)
{
    static figure time = {.name = "async-waits", .unit = "s", .asked = "<= 1.15", .reference = "the ideal"};
    static figure memory = {.name = "async-waits-memory", .unit = "bytes", .asked = "<= 9216"};
    for (long i = 0; i < s->rounds; i++) {
        double bytes, seconds = waits(100000 / s->scale, &bytes);
        figure_round(&time, seconds, 1e-3 * SLEEP_MS * SLEEPS);
        figure_round(&memory, bytes, -1);
    }
    if (figures_want(s, time.name))
        figure_print(&time);
    if (figures_want(s, memory.name))
        figure_print(&memory);
}

int main(int argc, char **argv)
{
    figures s;
    figures_parse(&s, argc, argv);
    if (figures_want(&s, "async-waits") || figures_want(&s, "async-waits-memory"))
        measure_waits(&s);
    if (figures_want(&s, "submit-next"))
        measure_submit(&s);
    if (figures_want(&s, "latency") || figures_want(&s, "latency-pool") || figures_want(&s, "latency-futex"))
        measure_latency(&s);
    if (figures_want(&s, "respawn"))
        measure_respawn(&s);
    return 0;
}
