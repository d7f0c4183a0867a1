/*
 * The store: results stored in groups, and look-ups one by one and together against the bare prepared query
 * on the same table, for entries of commands and for those of functions with three arguments and a small
 * value. store [ENTRIES [STORED]]: 1,000,000 and 100,000 unless said; below TMPDIR, removed at the end.
 * Prints one JSON line each: name, value, unit, reference, ratio; medians of five.
 */
#include "fill.h"

#include <deja/cleanup.h>
#include <deja/text.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define ROUNDS         5
#define LOOKUPS        100000
#define BATCH          1000
#define ENCODING_BYTES 240 /* of a command with two inputs, an output and five variables */
#define IN_FLIGHT      4000

/* What kind of entries is measured. */
typedef struct subject {
    const char *name;
    size_t encoding_len; /* up to ENCODING_BYTES */
    int has_value;
} subject;

static const subject commands = {"", ENCODING_BYTES, 0},
                     functions = {"functions: ", 150, 1}; /* kind, scope, name, version, three numbers */

typedef struct sample {
    const subject *of;
    char encoding[ENCODING_BYTES];
    char label[32];
    double value[3]; /* as long as the image of a number */
    deja_hash key;
} sample;

static void make_sample(sample *s, const subject *of, uint64_t i)
{
    s->of = of;
    s->value[0] = s->value[1] = s->value[2] = (double)i;
    memset(s->encoding, 'e', sizeof s->encoding);
    snprintf(s->encoding, sizeof s->encoding, "job %llu of a benchmark", (unsigned long long)i);
    snprintf(s->label, sizeof s->label, "job[i=%llu]", (unsigned long long)i);
    s->key = deja_hash_bytes(s->encoding, of->encoding_len);
}

static int fill_one(void *context, uint64_t i, deja_entry *ret, deja_error *err)
{
    (void)err;
    sample *s = context;
    make_sample(s, s->of, i);
    ret->key = s->key;
    ret->label = s->label;
    ret->encoding = s->encoding;
    ret->encoding_len = s->of->encoding_len;
    ret->wall_ns = DEJA_MS_NS;
    ret->has_value = s->of->has_value;
    ret->value = (deja_stored){
        .content = {DEJA_CONTENT_FILE, deja_hash_bytes(s->value, sizeof s->value), sizeof s->value},
        .data = s->value};
    return 0;
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

static void report(const subject *of, const char *name, double value, const char *unit, double reference)
{
    printf("{\"name\":\"%s%s\",\"value\":%.3f,\"unit\":\"%s\",\"reference\":%.3f,\"ratio\":%.3f}\n", of->name,
           name, value, unit, reference, reference > 0 ? value / reference : 0.0);
    fflush(stdout);
}

/* Every round asks for other entries, far apart from one another, as a cold index is. */
static uint64_t pick(uint64_t i, int round, uint64_t entries)
{
    return (i * UINT64_C(7919) + (uint64_t)round * UINT64_C(104729)) % entries;
}

static double bare_queries(const char *folder, const subject *of, uint64_t entries, int round, int together)
{
    char path[4200];
    sqlite3 *handle;
    sqlite3_stmt *query;
    sample s;
    uint64_t bytes = 0;
    snprintf(path, sizeof path, "%s/db", folder);
    if (sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
        sqlite3_exec(handle, "PRAGMA cache_size=-32768", NULL, NULL, NULL) ||
        sqlite3_prepare_v2(handle, "SELECT record FROM entry WHERE key=?1 AND variant=x''", -1, &query, NULL))
        return -1;
    int64_t began = deja_monotonic_ns(NULL);
    for (uint64_t i = 0; i < LOOKUPS; i++) {
        if (together && i % BATCH == 0)
            sqlite3_exec(handle, "BEGIN", NULL, NULL, NULL);
        make_sample(&s, of, pick(i, round, entries));
        sqlite3_bind_blob(query, 1, s.key.byte, 16, SQLITE_STATIC);
        if (sqlite3_step(query) == SQLITE_ROW && sqlite3_column_blob(query, 0))
            bytes += (uint64_t)sqlite3_column_bytes(query, 0);
        sqlite3_reset(query);
        if (together && i % BATCH == BATCH - 1)
            sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL);
    }
    double ns = (double)(deja_monotonic_ns(NULL) - began);
    sqlite3_finalize(query);
    sqlite3_close(handle);
    return bytes ? ns / LOOKUPS / 1000.0 : -1;
}

static double look_ups(const char *folder, const subject *of, uint64_t entries, int round, size_t batch)
{
    deja_cache_options options = {.size = sizeof options, .folder = folder};
    deja_cache *c = NULL;
    if (deja_cache_open(&c, &options, NULL))
        return -1;
    DEJA_AUTO_FREE sample *samples = deja_realloc_array(NULL, batch, sizeof *samples);
    DEJA_AUTO_FREE deja_lookup *items = deja_realloc_array(NULL, batch, sizeof *items);
    uint64_t found = 0;
    int64_t began = deja_monotonic_ns(NULL);
    for (uint64_t i = 0; samples && items && i < LOOKUPS; i += batch) {
        for (size_t k = 0; k < batch; k++) {
            make_sample(&samples[k], of, pick(i + k, round, entries));
            items[k] = (deja_lookup){
                .key = samples[k].key, .encoding = samples[k].encoding, .encoding_len = of->encoding_len};
        }
        if (deja_cache_lookup(c, items, batch, NULL))
            break;
        for (size_t k = 0; k < batch; k++) {
            found += items[k].entry != NULL;
            deja_entry_free(items[k].entry);
        }
    }
    double ns = (double)(deja_monotonic_ns(NULL) - began);
    deja_cache_close(c);
    return found == LOOKUPS ? ns / LOOKUPS / 1000.0 : -1;
}

static int take_finished(deja_cache *c, uint64_t *finished, int wait)
{
    struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
    if (wait && poll(&p, 1, -1) < 0 && errno != EINTR)
        return -1;
    for (deja_step *s; (s = deja_cache_next(c)); ++*finished) {
        if (s->status) {
            fprintf(stderr, "store: %s\n", s->error.text);
            return -1;
        }
        deja_result_done((deja_result *)s);
    }
    return 0;
}

/* Seconds for `count` new results; the conductor's part of the work is one thread's. */
static double store_results(const char *folder, const subject *of, uint64_t from, uint64_t count,
                            uint32_t flags)
{
    deja_cache_options options = {.size = sizeof options, .folder = folder, .flags = flags};
    deja_cache *c = NULL;
    if (deja_cache_open(&c, &options, NULL))
        return -1;
    DEJA_AUTO_FREE sample *samples = deja_realloc_array(NULL, count, sizeof *samples);
    DEJA_AUTO_FREE deja_result *results = deja_calloc(count, sizeof *results);
    uint64_t finished = 0;
    if (!samples || !results)
        return -1;
    for (uint64_t i = 0; i < count; i++)
        make_sample(&samples[i], of, from + i);
    int64_t began = deja_monotonic_ns(NULL);
    for (uint64_t i = 0; i < count; i++) {
        results[i] = (deja_result){.key = samples[i].key,
                                   .encoding = samples[i].encoding,
                                   .encoding_len = of->encoding_len,
                                   .label = samples[i].label,
                                   .flags = of->has_value ? DEJA_RESULT_VALUE : 0,
                                   .out = {"42\n", of->has_value ? 0 : 3, -1},
                                   .err = {"", 0, -1},
                                   .value = {samples[i].value, sizeof samples[i].value, -1},
                                   .root_fd = AT_FDCWD};
        if (!deja_result_seal_begin(c, &results[i]) || results[i].step.status ||
            deja_result_commit_begin(c, &results[i]) || take_finished(c, &finished, i - finished > IN_FLIGHT))
            return -1;
    }
    deja_cache_hurry(c);
    while (finished < count)
        if (take_finished(c, &finished, 1))
            return -1;
    double seconds = (double)(deja_monotonic_ns(NULL) - began) / (double)DEJA_S_NS;
    deja_cache_close(c);
    return seconds;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void measure_look_ups(const char *folder, const subject *of, uint64_t entries)
{
    double bare[ROUNDS], single[ROUNDS], bare_together[ROUNDS], together[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        bare[i] = bare_queries(folder, of, entries, i, 0);
        single[i] = look_ups(folder, of, entries, i, 1);
        bare_together[i] = bare_queries(folder, of, entries, i, 1);
        together[i] = look_ups(folder, of, entries, i, BATCH);
    }
    report(of, "look-up one by one", median(single), "us", median(bare));
    report(of, "look-up in one read transaction", median(together), "us", median(bare_together));
    struct rusage usage;
    if (of == &commands && getrusage(RUSAGE_SELF, &usage) == 0)
        report(of, "peak memory of look-ups", (double)usage.ru_maxrss / 1024.0, "MB", 300);
}

static void measure_storing(const char *parent, const subject *of, uint64_t count)
{
    char folder[4200];
    double synced[ROUNDS], fast[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(folder, sizeof folder, "%s/stored%zu-%d", parent, of->encoding_len, i);
        synced[i] = (double)count / store_results(folder, of, 0, count, 0) / 1000.0;
        snprintf(folder, sizeof folder, "%s/fast%zu-%d", parent, of->encoding_len, i);
        fast[i] = (double)count / store_results(folder, of, 0, count, DEJA_CACHE_NO_SYNC) / 1000.0;
    }
    report(of, "results stored, synchronous=FULL", median(synced), "k/s", 100);
    report(of, "results stored, synchronous=NORMAL", median(fast), "k/s", 100);
}

static int run(const char *parent, const subject *of, uint64_t entries, uint64_t stored, deja_error *err)
{
    char folder[4200];
    sample s = {.of = of};
    snprintf(folder, sizeof folder, "%s/filled%zu", parent, of->encoding_len);
    int64_t began = deja_monotonic_ns(NULL);
    int r = fill_cache(folder, entries, fill_one, &s, err);
    if (r)
        return r;
    report(of, "rows filled in", (double)entries / ((double)(deja_monotonic_ns(NULL) - began) / 1e9) / 1000.0,
           "k/s", 0);
    measure_look_ups(folder, of, entries);
    measure_storing(parent, of, stored);
    double onto = store_results(folder, of, entries, stored, 0);
    report(of, "results stored into a filled store", (double)stored / onto / 1000.0, "k/s", 100);
    return 0;
}

int main(int argc, char **argv)
{
    int64_t entries = 1000000, stored = 100000;
    char parent[4096];
    const char *tmp = getenv("TMPDIR");
    deja_error err = {0};
    if ((argc > 1 && (deja_text_int(argv[1], &entries) || entries < 1)) ||
        (argc > 2 && (deja_text_int(argv[2], &stored) || stored < 1))) {
        fprintf(stderr, "usage: store [ENTRIES [STORED]]\n");
        return 2;
    }
    snprintf(parent, sizeof parent, "%s/deja-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(parent)) {
        fprintf(stderr, "store: make '%s': %s\n", parent, strerror(errno));
        return 1;
    }
    int r = run(parent, &commands, (uint64_t)entries, (uint64_t)stored, &err);
    if (!r)
        r = run(parent, &functions, (uint64_t)entries, (uint64_t)stored, &err);
    if (r)
        fprintf(stderr, "store: %s\n", err.text);
    nftw(parent, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return r ? 1 : 0;
}
