/* Jobs that failed, see failed.h: for each job the parameters of its instances, as sorted hashes. */
#include "failed.h"
#include <stdlib.h>

typedef struct instances {
    uint64_t *params;
    size_t count;
} instances;

struct failed {
    instances *of; /* by number of the job */
    uint32_t count;
};

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* The last run of this identity was a failure. */
static int is_failed(history *h, const history_id *id)
{
    history_item last[HISTORY_RUNS + 1];
    return history_find(h, id, last) > 0 && (last[0].flags & HISTORY_FAILED);
}

/* An identity stands among the items once for each of its runs. */
static int add_job(instances *ret, history *h, const batch_job *def, deja_error *err)
{
    history_item *items;
    size_t count = history_of_job(h, def, &items), failures = 0;
    for (size_t i = 0; i < count; i++)
        failures += (items[i].flags & HISTORY_FAILED) != 0;
    ret->params = failures ? deja_calloc(failures, sizeof *ret->params) : NULL;
    for (size_t i = 0; ret->params && i < count; i++)
        if ((items[i].flags & HISTORY_FAILED) && is_failed(h, &items[i].id))
            ret->params[ret->count++] = items[i].id.params;
    deja_free(items);
    if (failures && !ret->params)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (ret->count)
        qsort(ret->params, ret->count, sizeof *ret->params, compare);
    size_t n = 0;
    for (size_t i = 0; i < ret->count; i++)
        if (n == 0 || ret->params[n - 1] != ret->params[i])
            ret->params[n++] = ret->params[i];
    ret->count = n;
    return 0;
}

int failed_open(failed **ret, history *h, const batch *b, deja_error *err)
{
    failed *f = deja_calloc(1, sizeof *f);
    if (f)
        f->of = deja_calloc(b->job_count + 1u, sizeof *f->of);
    int status = f && f->of ? 0 : deja_fail(err, DEJA_ENOMEM, "out of memory");
    for (uint32_t i = 0; status == 0 && i < b->job_count; i++, f->count = i)
        status = add_job(&f->of[i], h, &b->jobs[i], err);
    if (status < 0) {
        failed_close(f);
        return status;
    }
    *ret = f;
    return 0;
}

size_t failed_count(const failed *f, const batch_job *def)
{
    return f->of[def->number].count;
}

int failed_has(const failed *f, const batch_job *def, uint32_t index)
{
    const instances *of = &f->of[def->number];
    params p = {.count = 0};
    if (of->count == 0)
        return 0;
    params_of(&p, def, index);
    uint64_t hash = params_hash(&p);
    params_done(&p);
    return bsearch(&hash, of->params, of->count, sizeof hash, compare) != NULL;
}

void failed_close(failed *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; f->of && i < f->count; i++)
        deja_free(f->of[i].params);
    deja_free(f->of);
    deja_free(f);
}
