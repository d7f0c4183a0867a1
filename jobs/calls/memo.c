/* Memos, see memo.h: a key that the program makes, a value that it computes itself. */
#include "memo.h"
#include "function.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/encoding.h>
#include <deja/image.h>
#include <fcntl.h>

struct deja_memo {
    deja *d;
    deja_memo *next;
    char *name;
    call_key key;
    answer answer;
    deja_error failed;
};

deja_memo *deja_memo_new(deja *d, const char *name, const char *version, deja_error *err)
{
    if (!d || context_enter(d, err) < 0)
        return NULL;
    deja_memo *m = deja_calloc(1, sizeof *m);
    char *copy = deja_strdup(name ? name : "");
    if (m && copy) {
        m->d = d;
        m->name = deja_take(copy);
        deja_key_begin(&m->key.fields, "memo");
        deja_key_add_string(&m->key.fields, DEJA_FIELD_FUNCTION, "", m->name);
        deja_key_add_string(&m->key.fields, DEJA_FIELD_VERSION, "", version ? version : "");
        m->next = d->memos;
        d->memos = m;
    } else {
        deja_free(m);
        m = NULL;
        deja_fail(err, DEJA_ENOMEM, "memo '%s': out of memory", name ? name : "");
    }
    deja_free(copy);
    context_leave(d);
    return m;
}

void deja_memo_add(deja_memo *m, const char *name, deja_value v)
{
    if (!m || m->failed.code < 0)
        return;
    if (function_add_argument(m->d, &m->key, name, &v, &m->failed) < 0)
        deja_fail_in(&m->failed, "memo '%s': '%s'", m->name, name);
}

/* 0 and the lock, or negative. */
static int enter(deja_memo *m, deja_hash *ret, deja_error *err)
{
    if (!m)
        return DEJA_EINVAL;
    if (m->failed.code < 0)
        return deja_fail(err, m->failed.code, "%s", m->failed.text);
    if (deja_key_finish(&m->key.fields, ret) < 0)
        return deja_fail(err, DEJA_ENOMEM, "memo '%s': out of memory", m->name);
    return context_enter(m->d, err);
}

const deja_value *deja_memo_find(deja_memo *m, deja_error *err)
{
    deja_lookup item = {0};
    const deja_value *found = NULL;
    if (err)
        err->code = m ? 0 : err->code;
    if (enter(m, &item.key, err) < 0)
        return NULL;
    item.encoding = m->key.fields.bytes.data;
    item.encoding_len = m->key.fields.bytes.len;
    deja *d = m->d;
    answer_done(&m->answer);
    if (d->cache && !(d->flags & DEJA_REFRESH) && deja_cache_lookup(d->cache, &item, 1, err) == 0 &&
        item.entry) {
        if (item.entry->has_value && answer_of_entry(d->cache, deja_take(item.entry), &m->answer, NULL) == 0)
            found = &m->answer.value;
        deja_entry_free(item.entry);
    }
    d->progress.calls++;
    d->progress.done++;
    d->progress.hits += found != NULL;
    context_leave(d);
    return found;
}

typedef struct keeping {
    step_waiter waiter;
    deja_result result;
    int done;
} keeping;

static void finished(step_waiter *w, deja_step *step)
{
    (void)step;
    ((keeping *)w)->done = 1;
}

static int run_step(deja *d, keeping *k, int (*begin)(deja_cache *, deja_result *), deja_error *err)
{
    k->done = 0;
    if (begin(d->cache, &k->result) == 0)
        for (context_began(d); !k->done;) {
            deja_cache_hurry(d->cache);
            context_turn(d, INT64_MAX);
        }
    int rc = k->result.step.status;
    return rc < 0 ? deja_fail(err, rc, "%s", k->result.step.error.text) : 0;
}

static int keep(deja_memo *m, const deja_hash *hash, const deja_value *v, int64_t cost_ns, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer image = {0};
    keeping k = {.waiter.finished = finished};
    deja_image_add(&image, v);
    if (image.failed)
        return deja_fail(err, DEJA_ENOMEM, "memo '%s': out of memory", m->name);
    k.result = (deja_result){.step.user = &k.waiter,
                             .key = *hash,
                             .encoding = m->key.fields.bytes.data,
                             .encoding_len = m->key.fields.bytes.len,
                             .label = m->name,
                             .wall_ns = cost_ns > 0 ? cost_ns : 0,
                             .out.fd = -1,
                             .err.fd = -1,
                             .root_fd = AT_FDCWD,
                             .inputs = m->key.files,
                             .input_count = m->key.file_count,
                             .flags = DEJA_RESULT_VALUE,
                             .value = {.data = image.data, .len = image.len, .fd = -1}};
    int rc = run_step(m->d, &k, deja_result_seal_begin, err);
    if (rc == 0)
        rc = deja_result_check_inputs(&k.result, err);
    if (rc == 0)
        rc = run_step(m->d, &k, deja_result_commit_begin, err);
    deja_result_done(&k.result);
    return rc < 0 ? deja_fail_in(err, "memo '%s' is not kept", m->name) : 0;
}

static int copy_into(answer *a, const deja_value *v)
{
    answer_done(a);
    return answer_of_copy(v, a);
}

const deja_value *deja_memo_store(deja_memo *m, const deja_value *v, int64_t cost_ns, deja_error *err)
{
    deja_hash hash;
    if (m && deja_value_check(v, err) < 0) {
        deja_fail_in(err, "memo '%s'", m->name);
        return NULL;
    }
    if (enter(m, &hash, err) < 0)
        return NULL;
    int rc = m->d->cache && m->d->claims ? keep(m, &hash, v, cost_ns, err) : 0;
    if (rc == 0 && (rc = copy_into(&m->answer, v)) < 0)
        deja_fail(err, rc, "memo '%s': out of memory", m->name);
    context_leave(m->d);
    return rc == 0 ? &m->answer.value : NULL;
}

static void free_memo(deja_memo *m)
{
    deja_memo **at = &m->d->memos;
    while (*at && *at != m)
        at = &(*at)->next;
    if (*at)
        *at = m->next;
    answer_done(&m->answer);
    call_key_done(&m->key);
    deja_free(m->name);
    deja_free(m);
}

void deja_memo_free(deja_memo *m)
{
    if (!m || context_enter(m->d, NULL) < 0)
        return;
    deja *d = m->d;
    free_memo(m);
    context_leave(d);
}

void memo_free_all(deja *d)
{
    while (d->memos)
        free_memo(d->memos);
}
