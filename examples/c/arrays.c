/*
 * Large arrays: shared with the workers, hashed once, and results that are the cache's own files, mapped.
 * Nothing is copied.
 */
#include <deja.h>
#include <math.h>
#include <stdio.h>

enum { rows = 4000, columns = 500, blocks = 10, width = columns / blocks };

/* Columns `from` to `to` of x with mean 0 and length 1. */
static int normalise(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 3 || arg[0].kind != DEJA_ARRAY || arg[0].array->ndim != 2)
        return deja_fail(err, DEJA_ETYPE, "wants a matrix and two columns");
    const double *x = arg[0].array->data;
    int64_t height = arg[0].array->shape[0], all = arg[0].array->shape[1];
    int64_t from = arg[1].i64, wide = arg[2].i64 - from;
    double *y = deja_return_array(out, DEJA_F64, 2, (int64_t[]){height, wide}, err);
    if (!y)
        return err->code;
    for (int64_t c = 0; c < wide; c++) {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < height; i++) {
            double v = x[i * all + from + c];
            sum += v;
            square += v * v;
        }
        double mean = sum / (double)height, length = sqrt(square - sum * mean);
        for (int64_t i = 0; i < height; i++)
            y[i * wide + c] = (x[i * all + from + c] - mean) / length;
    }
    return 0;
}

static deja_array *make_matrix(deja *d, deja_error *err)
{
    deja_array *a = deja_array_new(d, DEJA_F64, 2, (int64_t[]){rows, columns}, err);
    double *x = a ? a->data : NULL;
    for (int64_t i = 0; x && i < (int64_t)rows * columns; i++)
        x[i] = (double)(i * 2654435761u % 1000003);
    return a;
}

int main(void)
{
    deja_error err;
    deja *d = deja_open(NULL, &err);
    deja_fn *f = deja_define(d, "normalise", "1", normalise, NULL, &err);
    deja_array *x = make_matrix(d, &err); /* memory that the workers map */
    deja_done done = {0};
    double square = 0;
    int hits = 0, failed = 0;

    for (int b = 0; b < blocks; b++) /* from the first call on a write to x faults */
        if (!deja_submit(f, DEJA_ARGS(x, b * width, (b + 1) * width), &err))
            return fprintf(stderr, "%s\n", err.text), 1;
    while (deja_next(d, -1, &done, &err) > 0) {
        failed += done.error != NULL;
        hits += done.was_cached;
        const double *y = done.value ? done.value->array->data : NULL; /* mapped, read-only */
        for (int64_t i = 0; y && i < (int64_t)rows * width; i++)
            square += y[i] * y[i];
    }
    printf("length of all columns: %.6f, %d failed, %d of %d from the cache\n", square, failed, hits, blocks);
    deja_close(d);
    return failed > 0;
}
