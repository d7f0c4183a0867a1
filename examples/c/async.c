/*
 * Masses of waiting: the backend is one word. Each fetch is a coroutine; while one waits for the server
 * others run, all in one thread.
 */
#include "server.h"
#include <stdio.h>

enum { pages = 500, delay_ms = 20 };

static int fetch(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    char text[4096]; /* the stack of a coroutine is 16 KB, see deja_options */
    if (n != 2 || arg[1].kind != DEJA_STRING)
        return deja_fail(err, DEJA_ETYPE, "wants a port and a path");
    int len = server_fetch((int)arg[0].i64, arg[1].string, text, sizeof text, err);
    return len < 0 ? len : deja_return(out, deja_string_n(text, (uint64_t)len));
}

int main(void)
{
    server s;
    deja_error err;
    if (server_start(&s, delay_ms) < 0)
        return perror("server"), 1;
    deja *d = deja_open(NULL, &err);
    /* The server's port differs each time and says nothing about the page: it is no part of the key. At most
     * 100 at once, and 5000 begun in a second. */
    deja_fn *f = deja_define(
        d, "fetch", "1", fetch,
        DEJA_FN_OPTIONS(.backend = DEJA_ASYNC, .max_running = 100, .per_second = 5000, .ignore = 1), &err);
    static char paths[pages][32];
    static deja_value rows[pages][2];
    for (int i = 0; i < pages; i++) {
        snprintf(paths[i], sizeof paths[i], "/page/%d", i);
        rows[i][0] = deja_i64(s.port);
        rows[i][1] = deja_string(paths[i]);
    }
    deja_results *r = deja_map(f, &rows[0][0], pages, 2, NULL, &err);
    uint64_t bytes = 0;
    int hits = 0, failed = 0;
    for (size_t i = 0; i < deja_results_count(r); i++) {
        bytes += deja_results_at(r, i) ? deja_results_at(r, i)->len : 0;
        failed += deja_results_error(r, i) != NULL;
        hits += deja_results_was_cached(r, i);
    }
    if (r)
        printf("%llu bytes, %d failed, %d of %d from the cache\n", (unsigned long long)bytes, failed, hits,
               pages);
    else
        fprintf(stderr, "%s\n", err.text);
    deja_results_free(r);
    deja_close(d);
    server_stop(&s);
    return !r || failed;
}
