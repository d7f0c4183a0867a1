/*
 * The words of a job and of defaults. A job begins as a copy of the defaults; its own words replace theirs,
 * env and secret add to them.
 */
#include "batch_read.h"
#include <deja/text.h>
#include <string.h>

static const char *const job_words[] = {
    "run",     "call",      "with",      "shell",  "matrix",      "when",    "inputs",  "outputs",
    "depfile", "env",       "clean-env", "secret", "cwd",         "stdin",   "needs",   "version",
    "scope",   "ok-status", "cache",     "keep",   "keep-failed", "retries", "timeout", "allow-failure",
    "memory",  "cpus",      "resources", "limit",  "rate",        "nice",    NULL};

/* What belongs to one job alone (what it runs, reads, makes and needs) cannot be a default. */
static const char *const default_words[] = {
    "shell",     "env",   "clean-env", "secret",      "cwd",     "version", "scope",
    "ok-status", "cache", "keep",      "keep-failed", "retries", "timeout", "allow-failure",
    "memory",    "cpus",  "resources", "nice",        NULL};

static int read_version(batch_reader *r, const yaml_node *n, batch_job *job)
{
    int code = read_literal(r, n, "a version, any text or number", &job->version);
    return !code && !*job->version ? source_fail(&r->b->source, n->mark, r->err, "'version' is empty") : code;
}

static int read_scope(batch_reader *r, const yaml_node *n, batch_job *job)
{
    int code = read_literal(r, n, "a scope, any text", &job->scope);
    return !code && !*job->scope ? source_fail(&r->b->source, n->mark, r->err, "'scope' is empty") : code;
}

static int read_status(batch_reader *r, const yaml_node *n, int *ret)
{
    int64_t v;
    if (!read_int(r, n, &v) || v < 0 || v > 255)
        return read_expected(r, n, "an exit status, 0 to 255");
    *ret = (int)v;
    return 0;
}

static int read_ok_status(batch_reader *r, const yaml_node *n, batch_job *job)
{
    if (n->kind == YAML_MAP)
        return read_expected(r, n, "an exit status or a list of them");
    if (n->kind == YAML_LIST && n->count == 0)
        return source_fail(&r->b->source, n->mark, r->err,
                           "'ok-status' is an empty list: the job could not succeed");
    size_t count = n->kind == YAML_LIST ? n->count : 1;
    int *statuses = read_alloc(r, count, sizeof *statuses);
    if (!statuses)
        return read_no_memory(r);
    int code = 0;
    for (size_t i = 0; i < count && !code; i++)
        code = read_status(r, n->kind == YAML_LIST ? n->pairs[i].value : n, &statuses[i]);
    job->ok_status = statuses;
    job->ok_count = count;
    return code;
}

static int read_keep_word(batch_reader *r, const yaml_node *n, batch_job *job)
{
    static const char *const words[] = {"content", "record"};
    static const char what[] = "'content' (outputs are kept) or 'record' (only their hashes)";
    int code = read_scalar(r, n, what);
    if (code)
        return code;
    for (int i = 0; i < 2; i++)
        if (strcmp(n->text, words[i]) == 0) {
            job->keep_record = i;
            return 0;
        }
    return read_expected(r, n, what);
}

static int read_cwd(batch_reader *r, const yaml_node *n, batch_job *job)
{
    return batch_read_path(r, n, "the path of a folder", &job->cwd);
}

static int read_stdin(batch_reader *r, const yaml_node *n, batch_job *job)
{
    return batch_read_path(r, n, "the path of a file", &job->stdin_path);
}

static int read_clean_env(batch_reader *r, const yaml_node *n, batch_job *job)
{
    return read_flag(r, n, &job->clean_env);
}

static int read_cache(batch_reader *r, const yaml_node *n, batch_job *job)
{
    return read_flag(r, n, &job->cache);
}

static int read_keep_failed(batch_reader *r, const yaml_node *n, batch_job *job)
{
    return read_flag(r, n, &job->keep_failed);
}

/* How each word is read. env and secret are read together, matrix even where it is missing, needs when all
 * jobs are known. */
typedef struct word {
    const char *name;
    int (*read)(batch_reader *r, const yaml_node *n, batch_job *job);
} word;

static const word words[] = {
    {"shell", batch_read_shell},
    {"inputs", batch_read_inputs},
    {"outputs", batch_read_outputs},
    {"depfile", batch_read_depfile}, /* behind the outputs */
    {"clean-env", read_clean_env},
    {"cwd", read_cwd},
    {"stdin", read_stdin},
    {"version", read_version},
    {"scope", read_scope},
    {"ok-status", read_ok_status},
    {"cache", read_cache},
    {"keep", read_keep_word},
    {"keep-failed", read_keep_failed},
    {"retries", batch_read_retries},
    {"timeout", batch_read_timeout},
    {"allow-failure", batch_read_allow_failure},
    {"memory", batch_read_memory},
    {"cpus", batch_read_cpus},
    {"resources", batch_read_asked},
    {"limit", batch_read_limit},
    {"rate", batch_read_rate},
    {"nice", batch_read_nice},
};

static int read_words(batch_reader *r, const yaml_node *n, batch_job *job)
{
    int code = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words && !code; i++) {
        const yaml_node *value = yaml_get(n, words[i].name);
        if (value)
            code = words[i].read(r, value, job);
    }
    if (!code)
        code = batch_read_env(r, yaml_get(n, "env"), yaml_get(n, "secret"), job);
    return code;
}

int batch_read_job(batch_reader *r, const yaml_node *n, batch_job *job)
{
    if (n->kind != YAML_MAP)
        return read_expected(r, n, "a map with the words of a job, such as 'run'");
    int code = read_check_words(r, n, "a job", job_words);
    const yaml_node *run = yaml_get(n, "run"), *call = yaml_get(n, "call"), *with = yaml_get(n, "with");
    if (!code && !run && !call)
        code = source_fail(&r->b->source, job->at, r->err, "the job '%s' has neither 'run' nor 'call'",
                           job->name);
    if (!code && with && !call)
        code = source_fail(&r->b->source, with->mark, r->err,
                           "'with' goes with 'call': a command gets its arguments under 'run'");
    if (!code)
        code = read_words(r, n, job);
    if (!code)
        code = batch_read_matrix(r, yaml_get(n, "matrix"), yaml_get(n, "when"), job);
    if (!code)
        code = call ? batch_read_call(r, n, job) : batch_read_run(r, run, job);
    return code;
}

int batch_read_defaults(batch_reader *r, const yaml_node *n)
{
    if (n->kind != YAML_MAP)
        return read_expected(r, n, "a map with words that jobs share");
    for (size_t i = 0; i < n->count; i++) {
        const char *key = n->pairs[i].key->text;
        for (size_t w = 0; job_words[w]; w++) {
            size_t d = 0;
            while (default_words[d] && strcmp(default_words[d], key) != 0)
                d++;
            if (!default_words[d] && strcmp(job_words[w], key) == 0)
                return source_fail(&r->b->source, n->pairs[i].key->mark, r->err,
                                   "'%s' cannot have a default: it belongs in a job", key);
        }
    }
    int code = read_check_words(r, n, "'defaults'", default_words);
    return code ? code : read_words(r, n, &r->defaults);
}
