/*
 * Large arrays as arguments and as results. Usage as figure.h says.
 *
 *     shared-array           a 400 MB array of deja_array_new passed to eight calls that sum it, two workers,
 * pool warm, no cache (so that nothing is hashed), against one process that loops shared-array-memory    peak
 * of the proportional set sizes of all processes meanwhile, against the array's bytes array-result a 1 GB
 * array from a worker, hashed and stored, until it is durable, against write(2), fsync, rename and fsync of
 * the folder for the same bytes, which lie there already array-result-readable  until the caller has it,
 * against the same
 */
#include "calls_open.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CALLS = 8 };

static double sum_of(const double *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    return sum;
}

static int total(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    return deja_return(out, deja_f64(sum_of(arg->array->data, arg->array->shape[0])));
}

static void fill(double *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = (double)(i & 1023);
}

static int numbers(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n;
    double *y = deja_return_array(out, DEJA_F64, 1, &arg->i64, err);
    if (y)
        fill(y, arg->i64);
    return y ? 0 : err->code;
}

/* ---- shared ---- */

/* kB of one process, -1 when it is gone. */
static double pss_of(const char *pid)
{
    char path[300], line[256];
    double kb = -1;
    snprintf(path, sizeof path, "/proc/%.20s/smaps_rollup", pid);
    FILE *f = fopen(path, "re");
    while (f && kb < 0 && fgets(line, sizeof line, f))
        sscanf(line, "Pss: %lf", &kb);
    if (f)
        fclose(f);
    return kb;
}

/* This process, or one that the pool has made: those are called deja-zygote and deja-worker. */
static int is_ours(const char *pid)
{
    char path[300], name[32] = "";
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    FILE *f = fopen(path, "re");
    int found = f && fscanf(f, "%31s", name) == 1;
    if (f)
        fclose(f);
    return atol(pid) == getpid() ||
           (found && strncmp(name, "deja-", 5) == 0 && getsid((pid_t)atol(pid)) == getsid(0));
}

static double pss_bytes(void)
{
    double kb = 0;
    DIR *all = opendir("/proc");
    figure_check(!all, "/proc cannot be read");
    for (struct dirent *e; (e = readdir(all));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && is_ours(e->d_name)) {
            double one = pss_of(e->d_name);
            kb += one > 0 ? one : 0;
        }
    closedir(all);
    return kb * 1024;
}

static void take(deja *d, double sum, double *peak)
{
    deja_error err = {0};
    deja_done done = {0};
    int rc;
    while ((rc = deja_next(d, peak ? 10 : -1, &done, &err)) == DEJA_ETIMEDOUT) {
        double now = pss_bytes();
        *peak = now > *peak ? now : *peak;
    }
    figure_check(rc != 1 || done.code < 0, done.error ? done.error : err.text);
    figure_check(done.value->f64 != sum, "a sum is wrong");
    deja_done_free(&done);
}

/* Seconds; `peak`, unless NULL, gets the peak of memory, and the time means nothing. */
static double pass(deja *d, deja_fn *f, const deja_array *x, double sum, double *peak)
{
    deja_error err;
    double begin = figure_now();
    for (int i = 0; i < CALLS; i++)
        figure_check(!deja_submit(f, DEJA_ARGS(x), &err), err.text);
    for (int i = 0; i < CALLS; i++)
        take(d, sum, peak);
    if (peak) { /* both workers have all of it mapped now */
        double now = pss_bytes();
        *peak = now > *peak ? now : *peak;
    }
    return figure_now() - begin;
}

static double loop(const double *x, int64_t count, double sum)
{
    double begin = figure_now();
    for (int i = 0; i < CALLS; i++)
        figure_check(sum_of(x, count) != sum, "a sum is wrong");
    return figure_now() - begin;
}

static double *plain(int64_t count)
{
    double *y = malloc((size_t)count * sizeof *y);
    figure_check(!y, "out of memory");
    fill(y, count);
    return y;
}

static void measure_shared(const figures *s)
{
    static figure time = {.name = "shared-array", .unit = "s", .asked = "<= 1.1", .reference = "one process"};
    static figure memory = {
        .name = "shared-array-memory", .unit = "MB", .asked = "<= 1.15", .reference = "the array"};
    deja_error err;
    int64_t count = 400000000 / 8 / s->scale;
    double bytes = (double)count * 8, peak = 0;
    deja *d = calls_open(DEJA_NO_CACHE, 2, NULL);
    deja_fn *f = calls_define(d, "total", total, DEJA_PROCESS);
    deja_array *x = deja_array_new(d, DEJA_F64, 1, &count, &err);
    figure_check(!x, err.text);
    fill(x->data, count);
    double sum = sum_of(x->data, count);
    for (long i = 0; i < s->rounds; i++) {
        pass(d, f, x, sum, &peak);
        figure_round(&memory, peak / 1e6, bytes / 1e6);
    }
    double *y = plain(count);
    for (long i = 0; i < s->rounds; i++)
        figure_round(&time, pass(d, f, x, sum, NULL), loop(y, count, sum));
    free(y);
    deja_close(d);
    if (figures_want(s, time.name))
        figure_print(&time);
    if (figures_want(s, memory.name))
        figure_print(&memory);
}

/* ---- results ---- */

static void write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        figure_check(n <= 0, "the disk cannot be written to");
        data += n;
        len -= (size_t)n;
    }
}

static double written(const char *parent, const double *data, int64_t count)
{
    char from[4300], to[4300];
    snprintf(from, sizeof from, "%s/written.new", parent);
    snprintf(to, sizeof to, "%s/written", parent);
    double begin = figure_now();
    int fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    write_all(fd, (const char *)data, (size_t)count * sizeof *data);
    figure_check(fsync(fd) || rename(from, to) || fsync(folder), "the disk cannot be synced");
    double seconds = figure_now() - begin;
    close(fd);
    close(folder);
    unlink(to);
    sync();
    return seconds;
}

static double stored(deja *d, deja_fn *f, int64_t count, double *ret_readable)
{
    deja_error err;
    double begin = figure_now();
    deja_results *r = calls_call(f, DEJA_ARGS(count));
    *ret_readable = figure_now() - begin;
    figure_check(deja_sync(d, &err) < 0, err.text);
    double seconds = figure_now() - begin;
    figure_check(((const double *)deja_results_at(r, 0)->array->data)[1023] != 1023, "a result is wrong");
    deja_results_free(r);
    figure_check(deja_forget_all(d, &err) < 0, err.text);
    sync();
    return seconds;
}

/* 1 GB, or less where there is not thrice as much memory or disk. */
static int64_t result_count(const figures *s)
{
    int64_t pages = sysconf(_SC_AVPHYS_PAGES), bytes = (INT64_C(1) << 30) / s->scale;
    while (s->scale == 1 && bytes > INT64_C(1) << 26 && pages * sysconf(_SC_PAGESIZE) < 3 * bytes)
        bytes /= 2;
    return bytes / 8;
}

static void measure_result(figures *s)
{
    static figure durable = {
        .name = "array-result", .unit = "s", .asked = "<= 1", .reference = "write and fsync"};
    static figure readable = {.name = "array-result-readable", .unit = "s", .reference = "write and fsync"};
    char cache[4300];
    int64_t count = result_count(s);
    snprintf(cache, sizeof cache, "%s/cache", figures_folder(s));
    deja *d = calls_open(0, 1, cache);
    deja_fn *f = calls_define(d, "numbers", numbers, DEJA_PROCESS);
    double *y = plain(count);
    for (long i = 0; i < s->rounds; i++) {
        double until, seconds = stored(d, f, count, &until), reference = written(s->folder, y, count);
        figure_round(&durable, seconds, reference);
        figure_round(&readable, until, reference);
    }
    free(y);
    deja_close(d);
    figures_done(s);
    if (figures_want(s, durable.name))
        figure_print(&durable);
    if (figures_want(s, readable.name))
        figure_print(&readable);
}

int main(int argc, char **argv)
{
    figures s;
    figures_parse(&s, argc, argv);
    if (figures_want(&s, "shared-array") || figures_want(&s, "shared-array-memory"))
        measure_shared(&s);
    if (figures_want(&s, "array-result") || figures_want(&s, "array-result-readable"))
        measure_result(&s);
    return 0;
}
