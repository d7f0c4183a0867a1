/*
 * Without sugar: a function that looks at its arguments itself, and returns a map.
 */
#include <ctype.h>
#include <deja.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct word {
    const char *text;
    int len;
} word;

static int compare(const void *a, const void *b)
{
    const word *x = a, *y = b;
    int shorter = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->text, y->text, (size_t)shorter);
    return order ? order : x->len - y->len;
}

/* Up to `most` words of the text. */
static int split(const char *text, word *words, int most)
{
    int n = 0;
    while (n < most) {
        while (*text && !isalpha((unsigned char)*text))
            text++;
        const char *end = text;
        while (isalpha((unsigned char)*end))
            end++;
        if (end == text)
            break;
        words[n++] = (word){text, (int)(end - text)};
        text = end;
    }
    return n;
}

static int word_stats(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    word words[256];
    int64_t letters = 0, unique = 0;
    if (n != 1 || arg->kind != DEJA_STRING)
        return deja_fail(err, DEJA_ETYPE, "wants one string");
    int count = split(arg->string, words, 256);
    qsort(words, (size_t)count, sizeof *words, compare);
    for (int i = 0; i < count; i++) {
        letters += words[i].len;
        unique += i == 0 || compare(&words[i - 1], &words[i]) != 0;
    }
    const deja_pair pairs[] = {{"words", deja_i64(count)},
                               {"unique", deja_i64(unique)},
                               {"mean", deja_f64(count ? (double)letters / count : 0)}};
    return deja_return(out, deja_map_of(pairs, 3)); /* copied, with all that it points to */
}

static void print_stats(deja_fn *f, const char *text, deja_error *err)
{
    deja_results *r = deja_call(f, DEJA_ARGS(text), err);
    const deja_value *stats = deja_results_at(r, 0);
    if (stats)
        printf("%lld words, %lld of them different, %.2f letters each, %s\n",
               (long long)deja_map_get(stats, "words")->i64, (long long)deja_map_get(stats, "unique")->i64,
               deja_map_get(stats, "mean")->f64,
               deja_results_was_cached(r, 0) ? "from the cache" : "computed");
    else
        printf("error: %s\n", err->text);
    deja_results_free(r);
}

int main(void)
{
    deja_error err;
    deja *d = deja_open(NULL, &err);
    deja_fn *f = deja_define(d, "word_stats", "1", word_stats, NULL, &err);
    print_stats(f, "never run the same job twice, never wait for the same job", &err);
    if (!deja_call(f, DEJA_ARGS(12), &err)) /* an error is never kept: it is told again each time */
        printf("error: %s\n", err.text);
    deja_close(d);
    return 0;
}
