/* What the options of commands that run many jobs say, see run_options.h. */
#include "run_options.h"
#include <deja/clock.h>
#include <deja/quantity.h>
#include <deja/runner.h>
#include <deja/text.h>
#include <stdlib.h>
#include <string.h>

/* Numbers that cannot be meant are mistakes. */
enum { MOST_SLOTS = 65536, MOST_RETRIES = 1000000, MOST_GRACE_S = 86400, MOST_NICE = 19 };

static int take_fail_fast(run_options *o, const args *a, deja_error *err)
{
    if (a->value && strcmp(a->value, "now") != 0)
        return deja_fail(err, DEJA_EINVAL, "--fail-fast=%s: it is --fail-fast or --fail-fast=now", a->value);
    o->failures_most = 1;
    o->end_at_failure = a->value != NULL;
    return 0;
}

/* "3", or "10%", "2.5%". */
static int take_max_failures(run_options *o, const args *a, deja_error *err)
{
    size_t len = strlen(a->value);
    char *end = NULL;
    int64_t most;
    if (len > 1 && a->value[len - 1] == '%' && strspn(a->value, "0123456789.") == len - 1) {
        o->failures_percent = strtod(a->value, &end);
        if (end == a->value + len - 1 && o->failures_percent > 0 && o->failures_percent <= 100)
            return 0;
        return deja_fail(err, DEJA_EINVAL, "--max-failures %s: a percentage is above 0%% and at most 100%%",
                         a->value);
    }
    if (deja_text_int(a->value, &most) < 0 || most < 1)
        return deja_fail(
            err, DEJA_EINVAL,
            "--max-failures %s: it is a number of jobs, at least 1, or a percentage such as 10%%", a->value);
    o->failures_most = (uint64_t)most;
    return 0;
}

static int take_retries(run_options *o, const args *a, deja_error *err)
{
    int64_t times;
    int code = args_number(a, "--retries", 0, MOST_RETRIES, &times, err);
    o->retries = code ? 0 : (unsigned)times;
    return code;
}

static int take_duration(const char *what, const args *a, int64_t least_ns, int64_t *ret, deja_error *err)
{
    if (deja_parse_duration(a->value, ret, err) < 0)
        return deja_fail_in(err, "%s", what);
    return *ret < least_ns ? deja_fail(err, DEJA_EINVAL, "%s %s: it is no time at all", what, a->value) : 0;
}

static int take_grace(run_options *o, const args *a, deja_error *err)
{
    int64_t ns;
    int code = take_duration("--grace", a, 1, &ns, err);
    if (code)
        return code;
    if (ns > MOST_GRACE_S * DEJA_S_NS)
        return deja_fail(err, DEJA_EINVAL, "--grace %s: more than a day cannot be meant", a->value);
    o->grace_ms = (ns + DEJA_MS_NS - 1) / DEJA_MS_NS;
    return 0;
}

static int take_order(run_options *o, const args *a, deja_error *err)
{
    o->batch_order = !strcmp(a->value, "batch");
    return o->batch_order || !strcmp(a->value, "longest")
               ? 0
               : deja_fail(err, DEJA_EINVAL, "--order %s: it is 'longest' or 'batch'", a->value);
}

/* "csv", "json=rows.json". */
static int take_table(run_options *o, const args *a, deja_error *err)
{
    const char *file = strchr(a->value, '=');
    size_t len = file ? (size_t)(file - a->value) : strlen(a->value);
    o->table = len == 3 && !strncmp(a->value, "csv", len)    ? TABLE_CSV
               : len == 4 && !strncmp(a->value, "json", len) ? TABLE_JSON
                                                             : TABLE_NONE;
    o->table_file = file ? file + 1 : NULL;
    if (o->table == TABLE_NONE)
        return deja_fail(err, DEJA_EINVAL, "--table %s: it is csv, json, csv=FILE or json=FILE", a->value);
    return file && !file[1] ? deja_fail(err, DEJA_EINVAL, "--table %s names no file", a->value) : 0;
}

int run_options_check(const run_options *o, deja_error *err)
{
    if (o->json && (o->tag || o->unordered || o->line_buffer))
        return deja_fail(err, DEJA_EINVAL,
                         "--json names the job of each event, and writes them as they come: "
                         "--tag, --unordered and --line-buffer do not go with it");
    if (o->table == TABLE_NONE)
        return 0;
    if (o->dry_run)
        return deja_fail(err, DEJA_EINVAL, "--table is of results, and a dry run has none");
    if (o->json && !o->table_file)
        return deja_fail(err, DEJA_EINVAL,
                         "--table and --json would both write to standard output; say --table FORM=FILE");
    return 0;
}

/* "3", or "50%" of the CPUs, at least one. No 0 for "all": thousands of processes at once are a mistake. */
static int take_jobs(run_options *o, const args *a, deja_error *err)
{
    size_t len = strlen(a->value);
    if (len < 2 || len > 6 || a->value[len - 1] != '%' || strspn(a->value, "0123456789") != len - 1)
        return args_number(a, "--jobs", 1, MOST_SLOTS, &o->slots, err);
    int64_t percent = strtol(a->value, NULL, 10);
    if (percent == 0)
        return deja_fail(err, DEJA_EINVAL, "--jobs %s: a percentage of the CPUs is above 0%%", a->value);
    o->slots = (percent * deja_cpu_count() + 50) / 100;
    o->slots = o->slots < 1 ? 1 : o->slots > MOST_SLOTS ? MOST_SLOTS : o->slots;
    return 0;
}

static int take_bytes(const char *what, const args *a, uint64_t *ret, deja_error *err)
{
    if (deja_parse_bytes(a->value, ret, err) < 0)
        return deja_fail_in(err, "%s", what);
    return *ret == 0 ? deja_fail(err, DEJA_EINVAL, "%s %s: it is no memory at all", what, a->value) : 0;
}

static int take_load(run_options *o, const args *a, deja_error *err)
{
    char *end;
    o->load_most = strtod(a->value, &end);
    if (*a->value >= '0' && *a->value <= '9' && !*end && o->load_most > 0 && o->load_most <= MOST_SLOTS)
        return 0;
    return deja_fail(err, DEJA_EINVAL, "--load %s: it is a number above 0, such as 4 or 1.5", a->value);
}

static int take_nice(run_options *o, const args *a, deja_error *err)
{
    int64_t nice = 0;
    int code = args_number(a, "--nice", 0, MOST_NICE, &nice, err);
    o->nice = (unsigned)nice;
    return code;
}

int run_options_take(run_options *o, const args *a, int id, deja_error *err)
{
    switch (id) {
    case RUN_JOBS:
        return take_jobs(o, a, err);
    case RUN_CACHE:
        o->cache = a->value;
        return *a->value ? 0 : deja_fail(err, DEJA_EINVAL, "--cache needs a folder");
    case RUN_DRY_RUN:
        return o->dry_run = 1, 0;
    case RUN_FORCE:
        return o->force = 1, 0;
    case RUN_KEEP_GOING:
        o->failures_most = 0;
        o->failures_percent = 0;
        return o->end_at_failure = 0;
    case RUN_FAIL_FAST:
        return take_fail_fast(o, a, err);
    case RUN_MAX_FAILURES:
        return take_max_failures(o, a, err);
    case RUN_RETRIES:
        return take_retries(o, a, err);
    case RUN_TIMEOUT:
        return take_duration("--timeout", a, 1, &o->timeout_ns, err);
    case RUN_GRACE:
        return take_grace(o, a, err);
    case RUN_MEMORY:
        return take_bytes("--memory", a, &o->memory_most, err);
    case RUN_LOAD:
        return take_load(o, a, err);
    case RUN_MEMORY_FREE:
        return take_bytes("--memfree", a, &o->memory_free_least, err);
    case RUN_NICE:
        return take_nice(o, a, err);
    case RUN_ORDER:
        return take_order(o, a, err);
    case RUN_KEEP_EDITED:
        return o->keep_edited = 1, 0;
    case RUN_ADOPT:
        return o->adopt = 1, 0;
    case RUN_QUIET:
        return o->quiet = 1, 0;
    case RUN_VERBOSE:
        return o->verbose = 1, 0;
    case RUN_NO_PROGRESS:
        return o->no_progress = 1, 0;
    case RUN_TAG:
        return o->tag = 1, 0;
    case RUN_UNORDERED:
        return o->unordered = 1, 0;
    case RUN_LINE_BUFFER:
        return o->line_buffer = 1, 0;
    case RUN_RESULTS:
        o->results = a->value;
        return *a->value ? 0 : deja_fail(err, DEJA_EINVAL, "--results needs a folder");
    case RUN_TABLE:
        return take_table(o, a, err);
    default:
        return o->json = 1, 0;
    }
}
