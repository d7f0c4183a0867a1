/*
 * Job functions in a library: what ../python and ../lua define by name. Functions of a library run in worker
 * processes, callbacks of an interpreter do not.
 */
#include <deja.h>
#include <math.h>

/* Steps until x is 1, halved when even, else tripled and one more (Collatz). */
static int64_t collatz(int64_t x)
{
    int64_t steps = 0;
    for (; x > 1; steps++)
        x = x % 2 ? 3 * x + 1 : x / 2;
    return steps;
}

DEJA_API int cost(const deja_value *arg, size_t n, deja_out *out, deja_error *err);
DEJA_API int wave(const deja_value *arg, size_t n, deja_out *out, deja_error *err);
DEJA_API int squares(const deja_value *arg, size_t n, deja_out *out, deja_error *err);

int cost(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg->kind != DEJA_I64 || arg->i64 < 1)
        return deja_fail(err, DEJA_ETYPE, "wants a whole number from 1 on");
    return deja_return(out, deja_i64(collatz(arg->i64)));
}

int wave(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 2 || arg[0].kind != DEJA_F64 || arg[1].kind != DEJA_F64)
        return deja_fail(err, DEJA_ETYPE, "wants a time and a damping");
    return deja_return(out, deja_f64(sin(arg[0].f64) * exp(-arg[1].f64 * arg[0].f64)));
}

/* An array in, an array of the same shape out. */
int squares(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    const deja_array *a = n == 1 && arg->kind == DEJA_ARRAY ? arg->array : NULL;
    if (!a || a->dtype != DEJA_F64 || !deja_array_is_plain(a))
        return deja_fail(err, DEJA_ETYPE, "wants an array of f64 without gaps");
    const double *x = a->data;
    double *y = deja_return_array(out, DEJA_F64, a->ndim, a->shape, err);
    for (uint64_t i = 0; y && i < deja_array_count(a); i++)
        y[i] = x[i] * x[i];
    return y ? 0 : err->code;
}
