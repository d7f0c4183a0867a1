/*
 * A pipeline over two backends: pages are fetched by coroutines, cleaned and counted by processes, and
 * features come out. Each result is the argument of the next stage as soon as it is there; each is remembered
 * on its own, so that a new version of one stage runs that stage and what its results change, and fetches
 * nothing again.
 */
#include "server.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { pages = 60, delay_ms = 30, letters = 26 };

/* ---- the stages ---- */

static int fetch(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    char text[4096];
    if (n != 2 || arg[1].kind != DEJA_STRING)
        return deja_fail(err, DEJA_ETYPE, "wants a port and a path");
    int len = server_fetch((int)arg[0].i64, arg[1].string, text, sizeof text, err);
    return len < 0 ? len : deja_return(out, deja_string_n(text, (uint64_t)len));
}

/* How often each letter occurs, as an array that lies in the cache's own file or in shared memory. */
static int preprocess(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg->kind != DEJA_STRING)
        return deja_fail(err, DEJA_ETYPE, "wants a text");
    int64_t *count = deja_return_array(out, DEJA_I64, 1, (int64_t[]){letters}, err);
    for (uint64_t i = 0; count && i < arg->len; i++)
        if (islower((unsigned char)arg->string[i]))
            count[arg->string[i] - 'a']++;
    return count ? 0 : err->code;
}

static int features(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg->kind != DEJA_ARRAY || arg->array->dtype != DEJA_I64)
        return deja_fail(err, DEJA_ETYPE, "wants counts of letters");
    const int64_t *count = arg->array->data;
    int64_t all = 0, top = 0;
    for (int i = 0; i < letters; i++) {
        all += count[i];
        top = count[i] > count[top] ? i : top;
    }
    const char most[2] = {(char)('a' + top), 0};
    const deja_pair pairs[] = {{"letters", deja_i64(all)}, {"most", deja_string(most)}};
    return deja_return(out, deja_map_of(pairs, 2));
}

/* ---- the conductor ---- */

typedef struct totals {
    int hits, calls, pages, failed;
    int64_t letters;
    int most_e;
} totals;

static void add_features(totals *t, const deja_value *v)
{
    t->pages++;
    t->letters += deja_map_get(v, "letters")->i64;
    t->most_e += strcmp(deja_map_get(v, "most")->string, "e") == 0;
}

static int run(deja *d, int port, totals *t, deja_error *err)
{
    deja_fn *fetches = deja_define(
        d, "fetch", "1", fetch, DEJA_FN_OPTIONS(.backend = DEJA_ASYNC, .max_running = 20, .ignore = 1), err);
    deja_fn *preprocesses = deja_define(d, "preprocess", "1", preprocess, NULL, err);
    deja_fn *ends = deja_define(d, "features", "1", features, NULL, err);
    deja_done done = {0};
    int more;
    for (int i = 0; i < pages; i++) {
        char path[32];
        snprintf(path, sizeof path, "/text/%d", i);
        deja_submit(fetches, DEJA_ARGS(port, path), err);
    }
    while ((more = deja_next(d, 60000, &done, err)) >
           0) { /* whichever is finished first, of whatever stage */
        t->calls++;
        t->hits += done.was_cached;
        if (done.error) {
            fprintf(stderr, "%s\n", done.error);
            t->failed++;
        } else if (done.function == ends) {
            add_features(t, done.value);
        } else {
            deja_submit(done.function == fetches ? preprocesses : ends, done.value, 1, err);
        }
    }
    return more < 0 ? more
                    : err->code; /* the first failure stays in it, a handle that is NULL changes nothing */
}

int main(void)
{
    server s;
    deja_error err;
    totals t = {0};
    if (server_start(&s, delay_ms) < 0)
        return perror("server"), 1;
    deja *d = deja_open(NULL, &err);
    int rc = run(d, s.port, &t, &err);
    if (rc < 0)
        fprintf(stderr, "%s\n", err.text);
    else
        printf("%d pages of %lld letters, 'e' leads in %d, %d failed, %d of %d calls from the cache\n",
               t.pages, (long long)t.letters, t.most_e, t.failed, t.hits, t.calls);
    deja_close(d);
    server_stop(&s);
    return rc < 0 || t.failed;
}
