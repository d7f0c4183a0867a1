/*
 * pool_map [ITEMS [NS]]: a map of a function that takes NS ns (100) over ITEMS numbers (1,000,000), from one
 * shared array into another, pool warm, against libgomp with schedule(dynamic, the same chunk), where the
 * compiler has OpenMP. Medians of 7; ratio is OpenMP's time / ours.
 */
#include <deja/clock.h>
#include <deja/pool.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { rounds = 7 };

static long steps = 20; /* of a dependent chain: set in calibrate() */

__attribute__((noinline)) static double work(double x, long n)
{
    for (long i = 0; i < n; i++)
        x = x * 0.999 + 0.001;
    return x;
}

static int job(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    return deja_return(out, deja_f64(work(arg->f64, steps)));
}

static int64_t now(void)
{
    return deja_monotonic_ns(NULL);
}

/* The best of some: other work on the machine only adds. */
static void calibrate(double ns)
{
    volatile double sink = 0;
    double best = 1e9;
    for (int round = 0; round < 20; round++) {
        int64_t begin = now();
        for (int i = 0; i < 1000; i++)
            sink = work(sink, 1000);
        double step = (double)(now() - begin) / 1e6;
        best = step < best ? step : best;
    }
    steps = (long)(ns / best + 0.5);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t run_pool(deja_pool *p, deja_pool_function *f, deja_array *x, deja_array *y, uint64_t chunk)
{
    deja_error err;
    deja_map_run *r;
    deja_column column = {.split = x};
    uint64_t count = (uint64_t)x->shape[0];
    deja_map_task m = {
        .size = sizeof m, .columns = 1, .count = count, .column = &column, .into = y, .chunk = chunk};
    int64_t begin = now();
    if (deja_pool_map_begin(p, f, &m, &r, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    for (;;) {
        uint32_t seen = deja_pool_seen(p);
        if (deja_map_run_done(r) == count)
            break;
        deja_pool_wait(p, seen, -1);
    }
    deja_map_run_free(r);
    return now() - begin;
}

static int64_t run_omp(const double *x, double *y, long count, long chunk)
{
    int64_t begin = now();
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic, chunk)
#endif
    for (long i = 0; i < count; i++)
        y[i] = work(x[i], steps);
    (void)chunk;
    return now() - begin;
}

static void compare(deja_pool *p, deja_pool_function *f, deja_array *x, deja_array *y, uint64_t chunk)
{
    int64_t ours[rounds], theirs[rounds];
    for (int i = 0; i < rounds; i++) {
        ours[i] = run_pool(p, f, x, y, chunk);
        theirs[i] = run_omp(x->data, y->data, x->shape[0], chunk ? (long)chunk : 1000);
    }
    qsort(ours, rounds, sizeof *ours, by_value);
    qsort(theirs, rounds, sizeof *theirs, by_value);
    printf("chunk %5llu: pool %6.1f ms, OpenMP %6.1f ms, ratio %.2f\n", (unsigned long long)chunk,
           (double)ours[rounds / 2] / 1e6, (double)theirs[rounds / 2] / 1e6,
           (double)theirs[rounds / 2] / (double)ours[rounds / 2]);
}

int main(int argc, char **argv)
{
    int64_t count = argc > 1 ? atoll(argv[1]) : 1000000;
    deja_error err;
    deja_pool *p;
    deja_array *x, *y;
    deja_pool_options o = {.size = sizeof o, .stage_folder = -1};
    calibrate(argc > 2 ? atof(argv[2]) : 100);
    deja_pool_function *f;
    deja_pool_function_options fo = {.size = sizeof fo, .name = "job", .function = job};
    if (deja_pool_open(&p, &o, &err) < 0 || deja_pool_define(p, &fo, &f, &err) < 0 ||
        deja_pool_array_new(p, DEJA_F64, 1, &count, &x, &err) < 0 ||
        deja_pool_array_new(p, DEJA_F64, 1, &count, &y, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    for (int64_t i = 0; i < count; i++)
        ((double *)x->data)[i] = (double)i / (double)count;
    run_pool(p, f, x, y, 0);
    int64_t begin = now();
    double *z = malloc((size_t)count * sizeof *z);
    for (int64_t i = 0; z && i < count; i++)
        z[i] = work(((double *)x->data)[i], steps);
    int64_t loop = now() - begin;
    printf("a loop: %.1f ms, %.1f ns an item; results %s\n", (double)loop / 1e6, (double)loop / (double)count,
           z && memcmp(z, y->data, (size_t)count * sizeof *z) == 0 ? "equal" : "DIFFER");
    static const uint64_t chunks[] = {0, 100, 1000, 10000};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        compare(p, f, x, y, chunks[i]);
    deja_pool_array_free(p, x);
    deja_pool_array_free(p, y);
    deja_pool_close(p);
    free(z);
    return 0;
}
