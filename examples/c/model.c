/*
 * A model that is loaded once: the initialiser runs in the process that all workers are forked from, and they
 * share its pages.
 */
#include <deja.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { inputs = 1000, hidden = 1000, questions = 20 };

static float *weights; /* a global: set before the first worker exists, so every worker sees it */

/* What would be read from the file `arg` is made up here. */
static int load_model(void *arg, deja_error *err)
{
    fprintf(stderr, "loading %s\n", (const char *)arg);
    weights = malloc(sizeof *weights * inputs * hidden);
    if (!weights)
        return deja_fail(err, DEJA_ENOMEM, "load '%s': out of memory", (const char *)arg);
    for (int i = 0; i < inputs * hidden; i++)
        weights[i] = (float)(i % 2003 * 7919 % 2003 - 1001) / 32000;
    return 0;
}

DEJA_FUNC1(double, score, int64_t, question)
{
    double sum = 0;
    for (int h = 0; h < hidden; h++) {
        double x = 0;
        for (int i = 0; i < inputs; i++)
            x += (double)weights[h * inputs + i] * cos((double)(question * i % 628) / 100);
        sum += tanh(x);
    }
    return sum / hidden;
}

int main(void)
{
    char model[] = "weights-1.bin";
    deja_error err;
    deja *d = deja_open(DEJA_OPTIONS(.workers = 4, .init = load_model, .init_arg = model), &err);
    /* The name of the weights is the version: another model has other answers, and those of this one stay. */
    deja_fn *f = deja_define(d, "score", model, score, NULL, &err);
    deja_value rows[questions];
    double best = -1;
    int hits = 0;
    for (int i = 0; i < questions; i++)
        rows[i] = deja_i64(i);
    deja_results *r = deja_map(f, rows, questions, 1, NULL, &err);
    if (!r)
        return fprintf(stderr, "%s\n", err.text), 1;
    for (int i = 0; i < questions; i++) {
        const deja_value *v = deja_results_at(r, (size_t)i);
        best = v && v->f64 > best ? v->f64 : best;
        hits += deja_results_was_cached(r, (size_t)i);
    }
    printf("best score %.6f, %d of %d from the cache\n", best, hits, questions);
    deja_results_free(r);
    deja_close(d);
    return 0;
}
