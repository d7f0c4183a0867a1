/* How long a job will run, and which one is like it, see history.h. */
#include "history_state.h"
#include <deja/cleanup.h>
#include <string.h>

enum { NEAREST_MOST = 100000 }; /* records read for one question: a second or so */

/* A success that tells how long the job takes. */
static int is_success(const history_item *i)
{
    return !(i->flags & (HISTORY_FAILED | HISTORY_ADOPTED));
}

static int same_id(const history_id *a, const history_id *b)
{
    return a->job == b->job && a->params == b->params;
}

/* The median of the successes; -1: none. */
static int64_t median_wall(const history_item *items, size_t count)
{
    int64_t sorted[HISTORY_RUNS + 1];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_success(&items[i]))
            continue;
        size_t at = n++;
        for (; at > 0 && sorted[at - 1] > items[i].wall_ns; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = items[i].wall_ns;
    }
    return n ? sorted[(n - 1) / 2] : -1;
}

/* Reads instances spread evenly over those that are known, an instance once. */
static void read_sample(history *h, const batch_job *def)
{
    history_sample *s = &h->sample;
    DEJA_AUTO_FREE history_item *items = NULL;
    size_t count = history_of_job(h, def, &items), good = 0;
    s->def = def;
    s->count = 0;
    for (size_t i = 0; i < count; i++)
        if (is_success(&items[i]) && (!good || !same_id(&items[good - 1].id, &items[i].id)))
            items[good++] = items[i];
    size_t take = good < HISTORY_SAMPLE ? good : HISTORY_SAMPLE;
    for (size_t i = 0; i < take; i++)
        s->count += (size_t)history_load(h, &items[i * good / take], &s->records[s->count]);
}

/* The mean of those that are nearest; -1: none is known. */
static int64_t nearest_wall(const history_sample *s, const params *p)
{
    double least = -1, sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const history_record *r = &s->records[i];
        double far = params_distance(p->items, p->count, r->params, r->param_count);
        if (n && far > least)
            continue;
        if (n && far < least)
            n = 0;
        sum = n ? sum + (double)r->item.wall_ns : (double)r->item.wall_ns;
        least = far;
        n++;
    }
    return n ? (int64_t)(sum / (double)n) : -1;
}

history_source history_estimate(history *h, const batch_job *def, uint32_t index, int64_t *ret_wall_ns)
{
    history_item items[HISTORY_RUNS + 1];
    if (!history_ready(h))
        return HISTORY_UNKNOWN;
    params_of(&h->params, def, index);
    const history_id id = {.job = history_job(h, def), .params = params_hash(&h->params)};
    int64_t own = median_wall(items, history_find(h, &id, items));
    if (own >= 0) {
        *ret_wall_ns = own;
        return HISTORY_OWN;
    }
    if (h->sample.def != def)
        read_sample(h, def);
    int64_t nearest = nearest_wall(&h->sample, &h->params);
    if (nearest < 0)
        return HISTORY_UNKNOWN;
    *ret_wall_ns = nearest;
    return HISTORY_NEAREST;
}

typedef struct sum {
    double wall_ns;
    int64_t longest_ns;
    size_t count;
} sum;

/* Items of one identity lie together. */
static void add_walls(sum *s, const history_item *items, size_t count, uint64_t of)
{
    size_t first, n = history_index_job(items, count, of, &first);
    int64_t shortest = 0; /* of the identity */
    uint64_t last = 0;
    int any = 0;
    for (size_t at = 0; at < n; at++) {
        const history_item *i = &items[first + at];
        if (!is_success(i))
            continue;
        int same = any && i->id.params == last;
        if (!same)
            s->longest_ns = shortest > s->longest_ns ? shortest : s->longest_ns;
        shortest = same && shortest < i->wall_ns ? shortest : i->wall_ns;
        last = i->id.params;
        any = 1;
        s->wall_ns += (double)i->wall_ns;
        s->count++;
    }
    s->longest_ns = shortest > s->longest_ns ? shortest : s->longest_ns;
}

size_t history_mean(history *h, const batch_job *def, int64_t *ret_mean_ns, int64_t *ret_longest_ns)
{
    sum s = {0};
    if (!history_ready(h))
        return 0;
    add_walls(&s, h->index.base, h->index.base_count, history_job(h, def));
    add_walls(&s, h->index.tail, h->index.tail_count, history_job(h, def));
    if (s.count) {
        *ret_mean_ns = (int64_t)(s.wall_ns / (double)s.count);
        *ret_longest_ns = s.longest_ns;
    }
    return s.count;
}

int history_nearest(history *h, const batch_job *def, uint32_t index, history_item *ret)
{
    DEJA_AUTO_FREE history_item *items = NULL;
    history_record r = {.param_count = 0};
    double least = 0;
    int found = 0;
    size_t count = history_of_job(h, def, &items);
    params_of(&h->params, def, index);
    const uint64_t own = params_hash(&h->params);
    for (size_t i = 0; i < count && i < NEAREST_MOST; i++) {
        if (items[i].id.params == own || !is_success(&items[i]) || !(items[i].flags & HISTORY_KEYED) ||
            !history_load(h, &items[i], &r))
            continue;
        double far = params_distance(h->params.items, h->params.count, r.params, r.param_count);
        if (found && (far > least || (far >= least && items[i].started_ns <= ret->started_ns)))
            continue;
        least = far;
        found = 1;
        *ret = items[i];
    }
    history_record_done(&r);
    return found;
}
