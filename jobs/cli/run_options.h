#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H
/*
 * The options that all commands have that run many jobs: their part of a table, and what they say.
 */
#include "args.h"
#include "result_table.h"

typedef struct run_options {
    const char *cache; /* NULL: not given */
    int64_t slots;     /* 0: not given */
    int dry_run, force, keep_edited, adopt, quiet, verbose, no_progress, json;
    int tag, unordered, line_buffer;
    const char *results;    /* a folder; NULL: none */
    table_form table;       /* TABLE_NONE: none */
    const char *table_file; /* NULL: standard output */
    /* As flow_options has them. */
    uint64_t failures_most;
    double failures_percent;
    int end_at_failure;
    unsigned retries;
    int64_t timeout_ns, grace_ms;
    uint64_t memory_most, memory_free_least;
    double load_most;
    unsigned nice;
    int batch_order; /* the jobs start in the order of the batch */
} run_options;

enum {
    RUN_JOBS = ARGS_FIRST,
    RUN_CACHE,
    RUN_DRY_RUN,
    RUN_FORCE,
    RUN_KEEP_GOING,
    RUN_FAIL_FAST,
    RUN_MAX_FAILURES,
    RUN_RETRIES,
    RUN_TIMEOUT,
    RUN_GRACE,
    RUN_MEMORY,
    RUN_LOAD,
    RUN_MEMORY_FREE,
    RUN_NICE,
    RUN_ORDER,
    RUN_KEEP_EDITED,
    RUN_ADOPT,
    RUN_QUIET,
    RUN_VERBOSE,
    RUN_NO_PROGRESS,
    RUN_TAG,
    RUN_UNORDERED,
    RUN_LINE_BUFFER,
    RUN_RESULTS,
    RUN_TABLE,
    RUN_JSON,
    RUN_OWN, /* options of the command itself begin here */
};

/* Rows of an args_option table. `dry_letter` is the letter of --dry-run, `cache_default` what stands for
 * --cache. */
#define RUN_OPTIONS(dry_letter, cache_default)                                                               \
    {RUN_JOBS, 'j', "jobs", "N",                                                                             \
     "Run up to N jobs at once, or N% of the CPUs (default: the CPUs that this process may use)."},          \
        {RUN_CACHE, 0, "cache", "DIR",                                                                       \
         "Keep results in DIR (default: DEJA_CACHE, else " cache_default ")."},                              \
        {RUN_DRY_RUN, dry_letter, "dry-run", NULL,                                                           \
         "Say what would run and what would be answered, and do nothing."},                                  \
        {RUN_FORCE, 0, "force", NULL, "Run again what the cache could answer, and replace its results."},    \
        {RUN_KEEP_GOING, 'k', "keep-going", NULL,                                                            \
         "After a failure run all that does not depend on it (the default)."},                               \
        {RUN_FAIL_FAST, 0, "fail-fast", "[=now]",                                                            \
         "After the first failure start nothing more; with =now end what runs, too."},                       \
        {RUN_MAX_FAILURES, 0, "max-failures", "N",                                                           \
         "After N failures, or N% of all jobs, start nothing more."},                                        \
        {RUN_RETRIES, 0, "retries", "N",                                                                     \
         "Try a failed job up to N times again, unless the batch says how often."},                          \
        {RUN_TIMEOUT, 0, "timeout", "TIME",                                                                  \
         "End a job that runs longer than TIME (10m, 1h30m, 90), unless the batch says how long it may."},   \
        {RUN_GRACE, 0, "grace", "TIME", "Kill what was told to end after TIME (default: 5s)."},              \
        {RUN_MEMORY, 0, "memory", "SIZE", "What jobs with 'memory' share (default: what the machine has)."}, \
        {RUN_LOAD, 0, "load", "L",                                                                           \
         "Start nothing while the load average is L or more, unless nothing runs."},                         \
        {RUN_MEMORY_FREE, 0, "memfree", "SIZE",                                                              \
         "Start nothing while less memory than SIZE is free, unless nothing runs."},                         \
        {RUN_NICE, 0, "nice", "N", "Run jobs with a niceness higher by N, unless the batch says another."},  \
        {RUN_ORDER, 0, "order", "ORDER",                                                                     \
         "Start jobs in this ORDER: longest (what keeps others waiting longest by earlier runs first; the "  \
         "default) or batch."},                                                                              \
        {RUN_KEEP_EDITED, 0, "keep-edited", NULL, "Leave outputs alone that were changed since."},           \
        {RUN_ADOPT, 0, "adopt", NULL,                                                                        \
         "Take outputs that lie there for what a job would make; it does not run. Not where something that " \
         "it reads is newer, where it ran before, or has a depfile."},                                       \
        {RUN_QUIET, 'q', "quiet", NULL,                                                                      \
         "No progress and no summary. Results, warnings and failures are still told."},                      \
        {RUN_VERBOSE, 'v', "verbose", NULL, "Say when a job starts, finishes, or is answered."},             \
        {RUN_NO_PROGRESS, 0, "no-progress", NULL, "No progress, but the summary at the end."},               \
        {RUN_TAG, 0, "tag", NULL, "Begin each line of the jobs' output with the job's name and a tab."},     \
        {RUN_UNORDERED, 0, "unordered", NULL,                                                                \
         "Write a job's output, still whole, when it ends, not in batch order."},                            \
        {RUN_LINE_BUFFER, 0, "line-buffer", NULL,                                                            \
         "Write each line of the jobs' output when it comes, those of other jobs in between."},              \
        {RUN_RESULTS, 0, "results", "DIR",                                                                   \
         "Write DIR/JOB/NAME=VALUE/.../stdout, stderr and meta.json of each job; what is there of other "    \
         "jobs stays."},                                                                                     \
        {RUN_TABLE, 0, "table", "FORM[=FILE]",                                                               \
         "Write a table of parameters and results to FILE, or to standard output instead of the jobs' own; " \
         "FORM is csv or json."},                                                                            \
    {                                                                                                        \
        RUN_JSON, 0, "json", NULL, "Write one JSON object a line to standard output for all that happens."   \
    }

/* Takes the option `id`, below RUN_OWN, that a->value belongs to. DEJA_EINVAL with a text for the user. */
int run_options_take(run_options *o, const args *a, int id, deja_error *err);

/* DEJA_EINVAL for options that do not go together. */
int run_options_check(const run_options *o, deja_error *err);

#endif
