/*
 * Where contents are better kept: in their row or in a blob. Stores and reads standard outputs of growing
 * size both ways. inline [RESULTS]: 2,000 of each size unless said. One JSON line for each size: microseconds
 * in a row and, as reference, as a file; a ratio below 1 speaks for the row. Medians of five.
 */
#include <deja/cache.h>
#include <deja/cleanup.h>
#include <deja/text.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS    5
#define IN_FLIGHT 200
#define MOST      (64u << 10) /* bytes */

typedef struct trial {
    const char *folder;
    uint32_t inline_bytes;
    size_t len, count;
    deja_result *results;
    char (*names)[32];
    char *data; /* count * len bytes, all different */
} trial;

static deja_cache *open_cache(const trial *t)
{
    deja_cache_options options = {.size = sizeof options,
                                  .folder = t->folder,
                                  .flags = DEJA_CACHE_NO_SYNC,
                                  .inline_bytes = t->inline_bytes};
    deja_cache *c = NULL;
    deja_error err;
    if (deja_cache_open(&c, &options, &err))
        fprintf(stderr, "inline: %s\n", err.text);
    return c;
}

static int take_finished(deja_cache *c, size_t *finished, int wait)
{
    struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
    if (wait && poll(&p, 1, -1) < 0 && errno != EINTR)
        return -1;
    for (deja_step *s; (s = deja_cache_next(c)); ++*finished) {
        if (s->status)
            return -1;
        deja_result_done((deja_result *)s);
    }
    return 0;
}

static int seal(deja_cache *c, deja_result *r)
{
    int begun = deja_result_seal_begin(c, r);
    while (!begun) {
        struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return -1;
        deja_step *s = deja_cache_next(c);
        if (s == &r->step)
            break;
        if (s)
            return -1;
    }
    return r->step.status;
}

/* Sealing first, all of it, so that the steps of both kinds do not mix. Microseconds for one. */
static double write_all(const trial *t)
{
    deja_cache *c = open_cache(t);
    size_t finished = 0;
    if (!c)
        return -1;
    int64_t began = deja_monotonic_ns(NULL);
    for (size_t from = 0; from < t->count; from += IN_FLIGHT) {
        size_t to = from + IN_FLIGHT < t->count ? from + IN_FLIGHT : t->count;
        for (size_t i = from; i < to; i++) {
            snprintf(t->names[i], sizeof t->names[i], "%zu of %zu", i, t->len);
            t->results[i] = (deja_result){.key = deja_hash_bytes(t->names[i], strlen(t->names[i])),
                                          .encoding = t->names[i],
                                          .encoding_len = strlen(t->names[i]),
                                          .out = {t->data + i * t->len, t->len, -1},
                                          .err = {"", 0, -1},
                                          .root_fd = AT_FDCWD};
            if (seal(c, &t->results[i]))
                return -1;
        }
        for (size_t i = from; i < to; i++)
            if (deja_result_commit_begin(c, &t->results[i]))
                return -1;
        deja_cache_hurry(c);
        while (finished < to)
            if (take_finished(c, &finished, 1))
                return -1;
    }
    double us = (double)(deja_monotonic_ns(NULL) - began) / 1000.0 / (double)t->count;
    deja_cache_close(c);
    return us;
}

static int read_one(deja_cache *c, const deja_entry *e, char *to)
{
    if (e->out.where == DEJA_STORED_INLINE) {
        memcpy(to, e->out.data, e->out.content.size);
        return 0;
    }
    DEJA_AUTO_CLOSE int fd = deja_cache_open_stored(c, &e->out, NULL);
    return fd >= 0 && pread(fd, to, e->out.content.size, 0) == (ssize_t)e->out.content.size ? 0 : -1;
}

static double read_all(const trial *t)
{
    static char to[MOST];
    deja_cache *c = open_cache(t);
    if (!c)
        return -1;
    int64_t began = deja_monotonic_ns(NULL);
    for (size_t k = 0; k < t->count; k++) {
        size_t i = k * 7919 % t->count;
        deja_lookup l = {.key = deja_hash_bytes(t->names[i], strlen(t->names[i])),
                         .encoding = t->names[i],
                         .encoding_len = strlen(t->names[i])};
        if (deja_cache_lookup(c, &l, 1, NULL) || !l.entry || read_one(c, l.entry, to))
            return -1;
        deja_entry_free(l.entry);
    }
    double us = (double)(deja_monotonic_ns(NULL) - began) / 1000.0 / (double)t->count;
    deja_cache_close(c);
    return us;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double v[ROUNDS])
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
}

static void report(const char *what, size_t len, double row[ROUNDS], double file[ROUNDS])
{
    double a = median(row), b = median(file);
    printf("{\"name\":\"%s %zu bytes\",\"value\":%.2f,\"unit\":\"us\",\"reference\":%.2f,\"ratio\":%.3f}\n",
           what, len, a, b, a / b);
    fflush(stdout);
}

static int measure(trial *t, const char *parent)
{
    char folder[4200];
    double written[2][ROUNDS], read_us[2][ROUNDS];
    t->folder = folder;
    for (int round = 0; round < ROUNDS; round++)
        for (int as_file = 0; as_file < 2; as_file++) {
            snprintf(folder, sizeof folder, "%s/%d-%zu-%d", parent, round, t->len, as_file);
            t->inline_bytes = as_file ? 1 : MOST;
            for (size_t i = 0; i < t->count; i++)
                snprintf(t->data + i * t->len, t->len, "%d %d %zu", round, as_file, i);
            written[as_file][round] = write_all(t);
            if (as_file)
                usleep(2100000); /* a blob is not trusted from memory before it is 2 s old */
            (void)read_all(t);
            read_us[as_file][round] = read_all(t);
            if (written[as_file][round] < 0 || read_us[as_file][round] < 0)
                return -1;
            nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        }
    report("write", t->len, written[0], written[1]);
    report("read", t->len, read_us[0], read_us[1]);
    return 0;
}

int main(int argc, char **argv)
{
    int64_t count = 2000;
    char parent[4096];
    const char *tmp = getenv("TMPDIR");
    if (argc > 1 && (deja_text_int(argv[1], &count) || count < 1)) {
        fprintf(stderr, "usage: inline [RESULTS]\n");
        return 2;
    }
    snprintf(parent, sizeof parent, "%s/deja-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    trial t = {.count = (size_t)count};
    t.results = deja_calloc(t.count, sizeof *t.results);
    t.names = deja_calloc(t.count, sizeof *t.names);
    t.data = deja_calloc(t.count, MOST);
    int r = t.results && t.names && t.data && mkdtemp(parent) ? 0 : -1;
    for (t.len = 1u << 10; !r && t.len <= MOST; t.len *= 2)
        r = measure(&t, parent);
    if (r)
        fprintf(stderr, "inline: failed: %s\n", strerror(errno));
    nftw(parent, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    deja_free(t.results);
    deja_free(t.names);
    deja_free(t.data);
    return r ? 1 : 0;
}
