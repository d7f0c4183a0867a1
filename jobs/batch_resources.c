/*
 * The words about what jobs share while they run: cpus, resources, limit, rate and nice of a job, resources
 * at the top of the file. None of them is in a key.
 */
#include "batch_read.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/quantity.h>
#include <deja/text.h>
#include <string.h>

#define CPUS_MOST   65536 /* as many slots as -j takes */
#define NICE_MOST   19
#define AMOUNT_MOST 1000000 /* more cannot be meant */

static int read_count(batch_reader *r, const yaml_node *n, int64_t least, int64_t most, const char *what,
                      int64_t *ret)
{
    return read_int(r, n, ret) && *ret >= least && *ret <= most ? 0 : read_expected(r, n, what);
}

int batch_read_cpus(batch_reader *r, const yaml_node *n, batch_job *job)
{
    int64_t v;
    int code = read_count(r, n, 1, CPUS_MOST, "how many CPUs it keeps busy, 1 to 65536", &v);
    job->cpus = code ? 0 : (unsigned)v;
    return code;
}

int batch_read_limit(batch_reader *r, const yaml_node *n, batch_job *job)
{
    int64_t v;
    int code = read_count(r, n, 1, AMOUNT_MOST, "how many of this job may run at once, 1 to 1000000", &v);
    job->limit = code ? 0 : (unsigned)v;
    return code;
}

int batch_read_nice(batch_reader *r, const yaml_node *n, batch_job *job)
{
    int64_t v;
    int code = read_count(r, n, 0, NICE_MOST, "what is added to the niceness, 0 to 19", &v);
    job->nice_said = 1;
    job->nice = code ? 0 : (unsigned)v;
    return code;
}

/* "s", "min", "h", or with a number, "10s". */
static int parse_period(const char *text, int64_t *ret_ns)
{
    DEJA_AUTO_BUFFER deja_buffer one = {0};
    if (strcmp(text, "min") == 0)
        text = "m";
    deja_buffer_addf(&one, "%s%s", *text >= '0' && *text <= '9' ? "" : "1", text);
    return !*text || one.failed || deja_parse_duration(one.data, ret_ns, NULL) < 0 || *ret_ns <= 0 ? -1 : 0;
}

int batch_read_rate(batch_reader *r, const yaml_node *n, batch_job *job)
{
    static const char what[] = "how often it may start, such as 5/s or 10/min";
    int64_t count, period_ns;
    int code = read_scalar(r, n, what);
    const char *slash = code ? NULL : strchr(n->text, '/');
    if (code || !slash)
        return code ? code : read_expected(r, n, what);
    DEJA_AUTO_FREE char *number = deja_dup(n->text, (size_t)(slash - n->text) + 1);
    if (!number)
        return read_no_memory(r);
    number[slash - n->text] = '\0';
    if (deja_text_int(number, &count) < 0 || count < 1 || parse_period(slash + 1, &period_ns) < 0)
        return read_expected(r, n, what);
    job->rate_ns = period_ns / count > 0 ? period_ns / count : 1;
    return 0;
}

static const batch_amount *find(const batch_amount *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

static int read_amount(batch_reader *r, const yaml_pair *pair, batch_amount *ret)
{
    static const char *const words[] = {"cpus", "memory", "limit", "rate", "nice", NULL};
    int64_t v = 0;
    int code = read_name(r, pair->key, "a resource");
    for (size_t i = 0; words[i] && !code; i++)
        if (strcmp(pair->key->text, words[i]) == 0)
            code = source_fail(&r->b->source, pair->key->mark, r->err,
                               "'%s' is a word of its own: write it beside 'resources', not in it", words[i]);
    if (!code)
        code = read_count(r, pair->value, 0, AMOUNT_MOST, "an amount, 0 to 1000000", &v);
    if (code)
        return code;
    *ret = (batch_amount){.name = read_keep(r, pair->key), .amount = (uint64_t)v, .at = pair->key->mark};
    return ret->name ? 0 : read_no_memory(r);
}

int batch_read_asked(batch_reader *r, const yaml_node *n, batch_job *job)
{
    if (n->kind != YAML_MAP)
        return read_expected(r, n, "a map from names to amounts, such as {gpu: 1}");
    batch_amount *asked = read_alloc(r, n->count, sizeof *asked);
    if (n->count && !asked)
        return read_no_memory(r);
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++)
        code = read_amount(r, &n->pairs[i], &asked[i]);
    job->resources = asked;
    job->resource_count = n->count;
    return code;
}

static int fail_twice(batch_reader *r, const yaml_node *key, const batch_amount *other)
{
    char where[SOURCE_PLACE];
    return source_fail(&r->b->source, key->mark, r->err, "there is already a resource '%s', %s", key->text,
                       source_place(where, &r->b->source, other->at, key->mark));
}

int batch_read_amounts(batch_reader *r, const yaml_node *n)
{
    batch *b = r->b;
    if (n->kind != YAML_MAP)
        return read_expected(r, n, "a map from names to amounts, such as {gpu: 2}");
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++) {
        const batch_amount *other = find(b->resources, b->resource_count, n->pairs[i].key->text);
        code = other ? fail_twice(r, n->pairs[i].key, other)
                     : read_amount(r, &n->pairs[i], (batch_amount *)&b->resources[b->resource_count]);
        b->resource_count += !code;
    }
    return code;
}
