/*
 * Futures: whichever call is finished first, and calls that grow out of results. A number is split into two
 * factors, these into two, until all are primes.
 */
#include <deja.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

__extension__ typedef unsigned __int128 wide;

static uint64_t step(uint64_t x, uint64_t c, uint64_t n)
{
    return (uint64_t)(((wide)x * x + c) % n);
}

/* Pollard's rho (BIT 15, 1975): a factor of n, or 0 after so many steps without one. */
static uint64_t find_factor(uint64_t n, uint64_t c)
{
    uint64_t slow = 2, fast = 2;
    for (int i = 0; i < 200000; i++) {
        slow = step(slow, c, n);
        fast = step(step(fast, c, n), c, n);
        uint64_t g = gcd(slow > fast ? slow - fast : fast - slow, n);
        if (g != 1)
            return g == n ? 0 : g;
    }
    return 0;
}

/* Two factors, or one: n itself, which is a prime then (of numbers as small as these). */
static int split(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg->kind != DEJA_U64 || arg->u64 < 2)
        return deja_fail(err, DEJA_ETYPE, "wants a number from 2 on");
    uint64_t x = arg->u64, factor = x % 2 == 0 && x > 2 ? 2 : 0;
    for (uint64_t c = 1; !factor && x > 3 && c < 8; c++)
        factor = find_factor(x, c);
    const deja_value both[] = {deja_u64(factor), deja_u64(factor ? x / factor : 0)};
    return deja_return(out, factor ? deja_list(both, 2) : *arg);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int main(void)
{
    const uint64_t number = UINT64_C(600851475143) * 16777259;
    uint64_t primes[64];
    size_t count = 0;
    deja_error err;
    deja *d = deja_open(NULL, &err);
    deja_fn *f = deja_define(d, "split", "1", split, NULL, &err);
    deja_done done = {0};
    int more, hits = 0, calls = 0;

    deja_submit(f, DEJA_ARGS(number), &err);
    while ((more = deja_next(d, 60000, &done, &err)) > 0 && done.value) {
        calls++;
        hits += done.was_cached;
        if (done.value->kind == DEJA_U64) {
            primes[count++] = done.value->u64;
            continue;
        }
        for (int i = 0; i < 2; i++) /* the work grows as results come */
            deja_submit(f, &done.value->list[i], 1, &err);
    }
    if (more != 0)
        return fprintf(stderr, "%s\n", more > 0 ? done.error : err.text), 1;
    qsort(primes, count, sizeof *primes, compare);
    printf("%llu =", (unsigned long long)number);
    for (size_t i = 0; i < count; i++)
        printf("%s %llu", i ? " *" : "", (unsigned long long)primes[i]);
    printf("\n%d of %d calls from the cache\n", hits, calls);
    deja_close(d);
    return 0;
}
