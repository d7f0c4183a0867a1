/*
 * Hits on large values, and what one who waits for a single result waits for. mapped [MBYTES [HITS]]: 100 and
 * 2,000 unless said; below TMPDIR, removed at the end. Prints one JSON line each, as store.c; medians.
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
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ALONE 200 /* results stored one by one */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *name, double *v, size_t n, double reference)
{
    qsort(v, n, sizeof *v, by_value);
    double value = v[n / 2];
    printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"us\",\"reference\":%.3f,\"ratio\":%.3f}\n", name,
           value, reference, reference > 0 ? value / reference : 0.0);
    fflush(stdout);
}

static double us_since(int64_t began)
{
    return (double)(deja_monotonic_ns(NULL) - began) / 1000.0;
}

static int finish(deja_cache *c, deja_result *r, int begun)
{
    deja_cache_hurry(c);
    while (!begun) {
        struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return -1;
        begun = deja_cache_next(c) != NULL;
    }
    if (r->step.status)
        fprintf(stderr, "mapped: %s\n", r->step.error.text);
    return r->step.status;
}

static int keep(deja_cache *c, const char *name, deja_payload value)
{
    deja_result r = {.key = deja_hash_bytes(name, strlen(name)),
                     .encoding = name,
                     .encoding_len = strlen(name),
                     .label = name,
                     .flags = DEJA_RESULT_VALUE,
                     .out = {"", 0, -1},
                     .err = {"", 0, -1},
                     .value = value,
                     .root_fd = AT_FDCWD};
    int failed = finish(c, &r, deja_result_seal_begin(c, &r));
    if (!failed)
        failed = finish(c, &r, deja_result_commit_begin(c, &r));
    deja_result_done(&r);
    return failed;
}

static int keep_array(deja_cache *c, uint64_t bytes)
{
    DEJA_AUTO_CLOSE int stage = deja_cache_stage(c, NULL);
    if (stage < 0 || ftruncate(stage, (off_t)bytes))
        return -1;
    unsigned char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, stage, 0);
    if (at == MAP_FAILED)
        return -1;
    for (uint64_t i = 0; i < bytes; i += 8)
        memcpy(at + i, &i, sizeof i);
    munmap(at, bytes);
    return keep(c, "array", (deja_payload){NULL, 0, stage});
}

/* Microseconds of look-up and mapping; of populating the pages, too, when `touch`. */
static double hit(deja_cache *c, uint64_t bytes, int touch)
{
    static const char name[] = "array";
    int64_t began = deja_monotonic_ns(NULL);
    deja_lookup l = {.key = deja_hash_bytes(name, 5), .encoding = name, .encoding_len = 5};
    deja_mapped m = {.map = NULL};
    if (deja_cache_lookup(c, &l, 1, NULL) || !l.entry || deja_cache_map_value(c, l.entry, &m, NULL))
        return -1;
    if (touch && madvise(m.map, bytes, MADV_POPULATE_READ))
        return -1;
    double us = us_since(began);
    deja_mapped_done(&m);
    deja_entry_free(l.entry);
    return us;
}

static void pause_until_trusted(void)
{
    struct timespec t = {.tv_sec = 2, .tv_nsec = 200000000};
    nanosleep(&t, NULL);
}

static int measure_hits(deja_cache *c, uint64_t bytes, size_t hits, double *us)
{
    if (keep_array(c, bytes))
        return -1;
    us[0] = hit(c, bytes, 0);
    report("first hit on a large value, read through", us, 1, 0);
    pause_until_trusted();
    if (hit(c, bytes, 0) < 0)
        return -1;
    for (size_t i = 0; i < hits; i++)
        us[i] = hit(c, bytes, 0);
    report("hit on a large value, mapped", us, hits, 30);
    for (size_t i = 0; i < 5; i++)
        us[i] = hit(c, bytes, 1);
    report("the same with its pages populated", us, 5, 0);
    return 0;
}

static int measure_alone(deja_cache *c, double *us)
{
    for (size_t i = 0; i < ALONE; i++) {
        char name[32];
        snprintf(name, sizeof name, "call %zu", i);
        int64_t began = deja_monotonic_ns(NULL);
        if (keep(c, name, (deja_payload){name, sizeof name, -1}))
            return -1;
        us[i] = us_since(began);
    }
    return 0;
}

static int measure_fsync(const char *parent, double *us)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/synced", parent);
    DEJA_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (size_t i = 0; i < ALONE; i++) {
        int64_t began = deja_monotonic_ns(NULL);
        if (pwrite(fd, path, 4096, (off_t)i * 4096) != 4096 || fsync(fd))
            return -1;
        us[i] = us_since(began);
    }
    qsort(us, ALONE, sizeof *us, by_value);
    return 0;
}

static int run(const char *parent, uint64_t bytes, size_t hits)
{
    char folder[4200];
    deja_cache *c = NULL;
    deja_error err;
    snprintf(folder, sizeof folder, "%s/cache", parent);
    deja_cache_options o = {.size = sizeof o, .folder = folder};
    DEJA_AUTO_FREE double *us = deja_calloc(hits + ALONE, sizeof *us);
    if (!us || deja_cache_open(&c, &o, &err))
        return -1;
    int r = measure_fsync(parent, us);
    double reference = us[ALONE / 2];
    if (!r)
        r = measure_alone(c, us);
    if (!r)
        report("one result stored, hurried, against write and fsync of a page", us, ALONE, reference);
    if (!r)
        r = measure_hits(c, bytes, hits, us);
    deja_cache_close(c);
    return r;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

int main(int argc, char **argv)
{
    int64_t megabytes = 100, hits = 2000;
    char parent[4096];
    const char *tmp = getenv("TMPDIR");
    if ((argc > 1 && (deja_text_int(argv[1], &megabytes) || megabytes < 1)) ||
        (argc > 2 && (deja_text_int(argv[2], &hits) || hits < 5))) {
        fprintf(stderr, "usage: mapped [MBYTES [HITS]]\n");
        return 2;
    }
    snprintf(parent, sizeof parent, "%s/deja-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(parent)) {
        fprintf(stderr, "mapped: make '%s': %s\n", parent, strerror(errno));
        return 1;
    }
    int r = run(parent, (uint64_t)megabytes * 1000000, (size_t)hits);
    nftw(parent, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return r ? 1 : 0;
}
