/*
 * One point of the Ising model as a command:
 *     ising L T SEED SWEEPS
 * prints one line: T, L, seed, mean |m| and its standard error, mean energy per spin and its standard error,
 * separated by tabs. The same arguments give the same bytes. ising_call.c is the same as a function.
 */
#include "wolff.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int side = argc == 5 ? (int)strtol(argv[1], NULL, 10) : 0;
    double temperature = argc == 5 ? strtod(argv[2], NULL) : 0;
    int sweeps = argc == 5 ? (int)strtol(argv[4], NULL, 10) : 0;
    if (side < 2 || side > 10000 || !(temperature > 0) || sweeps < WOLFF_BLOCKS) {
        fprintf(stderr, "usage: ising L T SEED SWEEPS      2 <= L <= 10000, T > 0, SWEEPS >= %d\n",
                WOLFF_BLOCKS);
        return 2;
    }
    wolff_means w;
    if (wolff_measure(side, temperature, strtoull(argv[3], NULL, 10), sweeps, &w)) {
        perror("ising");
        return 1;
    }
    printf("%s\t%d\t%s\t%.6f\t%.6f\t%.6f\t%.6f\n", argv[2], side, argv[3], w.m, w.m_error, w.e, w.e_error);
    return fflush(stdout) || ferror(stdout);
}
