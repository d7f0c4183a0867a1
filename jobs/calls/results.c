/* Results handed out, see results.h. */
#include "results.h"
#include <deja/memory.h>

typedef struct item {
    holder *in;
    char *text;
    int64_t wall_ns;
    int32_t code;
    int32_t was_cached;
} item;

struct deja_results {
    size_t count;
    deja_value *values; /* NULL with `times`, as long as nothing was put */
    item *items;        /* the same */
    uint16_t *times;    /* results lie in an array of the caller's; NULL: they do not */
};

static int make_items(deja_results *r)
{
    if (!r->values)
        r->values = deja_calloc(r->count, sizeof *r->values);
    if (!r->items)
        r->items = deja_calloc(r->count, sizeof *r->items);
    return r->values && r->items;
}

deja_results *results_new(size_t count)
{
    deja_results *r = deja_calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->count = count;
    if (make_items(r))
        return r;
    deja_results_free(r);
    return NULL;
}

deja_results *results_new_elsewhere(size_t count)
{
    deja_results *r = deja_calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->count = count;
    r->times = deja_realloc_array(NULL, count ? count : 1, sizeof *r->times); /* every one is written */
    if (r->times)
        return r;
    deja_free(r);
    return NULL;
}

uint16_t *results_times(deja_results *r)
{
    return r->times;
}

void results_put(deja_results *r, size_t i, answer a)
{
    if (!make_items(r)) { /* it stays failed, without its reason */
        answer_done(&a);
        return;
    }
    holder_release(r->items[i].in); /* of an answer that turned out to be of no use */
    deja_free(r->items[i].text);
    r->values[i] = a.value;
    r->items[i] =
        (item){.in = a.in, .text = a.text, .wall_ns = a.wall_ns, .code = a.code, .was_cached = a.was_cached};
}

int results_of_future(deja_future *future, deja_done *done, deja_error *err)
{
    deja_results *r = results_new(1);
    deja_done d = {
        .user = future->user, .function = future->function, .number = future->number, .results = r};
    answer a = future_take(future);
    if (!r) {
        answer_done(&a);
        return deja_fail(err, DEJA_ENOMEM, "take a result: out of memory");
    }
    results_put(r, 0, a);
    d.value = deja_results_at(r, 0);
    d.error = deja_results_error(r, 0);
    d.code = a.code;
    d.was_cached = a.was_cached;
    *done = d;
    return 1;
}

size_t deja_results_count(const deja_results *r)
{
    return r ? r->count : 0;
}

const deja_value *deja_results_at(const deja_results *r, size_t i)
{
    static const deja_value elsewhere; /* null */
    if (deja_results_code(r, i) != 0)
        return NULL;
    return r->values ? &r->values[i] : &elsewhere;
}

const char *deja_results_error(const deja_results *r, size_t i)
{
    int code = deja_results_code(r, i);
    if (code == 0)
        return NULL;
    return r && i < r->count && r->items && r->items[i].text ? r->items[i].text : deja_error_meaning(code);
}

int deja_results_code(const deja_results *r, size_t i)
{
    if (!r || i >= r->count)
        return DEJA_EINVAL;
    if (r->times && r->times[i])
        return 0;
    return r->items ? r->items[i].code : DEJA_ENOMEM;
}

int deja_results_was_cached(const deja_results *r, size_t i)
{
    return r && i < r->count && r->items && r->items[i].was_cached;
}

int64_t deja_results_wall_ns(const deja_results *r, size_t i)
{
    if (!r || i >= r->count)
        return 0;
    return r->times && r->times[i] ? deja_map_time_ns(r->times[i]) : r->items ? r->items[i].wall_ns : 0;
}

void deja_results_free(deja_results *r)
{
    if (!r)
        return;
    for (size_t i = 0; r->items && i < r->count; i++) {
        holder_release(r->items[i].in);
        deja_free(r->items[i].text);
    }
    deja_free(r->values);
    deja_free(r->items);
    deja_free(r->times);
    deja_free(r);
}
