/* Why a job would run, see why.h. */
#include "why.h"
#include <string.h>

/* A run of this very job with the same key says what became of it. */
static why_kind kind_of_same(const history_item *i)
{
    if (i->flags & HISTORY_FAILED)
        return WHY_FAILED;
    return i->flags & HISTORY_KEPT ? WHY_FORGOTTEN : WHY_NOT_KEPT;
}

static int has_key(const history_record *r, const deja_hash *key)
{
    return (r->item.flags & HISTORY_KEYED) && deja_hash_equal(&r->key, key);
}

/* How many fields differ; SIZE_MAX where that cannot be told. */
static size_t count_differences(why *w, const history_record *r, const flow_event *e)
{
    if (!r->encoding ||
        differences_find(&w->differences, r->encoding, r->encoding_len, e->encoding, e->encoding_len) < 0)
        return SIZE_MAX;
    return w->differences.count;
}

/* Of the last runs the newest with the same key, else the one that is most like now. 0: there is none. */
static int find_own(why *w, history *h, const flow_event *e)
{
    history_item items[HISTORY_RUNS + 1];
    const history_id id = history_id_of(h, e->def, e->index);
    const size_t count = history_find(h, &id, items);
    size_t best = count, least = 0;
    for (size_t i = 0; i < count; i++) {
        if (!history_load(h, &items[i], &w->before))
            continue;
        if (has_key(&w->before, &e->key)) {
            w->kind = kind_of_same(&items[i]);
            return 1;
        }
        /* what ran, or was skipped, without a key tells nothing: it counts where there is nothing else */
        size_t n = items[i].flags & HISTORY_KEYED ? count_differences(w, &w->before, e) : SIZE_MAX;
        if (best < count && n >= least)
            continue;
        best = i;
        least = n;
    }
    if (best == count || !history_load(h, &items[best], &w->before))
        return 0;
    if (!(items[best].flags & HISTORY_KEYED))
        w->kind = kind_of_same(&items[best]);
    else
        w->kind = count_differences(w, &w->before, e) == SIZE_MAX ? WHY_MANY : WHY_CHANGED;
    return 1;
}

static int find_nearest(why *w, history *h, const flow_event *e)
{
    history_item item;
    if (!history_nearest(h, e->def, e->index, &item) || !history_load(h, &item, &w->before))
        return 0;
    return count_differences(w, &w->before, e) != SIZE_MAX;
}

static why_kind kind_without_key(why *w, const why_options *options, const flow_event *e)
{
    history_item items[HISTORY_RUNS + 1];
    const history_id id = history_id_of(options->history, e->def, e->index);
    if (!options->absent)
        return WHY_NO_KEY;
    if (!history_find(options->history, &id, items))
        return WHY_NEVER;
    w->text = options->absent;
    return WHY_ALWAYS;
}

void why_find(why *w, const why_options *options, const flow_event *e)
{
    w->text = e->reason;
    w->differences.count = 0;
    deja_buffer_clear(&w->stale);
    w->stale_count = 0;
    if (e->kind == FLOW_WOULD_HIT)
        w->kind = WHY_ANSWERED;
    else if (e->reason)
        w->kind = WHY_DEPENDS;
    else if (!e->def->cache)
        w->kind = WHY_UNCACHED;
    else if ((w->text = options->always))
        w->kind = WHY_ALWAYS;
    else if (!e->keyed)
        w->kind = kind_without_key(w, options, e);
    else if (!find_own(w, options->history, e))
        w->kind = options->nearest && find_nearest(w, options->history, e) ? WHY_NEAREST : WHY_NEVER;
    if (w->kind == WHY_FORGOTTEN)
        why_look_into_cache(w, options, e);
    if (w->kind != WHY_CHANGED && w->kind != WHY_NEAREST)
        w->differences.count = 0;
}

void why_done(why *w)
{
    history_record_done(&w->before);
    differences_done(&w->differences);
    deja_buffer_done(&w->stale);
}
