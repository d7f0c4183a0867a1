#ifndef WOLFF_H
#define WOLFF_H
/*
 * The two-dimensional Ising model (J = 1, k = 1, periodic square lattice) at one temperature.
 */
#include <stdint.h>

enum { WOLFF_BLOCKS = 20 }; /* means over as many stretches of the run give the standard error */

/* Mean |magnetisation| and energy per spin, with their standard errors. */
typedef struct wolff_means {
    double m, m_error, e, e_error;
} wolff_means;

/* The same arguments give the same numbers. 2 <= side <= 10000, temperature > 0, sweeps >= WOLFF_BLOCKS. 0,
 * or -1 when out of memory. */
int wolff_measure(int side, double temperature, uint64_t seed, int sweeps, wolff_means *ret);

#endif
