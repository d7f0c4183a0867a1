/*
 * A map of a function that takes 100 ns over a million numbers, from one shared array into another, no cache,
 * two ways: against libgomp in this program, and against multiprocessing.Pool (a tenth of the items, chunks
 * of one). Usage as figure.h says.
 *
 *     map-f64       items a second against schedule(dynamic, 1000) and (dynamic, 10000), the faster
 *     map-f64-pool  items a second against Pool.map(chunksize=1)
 */
#include "calls_open.h"
#include <stdio.h>
#include <stdlib.h>

static long steps; /* of a dependent chain that takes 100 ns: calibrate() */

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

/* ns an item of a loop, the best of some: other work on the machine only adds. */
static double time_loop(long n)
{
    static double x[10000];
    double best = 1e9;
    for (int round = 0; round < 30; round++) {
        double begin = figure_now();
        for (int i = 0; i < 10000; i++)
            x[i] = work(x[i], n);
        double ns = (figure_now() - begin) * 1e5;
        best = ns < best ? ns : best;
    }
    return best;
}

/* In a loop over many, as the processor overlaps a short chain with the next one: alone it takes twice as
 * long. */
static void calibrate(double ns)
{
    double few = time_loop(20), many = time_loop(120), step = (many - few) / 100;
    steps = (long)(20 + (ns - few) / step + 0.5);
    steps = steps > 1 ? steps : 1;
}

static double by_deja(deja_fn *f, const deja_array *x, deja_array *y)
{
    deja_error err;
    deja_column column = {.split = x};
    double begin = figure_now();
    deja_results *r = deja_map_columns(f, &column, 1, DEJA_MAP_OPTIONS(.into = y), &err);
    figure_check(!r, err.text);
    deja_results_free(r);
    return figure_now() - begin;
}

#ifdef _OPENMP
static double by_openmp(const double *x, double *y, long count, int chunk)
{
    double begin = figure_now();
#pragma omp parallel for schedule(dynamic, chunk)
    for (long i = 0; i < count; i++)
        y[i] = work(x[i], steps);
    return figure_now() - begin;
}

static double by_fastest_openmp(const double *x, double *y, long count)
{
    double fine = by_openmp(x, y, count, 1000), coarse = by_openmp(x, y, count, 10000);
    return fine < coarse ? fine : coarse;
}
#else
static double by_fastest_openmp(const double *x, double *y, long count)
{
    (void)x, (void)y, (void)count;
    return -1;
}
#endif

static deja_array *numbers(deja *d, int64_t count)
{
    deja_error err;
    deja_array *a = deja_array_new(d, DEJA_F64, 1, &count, &err);
    figure_check(!a, err.text);
    return a;
}

/* The results of deja, compared with those of a plain loop. */
static void check_equal(const deja_array *x, const deja_array *y)
{
    for (int64_t i = 0; i < x->shape[0]; i++)
        figure_check(((double *)y->data)[i] != work(((double *)x->data)[i], steps), "results differ");
}

/* As often as OpenMP tries: the best of two. */
static double by_fastest_deja(deja_fn *f, const deja_array *x, deja_array *y)
{
    double one = by_deja(f, x, y), other = by_deja(f, x, y);
    return one < other ? one : other;
}

static double per_second(double count, double seconds)
{
    return seconds < 0 ? -1 : count / seconds / 1e6;
}

static void measure(const figures *s, deja_fn *f, const deja_array *x, deja_array *y)
{
    static figure openmp = {
        .name = "map-f64", .unit = "M/s", .asked = ">= 0.9", .reference = "OpenMP of the compiler"};
    static figure pool = {.name = "map-f64-pool", .unit = "M/s", .asked = ">= 50", .reference = "python3"};
    long count = x->shape[0];
    char peer[64];
    double *z = malloc((size_t)count * sizeof *z);
    figure_check(!z, "out of memory");
    snprintf(peer, sizeof peer, "map %ld", count / 10 + 1);
    for (long i = 0; i < s->rounds; i++) {
        double rate = per_second((double)count, by_fastest_deja(f, x, y));
        figure_round(&openmp, rate, per_second((double)count, by_fastest_openmp(x->data, z, count)));
        if (figures_want(s, pool.name))
            figure_round(&pool, rate, per_second((double)(count / 10 + 1), figures_peer(s, peer)));
    }
    if (figures_want(s, openmp.name))
        figure_print(&openmp);
    if (figures_want(s, pool.name))
        figure_print(&pool);
    free(z);
}

int main(int argc, char **argv)
{
    figures s;
    figures_parse(&s, argc, argv);
    calibrate(100);
    deja *d = calls_open(DEJA_NO_CACHE, 0, NULL);
    deja_fn *f = calls_define(d, "job", job, DEJA_PROCESS);
    deja_array *x = numbers(d, 1000000 / s.scale), *y = numbers(d, 1000000 / s.scale);
    for (int64_t i = 0; i < x->shape[0]; i++)
        ((double *)x->data)[i] = (double)i / (double)x->shape[0];
    by_deja(f, x, y);
    check_equal(x, y);
    measure(&s, f, x, y);
    deja_close(d);
    return 0;
}
