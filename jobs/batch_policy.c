/*
 * The words that say what becomes of a failure, and how far a job may go: retries, timeout, memory,
 * allow-failure. None of them is in a key.
 */
#include "batch_read.h"
#include <deja/clock.h>
#include <deja/quantity.h>
#include <string.h>

#define TIMES_MOST   1000000 /* tries; more cannot be meant */
#define BACKOFF_MOST 1000
#define MEMORY_LEAST (1 << 20) /* bytes; with less no program starts, so a unit is missing */

static const char *const retry_words[] = {"times", "delay", "backoff", "most", "jitter", NULL};

/* A duration, or with `none` the word "none", which is INT64_MAX. */
static int read_duration(batch_reader *r, const yaml_node *n, const char *what, int none, int64_t *ret)
{
    deja_error why;
    int code = read_scalar(r, n, what);
    if (code)
        return code;
    if (none && strcmp(n->text, "none") == 0) {
        *ret = INT64_MAX;
        return 0;
    }
    if (deja_parse_duration(n->text, ret, &why) < 0)
        return source_fail(&r->b->source, n->mark, r->err, "%s", why.text);
    return 0;
}

int batch_read_timeout(batch_reader *r, const yaml_node *n, batch_job *job)
{
    int code = read_duration(r, n, "a duration, such as 10m, or none", 1, &job->timeout_ns);
    return !code && job->timeout_ns == 0
               ? source_fail(&r->b->source, n->mark, r->err,
                             "'timeout' of nothing: no job could run; write 'none' for no limit")
               : code;
}

static int read_times(batch_reader *r, const yaml_node *n, unsigned *ret)
{
    int64_t v;
    if (!read_int(r, n, &v) || v < 0 || v > TIMES_MOST)
        return read_expected(r, n, "how often a failed job is tried again, 0 to 1000000");
    *ret = (unsigned)v;
    return 0;
}

static int read_factor(batch_reader *r, const yaml_node *n, const char *what, double least, double most,
                       double *ret)
{
    double v;
    if (!read_real(r, n, &v) || v < least || v > most)
        return read_expected(r, n, what);
    *ret = v;
    return 0;
}

static int read_retry_map(batch_reader *r, const yaml_node *n, batch_retries *ret)
{
    int code = read_check_words(r, n, "'retries'", retry_words);
    const yaml_node *times = yaml_get(n, "times"), *delay = yaml_get(n, "delay"),
                    *backoff = yaml_get(n, "backoff"), *most = yaml_get(n, "most"),
                    *jitter = yaml_get(n, "jitter");
    if (!code && !times)
        code = source_fail(&r->b->source, n->mark, r->err,
                           "'retries' without 'times': how often is a failed job tried again?");
    if (!code)
        code = read_times(r, times, &ret->times);
    if (!code && delay)
        code = read_duration(r, delay, "a duration, such as 1s", 0, &ret->delay_ns);
    if (!code && backoff)
        code = read_factor(r, backoff, "a factor, 1 to 1000", 1, BACKOFF_MOST, &ret->backoff);
    if (!code && most)
        code = read_duration(r, most, "a duration, such as 1m", 0, &ret->most_ns);
    if (!code && most && ret->most_ns < ret->delay_ns)
        code = source_fail(&r->b->source, most->mark, r->err, "'most' is less than 'delay'");
    if (!code && ret->most_ns < ret->delay_ns)
        ret->most_ns = ret->delay_ns;
    if (!code && jitter)
        code = read_factor(r, jitter, "a part, 0 to 1", 0, 1, &ret->jitter);
    return code;
}

int batch_read_retries(batch_reader *r, const yaml_node *n, batch_job *job)
{
    batch_retries *retries = read_alloc(r, 1, sizeof *retries);
    if (!retries)
        return read_no_memory(r);
    *retries = BATCH_RETRIES;
    job->retries = retries;
    return n->kind == YAML_MAP ? read_retry_map(r, n, retries) : read_times(r, n, &retries->times);
}

int batch_read_allow_failure(batch_reader *r, const yaml_node *n, batch_job *job)
{
    return read_flag(r, n, &job->allow_failure);
}

int batch_read_memory(batch_reader *r, const yaml_node *n, batch_job *job)
{
    deja_error why;
    int code = read_scalar(r, n, "a size, such as 2GB");
    if (code)
        return code;
    if (deja_parse_bytes(n->text, &job->memory_bytes, &why) < 0)
        return source_fail(&r->b->source, n->mark, r->err, "%s", why.text);
    if (job->memory_bytes < MEMORY_LEAST)
        return source_fail(
            &r->b->source, n->mark, r->err,
            "'memory' is less than 1MiB: no program runs in that; is a unit missing, as in 2GB?");
    return 0;
}
