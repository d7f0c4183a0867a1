/* Rounds, medians and lines, see figure.h. */
#include "figure.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void figure_check(int failed, const char *text)
{
    if (!failed)
        return;
    fprintf(stderr, "bench: %s\n", text);
    exit(1);
}

double figure_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- what is wanted ---- */

void figures_parse(figures *f, int argc, char **argv)
{
    *f = (figures){.rounds = 5, .scale = 1};
    for (int option; (option = getopt(argc, argv, "n:s:p:")) >= 0;)
        if (option == 'n')
            f->rounds = strtol(optarg, NULL, 10);
        else if (option == 's')
            f->scale = strtol(optarg, NULL, 10);
        else if (option == 'p')
            f->peers = optarg;
        else
            exit(2);
    figure_check(f->rounds < 1 || f->rounds > FIGURE_MOST_ROUNDS || f->scale < 1,
                 "rounds are 1 to 101, the scale is at least 1");
    f->names = argv + optind;
    f->count = (size_t)(argc - optind);
}

int figures_want(const figures *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->names[i], name) == 0)
            return 1;
    return f->count == 0;
}

/* ---- files ---- */

const char *figures_folder(figures *f)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(f->folder, sizeof f->folder, "%s/deja-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    figure_check(!mkdtemp(f->folder), "a folder below TMPDIR cannot be made");
    return f->folder;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void figures_done(figures *f)
{
    if (f->folder[0])
        nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    f->folder[0] = 0;
}

/* ---- references in Python ---- */

double figures_peer(const figures *f, const char *arguments)
{
    char command[4300];
    double value = -1;
    if (!f->peers)
        return -1;
    snprintf(command, sizeof command, "%s %s", f->peers, arguments);
    FILE *from = popen(command, "re");
    figure_check(!from, "peers.py cannot be started");
    if (fscanf(from, "%lf", &value) != 1)
        value = -1;
    pclose(from);
    return value;
}

/* ---- one figure ---- */

void figure_round(figure *f, double value, double against)
{
    f->value[f->runs] = value;
    f->against[f->runs++] = against;
    f->missing |= f->reference && against < 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double figure_median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return v[n / 2];
}

static int is_reached(const char *asked, double value)
{
    double limit = strtod(asked + 2, NULL);
    return asked[0] == '<' ? value <= limit : value >= limit;
}

void figure_print(figure *f)
{
    double value = figure_median(f->value, f->runs), judged = value;
    printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"", f->name, value, f->unit);
    if (f->reference && !f->missing) {
        double against = figure_median(f->against, f->runs);
        judged = value / against;
        printf(",\"reference\":%.6g,\"ratio\":%.4g", against, judged);
    } else {
        printf(",\"reference\":null,\"ratio\":null");
    }
    if (f->asked)
        printf(",\"asked\":\"%s\",\"reached\":%s", f->asked,
               f->missing                     ? "null"
               : is_reached(f->asked, judged) ? "true"
                                              : "false");
    printf(",\"runs\":%zu,\"least\":%.6g,\"greatest\":%.6g", f->runs, f->value[0], f->value[f->runs - 1]);
    if (f->missing)
        printf(",\"note\":\"%s is not installed\"", f->reference);
    printf("}\n");
    fflush(stdout);
}
