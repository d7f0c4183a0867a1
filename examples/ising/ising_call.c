/*
 * One point of the Ising model as a function of a library, for `call: ./libising.so:magnetisation` in a
 * batch: magnetisation(L, T, seed, sweeps) -> {m, m_error, e, e_error} It prints the line of ising.c, too:
 * what a function prints is captured and replayed, like a command's output.
 */
#include "wolff.h"
#include <deja/job.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The shortest text that reads back equal, as deja writes numbers of a matrix. */
static const char *shortest(double x, char text[32])
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    return text;
}

int magnetisation(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 4 || arg[0].kind != DEJA_I64 || arg[1].kind != DEJA_F64 || arg[2].kind != DEJA_I64 ||
        arg[3].kind != DEJA_I64)
        return deja_fail(err, DEJA_ETYPE, "wanted: L, T, seed, sweeps; all but T are whole numbers");
    int64_t side = arg[0].i64, seed = arg[2].i64, sweeps = arg[3].i64;
    double temperature = arg[1].f64;
    if (side < 2 || side > 10000 || !(temperature > 0) || sweeps < WOLFF_BLOCKS || sweeps > 1000000)
        return deja_fail(err, DEJA_EINVAL, "2 <= L <= 10000, T > 0, %d <= sweeps <= 1000000", WOLFF_BLOCKS);
    char text[32];
    wolff_means w;
    if (wolff_measure((int)side, temperature, (uint64_t)seed, (int)sweeps, &w))
        return deja_fail_errno(err, "a lattice of %" PRId64, side);
    printf("%s\t%" PRId64 "\t%" PRId64 "\t%.6f\t%.6f\t%.6f\t%.6f\n", shortest(temperature, text), side, seed,
           w.m, w.m_error, w.e, w.e_error);
    deja_pair numbers[] = {{"m", deja_f64(w.m)},
                           {"m_error", deja_f64(w.m_error)},
                           {"e", deja_f64(w.e)},
                           {"e_error", deja_f64(w.e_error)}};
    return deja_return(out, deja_map_of(numbers, 4));
}
