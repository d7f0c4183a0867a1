/*
 * Remembered calls of a function with three small arguments, at a million entries. Usage as figure.h says.
 *
 *     memo-hit         hits one by one, against the bare prepared query of the same table
 *     memo-hit-map     hits in a map of 100,000
 *     memo-miss-map    misses in a map of 100,000 into an empty cache, until all are durable
 *     memo-hit-array   hits on a result of 100 MB
 */
#include "calls_open.h"
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ENTRIES = 1000000,
    ITEMS = 100000,
    HITS = 20000,
    COLUMNS = 3,
    ARRAY_BYTES = 100000000,
    ARRAY_HITS = 501
};

static int trivial(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)err;
    return deja_return(out, deja_f64((double)arg[0].i64 * arg[1].f64));
}

static int numbers(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int64_t *y = deja_return_array(out, DEJA_I64, 1, &arg->i64, err);
    (void)n;
    for (int64_t i = 0; y && i < arg->i64; i++)
        y[i] = i;
    return y ? 0 : err->code;
}

static void fill_row(deja_value *row, uint64_t i)
{
    row[0] = deja_i64((int64_t)i);
    row[1] = deja_f64(0.5);
    row[2] = deja_string("fast");
}

static deja_value *rows(uint64_t from, uint64_t count)
{
    deja_value *v = malloc(count * COLUMNS * sizeof *v);
    figure_check(!v, "out of memory");
    for (uint64_t i = 0; i < count; i++)
        fill_row(v + i * COLUMNS, from + i);
    return v;
}

static void map_range(deja_fn *f, uint64_t from, uint64_t count)
{
    deja_value *v = rows(from, count);
    calls_map(f, v, count, COLUMNS);
    free(v);
}

static deja *open_below(const char *parent, const char *name, uint32_t flags)
{
    char path[4300];
    snprintf(path, sizeof path, "%s/%s", parent, name);
    return calls_open(flags, 0, path);
}

static void must_sync(deja *d)
{
    deja_error err;
    figure_check(deja_sync(d, &err) < 0, err.text);
}

/* Every round asks for other entries, far apart from one another, as a cold index is. */
static uint64_t pick(uint64_t i, long round, uint64_t entries)
{
    return (i * UINT64_C(7919) + (uint64_t)round * UINT64_C(104729)) % entries;
}

/* ---- one by one ---- */

typedef struct bare {
    sqlite3 *handle;
    sqlite3_stmt *query;
    unsigned char (*keys)[16];
    uint64_t count;
} bare;

static void open_bare(bare *b, const char *parent, uint64_t entries)
{
    char path[4300];
    sqlite3_stmt *all;
    snprintf(path, sizeof path, "%s/million/db", parent);
    b->keys = malloc(entries * sizeof *b->keys);
    figure_check(!b->keys ||
                     sqlite3_open_v2(path, &b->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
                     sqlite3_exec(b->handle, "PRAGMA cache_size=-32768", NULL, NULL, NULL) ||
                     sqlite3_prepare_v2(b->handle, "SELECT key FROM entry", -1, &all, NULL) ||
                     sqlite3_prepare_v2(b->handle, "SELECT record FROM entry WHERE key=?1 AND variant=x''",
                                        -1, &b->query, NULL),
                 "the table cannot be opened");
    while (b->count < entries && sqlite3_step(all) == SQLITE_ROW)
        memcpy(b->keys[b->count++], sqlite3_column_blob(all, 0), 16);
    sqlite3_finalize(all);
    figure_check(b->count < entries, "there are entries missing");
}

static void close_bare(bare *b)
{
    sqlite3_finalize(b->query);
    sqlite3_close(b->handle);
    free(b->keys);
}

static double query_us(bare *b, long round)
{
    uint64_t bytes = 0;
    double begin = figure_now();
    for (uint64_t i = 0; i < HITS; i++) {
        sqlite3_bind_blob(b->query, 1, b->keys[pick(i, round, b->count)], 16, SQLITE_STATIC);
        if (sqlite3_step(b->query) == SQLITE_ROW && sqlite3_column_blob(b->query, 0))
            bytes += (uint64_t)sqlite3_column_bytes(b->query, 0);
        sqlite3_reset(b->query);
    }
    double us = (figure_now() - begin) / HITS * 1e6;
    figure_check(bytes == 0, "the table cannot be read");
    return us;
}

static double hit_us(deja_fn *f, long round, uint64_t entries)
{
    double sum = 0, begin = figure_now();
    for (uint64_t i = 0; i < HITS; i++) {
        deja_value row[COLUMNS];
        fill_row(row, pick(i, round, entries));
        deja_results *r = calls_call(f, row, COLUMNS);
        sum += deja_results_at(r, 0)->f64;
        figure_check(!deja_results_was_cached(r, 0), "a hit was computed");
        deja_results_free(r);
    }
    double us = (figure_now() - begin) / HITS * 1e6;
    figure_check(sum < 0, "sums are wrong");
    return us;
}

static void measure_single(const figures *s, const char *parent, deja_fn *f, uint64_t entries)
{
    static figure row = {.name = "memo-hit", .unit = "us", .asked = "<= 1.3", .reference = "SQLite"};
    bare b = {0};
    open_bare(&b, parent, entries);
    query_us(&b, s->rounds);
    for (long i = 0; i < s->rounds; i++)
        figure_round(&row, hit_us(f, i, entries), query_us(&b, i));
    figure_print(&row);
    close_bare(&b);
}

/* ---- maps ---- */

static void measure_hit_map(const figures *s, deja_fn *f, uint64_t entries)
{
    static figure row = {.name = "memo-hit-map", .unit = "us", .asked = "<= 3"};
    uint64_t count = (uint64_t)(ITEMS / s->scale);
    for (long i = 0; i < s->rounds; i++) {
        deja_value *v = rows(entries > count ? (uint64_t)i * count % (entries - count) : 0, count);
        double begin = figure_now();
        calls_map(f, v, count, COLUMNS);
        figure_round(&row, (figure_now() - begin) / (double)count * 1e6, -1);
        free(v);
    }
    figure_print(&row);
}

static void measure_hits(const figures *s, const char *parent)
{
    uint64_t entries = (uint64_t)(ENTRIES / s->scale);
    deja *d = open_below(parent, "million", DEJA_NO_SYNC);
    deja_fn *f = calls_define(d, "trivial", trivial, DEJA_PROCESS);
    for (uint64_t from = 0, n; from < entries; from += n) {
        n = entries - from < ITEMS ? entries - from : ITEMS;
        map_range(f, from, n);
    }
    must_sync(d);
    if (figures_want(s, "memo-hit"))
        measure_single(s, parent, f, entries);
    if (figures_want(s, "memo-hit-map"))
        measure_hit_map(s, f, entries);
    deja_close(d);
}

static void measure_misses(const figures *s, const char *parent)
{
    static figure row = {.name = "memo-miss-map", .unit = "k/s", .asked = ">= 100"};
    uint64_t count = (uint64_t)(ITEMS / s->scale);
    deja_value *v = rows(0, count);
    for (long i = 0; i < s->rounds; i++) {
        char name[32];
        snprintf(name, sizeof name, "misses%ld", i);
        deja *d = open_below(parent, name, 0);
        deja_fn *f = calls_define(d, "trivial", trivial, DEJA_PROCESS);
        double begin = figure_now();
        calls_map(f, v, count, COLUMNS);
        must_sync(d);
        figure_round(&row, (double)count / (figure_now() - begin) / 1e3, -1);
        deja_close(d);
    }
    figure_print(&row);
    free(v);
}

/* ---- a large result ---- */

static double array_hit_us(deja_fn *f, int64_t count)
{
    double us[ARRAY_HITS];
    for (int i = 0; i < ARRAY_HITS; i++) {
        double begin = figure_now();
        deja_results *r = calls_call(f, DEJA_ARGS(count));
        const int64_t *y = deja_results_at(r, 0)->array->data;
        figure_check(y[count - 1] != count - 1, "a mapped array is wrong");
        deja_results_free(r);
        us[i] = (figure_now() - begin) * 1e6;
    }
    return figure_median(us, ARRAY_HITS);
}

static void measure_array(const figures *s, const char *parent)
{
    static figure row = {.name = "memo-hit-array", .unit = "us", .asked = "<= 30"};
    int64_t count = ARRAY_BYTES / 8 / s->scale;
    deja *d = open_below(parent, "array", 0);
    deja_fn *f = calls_define(d, "numbers", numbers, DEJA_PROCESS);
    deja_results_free(calls_call(f, DEJA_ARGS(count)));
    must_sync(d);
    poll(NULL, 0, 2200); /* stat data are trusted when they are two seconds old */
    deja_results_free(calls_call(f, DEJA_ARGS(count)));
    for (long i = 0; i < s->rounds; i++)
        figure_round(&row, array_hit_us(f, count), -1);
    figure_print(&row);
    deja_close(d);
}

int main(int argc, char **argv)
{
    figures s;
    figures_parse(&s, argc, argv);
    const char *parent = figures_folder(&s);
    if (figures_want(&s, "memo-hit") || figures_want(&s, "memo-hit-map"))
        measure_hits(&s, parent);
    if (figures_want(&s, "memo-miss-map"))
        measure_misses(&s, parent);
    if (figures_want(&s, "memo-hit-array"))
        measure_array(&s, parent);
    figures_done(&s);
    return 0;
}
