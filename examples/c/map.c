/*
 * One function over many arguments: what is known comes from disk, the rest is computed on all cores, in
 * order. An item that fails, or even kills its process, does not sink the others.
 */
#include <deja.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { items = 1000, points = 20000 };

/* How long Newton's method takes from here to a root of z^3 = 1. */
DEJA_FUNC2(double, newton, int64_t, start, double, tolerance)
{
    double x = 0.01 * (double)start, steps = 0;
    if (start == 13)
        abort(); /* a bug, for one item only */
    for (; start > 0 && fabs(x * x * x - 1) > tolerance; steps++)
        x -= (x * x * x - 1) / (3 * x * x);
    return steps;
}

DEJA_FUNC2(double, wave, int64_t, harmonics, double, t)
{
    double sum = 0;
    for (int64_t k = 1; k <= harmonics; k += 2)
        sum += sin((double)k * t) / (double)k;
    return sum;
}

/* A row of two values for each item. */
static int map_rows(deja *d, deja_error *err)
{
    static deja_value rows[items][2];
    deja_fn *f = deja_define(d, "newton", "1", newton, NULL, err);
    double sum = 0;
    int hits = 0;
    for (int i = 0; i < items; i++)
        rows[i][0] = deja_i64(i), rows[i][1] = deja_f64(1e-9);
    deja_results *r = deja_map(f, &rows[0][0], items, 2, NULL, err);
    for (size_t i = 0; i < deja_results_count(r); i++) {
        if (deja_results_error(r, i))
            printf("%s\n", deja_results_error(r, i));
        else
            sum += deja_results_at(r, i)->f64;
        hits += deja_results_was_cached(r, i);
    }
    printf("rows: %g steps in all, %d of %zu from the cache\n", sum, hits, deja_results_count(r));
    deja_results_free(r);
    return r ? 0 : err->code;
}

/* Arguments as an array, results into an array: no million of values for a million of numbers. */
static int map_arrays(deja *d, deja_error *err)
{
    static double t[points], y[points];
    const int64_t shape[] = {points};
    const deja_array times = {.data = t, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
    deja_array waves = {.data = y, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
    deja_fn *f = deja_define(d, "wave", "1", wave, NULL, err);
    for (int i = 0; i < points; i++)
        t[i] = 2 * M_PI * i / points;
    const deja_column columns[] = {{.same = deja_i64(99)}, {.split = &times}};
    deja_results *r = deja_map_columns(f, columns, 2, DEJA_MAP_OPTIONS(.into = &waves), err);
    if (!r)
        return err->code;
    printf("arrays: y[%d] = %.6f, %s\n", points / 4, y[points / 4],
           deja_results_was_cached(r, 0) ? "from the cache" : "computed");
    deja_results_free(r);
    return 0;
}

int main(void)
{
    deja_error err;
    deja *d = deja_open(NULL, &err);
    int failed = map_rows(d, &err) < 0 || map_arrays(d, &err) < 0;
    if (failed)
        fprintf(stderr, "%s\n", err.text);
    deja_close(d);
    return failed;
}
