#ifndef FIGURE_H
#define FIGURE_H
/*
 * Figures of the programs calls_*.c: rounds in which deja and its reference take turns, and the JSON line
 * that README.md describes.
 */
#include <stddef.h>

enum { FIGURE_MOST_ROUNDS = 101 };

/* What such a program is told: [-n ROUNDS] [-s SCALE] [-p PEERS] [NAME...]. */
typedef struct figures {
    long rounds;
    long scale;        /* big things are so many times smaller */
    const char *peers; /* a command in shell words that runs peers.py; NULL: there is no Python */
    char **names;      /* what is wanted; none: everything */
    size_t count;
    char folder[4200]; /* for files, below TMPDIR; "" until figures_folder */
} figures;

/* Ends the program on wrong usage. */
void figures_parse(figures *f, int argc, char **argv);

int figures_want(const figures *f, const char *name);

/* An empty folder, removed with all below by figures_done. */
const char *figures_folder(figures *f);
void figures_done(figures *f);

/* The number that peers.py prints for `arguments`; negative where it has what it needs not. */
double figures_peer(const figures *f, const char *arguments);

typedef struct figure {
    const char *name, *unit;
    const char *asked; /* "<= 1.15" or ">= 0.9", of the ratio, or of the value without a reference; NULL */
    const char *reference; /* what it is, for the line of one that is missing; NULL: there is none */
    double value[FIGURE_MOST_ROUNDS], against[FIGURE_MOST_ROUNDS];
    size_t runs;
    int missing; /* the reference is not installed */
} figure;

/* Adds a round; `against` is the reference's value, negative where it is missing. */
void figure_round(figure *f, double value, double against);

/* Medians, as a line on standard output. */
void figure_print(figure *f);

double figure_median(double *v, size_t n);

/* Ends the program with a message when `failed`. */
void figure_check(int failed, const char *text);

/* Seconds since an arbitrary moment. */
double figure_now(void);
#endif
