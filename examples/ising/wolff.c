/*
 * Wolff's cluster algorithm, see wolff.h.
 *
 * U. Wolff, Collective Monte Carlo updating for spin systems, Phys. Rev. Lett. 62 (1989) 361.
 */
#include "wolff.h"
#include <math.h>
#include <stdlib.h>

/* xoshiro256**, D. Blackman and S. Vigna, Scrambled linear pseudorandom number generators, ACM Trans. Math.
 * Softw. 47 (2021) 36, seeded by splitmix64 as they advise (G. Steele et al., OOPSLA 2014). */
typedef struct rng {
    uint64_t s[4];
} rng;

static uint64_t splitmix64(uint64_t *x)
{
    uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static rng rng_of(uint64_t seed)
{
    rng r;
    for (int i = 0; i < 4; i++)
        r.s[i] = splitmix64(&seed);
    return r;
}

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t rng_next(rng *r)
{
    uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

static uint32_t rng_below(rng *r, uint32_t n)
{
    return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

/* In [0, 1). */
static double rng_unit(rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

typedef struct lattice {
    int side, sites;
    signed char *spin; /* +1 or -1, row by row */
    int *stack;        /* room for all sites: those of a cluster whose neighbours are still to be asked */
    double bond;       /* how likely a bond between equal spins joins a cluster: 1 - exp(-2 / T) */
    rng random;
} lattice;

static int lattice_init(lattice *l, int side, double temperature, uint64_t seed)
{
    *l = (lattice){.side = side, .sites = side * side, .random = rng_of(seed)};
    l->spin = malloc((size_t)l->sites);
    l->stack = malloc((size_t)l->sites * sizeof *l->stack);
    if (!l->spin || !l->stack)
        return -1;
    for (int i = 0; i < l->sites; i++)
        l->spin[i] = 1;
    l->bond = -expm1(-2 / temperature);
    return 0;
}

static void lattice_done(lattice *l)
{
    free(l->spin);
    free(l->stack);
}

static int right(const lattice *l, int site)
{
    return (site + 1) % l->side ? site + 1 : site + 1 - l->side;
}

static int left(const lattice *l, int site)
{
    return site % l->side ? site - 1 : site - 1 + l->side;
}

static int down(const lattice *l, int site)
{
    return site + l->side < l->sites ? site + l->side : site + l->side - l->sites;
}

static int up(const lattice *l, int site)
{
    return site >= l->side ? site - l->side : site - l->side + l->sites;
}

/* Flips one cluster and returns its size. */
static int flip_cluster(lattice *l)
{
    int site = (int)rng_below(&l->random, (uint32_t)l->sites), depth = 0, size = 0;
    signed char spin = l->spin[site];
    l->spin[site] = (signed char)-spin;
    for (l->stack[depth++] = site; depth > 0; size++) {
        site = l->stack[--depth];
        int near[4] = {right(l, site), left(l, site), down(l, site), up(l, site)};
        for (int i = 0; i < 4; i++)
            if (l->spin[near[i]] == spin && rng_unit(&l->random) < l->bond) {
                l->spin[near[i]] = (signed char)-spin;
                l->stack[depth++] = near[i];
            }
    }
    return size;
}

static double magnetisation(const lattice *l)
{
    int sum = 0;
    for (int i = 0; i < l->sites; i++)
        sum += l->spin[i];
    return (double)abs(sum) / l->sites;
}

static double energy(const lattice *l)
{
    int sum = 0;
    for (int i = 0; i < l->sites; i++)
        sum -= l->spin[i] * (l->spin[right(l, i)] + l->spin[down(l, i)]);
    return (double)sum / l->sites;
}

/* Reaches equilibrium and returns how many clusters make a sweep: about as many flips as there are spins. The
 * number is fixed before anything is measured, as one that depends on the state would bias the means. */
static int equilibrate(lattice *l, int sweeps)
{
    long clusters = 0, flips = 0;
    for (int half = 0; half < 2; half++)
        for (clusters = flips = 0; flips < (long)sweeps * l->sites / 2; clusters++)
            flips += flip_cluster(l);
    return (int)((clusters * l->sites + flips - 1) / flips);
}

/* The mean of the means of blocks, and its standard error. */
typedef struct mean {
    double sum, squares;
} mean;

static void mean_add(mean *m, double x)
{
    m->sum += x;
    m->squares += x * x;
}

static double mean_error(const mean *m)
{
    double average = m->sum / WOLFF_BLOCKS, variance = m->squares / WOLFF_BLOCKS - average * average;
    return variance > 0 ? sqrt(variance / (WOLFF_BLOCKS - 1)) : 0;
}

static void measure(lattice *l, int sweeps, mean *ret_m, mean *ret_e)
{
    int clusters = equilibrate(l, sweeps / 4 + 1), length = sweeps / WOLFF_BLOCKS;
    for (int block = 0; block < WOLFF_BLOCKS; block++) {
        double m = 0, e = 0;
        for (int i = 0; i < length; i++) {
            for (int c = 0; c < clusters; c++)
                flip_cluster(l);
            m += magnetisation(l);
            e += energy(l);
        }
        mean_add(ret_m, m / length);
        mean_add(ret_e, e / length);
    }
}

int wolff_measure(int side, double temperature, uint64_t seed, int sweeps, wolff_means *ret)
{
    lattice l;
    mean m = {0}, e = {0};
    if (lattice_init(&l, side, temperature, seed)) {
        lattice_done(&l);
        return -1;
    }
    measure(&l, sweeps, &m, &e);
    *ret = (wolff_means){m.sum / WOLFF_BLOCKS, mean_error(&m), e.sum / WOLFF_BLOCKS, mean_error(&e)};
    lattice_done(&l);
    return 0;
}
