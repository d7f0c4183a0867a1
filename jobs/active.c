/*
 * Lists are kept in batch order: new actives come in that order nearly always, so that the search from the
 * end is short.
 */
#include "active.h"
#include "aside.h"
#include "environment.h"
#include "feed.h"
#include "held_list.h"
#include "outputs.h"
#include "resources.h"
#include <deja/cleanup.h>
#include <string.h>

/* What was looked at so long ago may have changed. */
#define STALE_NS (1 * DEJA_S_NS)

int active_comes_before(const active *a, const active *b)
{
    uint32_t x = a->job.def->number, y = b->job.def->number;
    return x != y ? x < y : a->job.index < b->job.index;
}

static void list_add(active_list *l, active *a)
{
    active *after = l->last;
    while (after && active_comes_before(a, after))
        after = after->prev;
    a->prev = after;
    a->next = after ? after->next : l->first;
    *(after ? &after->next : &l->first) = a;
    *(a->next ? &a->next->prev : &l->last) = a;
    l->count++;
}

static void list_remove(active_list *l, active *a)
{
    *(a->prev ? &a->prev->next : &l->first) = a->next;
    *(a->next ? &a->next->prev : &l->last) = a->prev;
    a->prev = a->next = NULL;
    l->count--;
}

static active_list *list_of(const active *a, stage s)
{
    flow *f = a->flow;
    switch (s) {
    case LOOKING:
        return &f->looking;
    case MISSED:
        return &f->missed;
    case HELD:
        return resources_list(f, a->job.def);
    case ASIDE:
        return &f->aside;
    case VERIFYING:
        return &f->verifying;
    default:
        return &f->busy;
    }
}

/* The memory of an earlier active, emptied but for what can be used again. */
static active *take_idle(flow *f)
{
    active *a = f->idle;
    if (!a)
        return deja_calloc(1, sizeof *a);
    f->idle = a->next;
    struct {
        job job;
        deja_buffer name, program;
        reads reads;
        deja_key encoding;
        uint8_t *restored;
        size_t restored_cap;
        deja_hash *output_claims;
        size_t output_claim_cap;
    } kept = {a->job,      a->name,         a->program,       a->reads,           a->encoding,
              a->restored, a->restored_cap, a->output_claims, a->output_claim_cap};
    *a = (active){.job = kept.job,
                  .name = kept.name,
                  .program = kept.program,
                  .reads = kept.reads,
                  .encoding = kept.encoding,
                  .restored = kept.restored,
                  .restored_cap = kept.restored_cap,
                  .output_claims = kept.output_claims,
                  .output_claim_cap = kept.output_claim_cap};
    deja_buffer_clear(&a->name);
    return a;
}

active *active_new(flow *f, const batch_job *def, uint32_t index)
{
    active *a = take_idle(f);
    if (!a)
        return NULL;
    a->flow = f;
    a->job.batch = f->batch;
    a->job.def = def;
    a->job.index = index;
    a->job.output_count = 0; /* nothing is rendered yet */
    a->stage = HASHING;
    a->attempt = 1;
    a->outcome.out.fd = a->outcome.err.fd = a->product.fd = -1;
    f->preparing++;
    list_add(&f->busy, a);
    return a;
}

/* With its new key it waits again, or has ended. */
static void end_refreshing(active *a)
{
    a->flow->refreshing -= (size_t)a->refreshing;
    a->refreshing = 0;
}

void active_enter(active *a, stage s)
{
    flow *f = a->flow;
    if (s == MISSED || s == ASIDE)
        end_refreshing(a);
    resources_enter(a, s);
    active_list *from = list_of(a, a->stage), *to = list_of(a, s);
    f->held += (s == HELD) - (a->stage == HELD);
    f->preparing -= a->stage <= REREADING;
    f->preparing += s <= REREADING;
    a->stage = s;
    if (from == to)
        return;
    list_remove(from, a);
    list_add(to, a);
}

size_t active_count(const flow *f)
{
    return f->looking.count + f->missed.count + f->held + f->aside.count + f->verifying.count + f->busy.count;
}

int active_is_stale(const active *a)
{
    return a->keyed && deja_monotonic_ns(NULL) - a->keyed_ns > STALE_NS;
}

const char *active_name(active *a)
{
    if (a->name.len == 0)
        job_name(&a->name, a->job.def, a->job.index);
    return deja_buffer_string(&a->name);
}

const batch_retries *active_retries(const active *a)
{
    return a->job.def->retries ? a->job.def->retries : &a->flow->options.retries;
}

unsigned active_nice(const active *a)
{
    return a->job.def->nice_said ? a->job.def->nice : a->flow->options.nice;
}

int64_t active_timeout_ns(const active *a)
{
    int64_t own = a->job.def->timeout_ns;
    int64_t ns = own ? own : a->flow->options.timeout_ns;
    return ns == INT64_MAX ? 0 : ns;
}

flow_event active_event(active *a, flow_event_kind kind)
{
    return (flow_event){.kind = kind,
                        .def = a->job.def,
                        .index = a->job.index,
                        .name = active_name(a),
                        .keyed = a->keyed,
                        .key = a->key,
                        .encoding = a->encoding.bytes.data,
                        .encoding_len = a->encoding.bytes.len,
                        .started_ns = a->started_ns,
                        .attempt = a->attempt,
                        .attempts = active_retries(a)->times + 1,
                        .out = {.fd = -1},
                        .err = {.fd = -1}};
}

void active_tell(flow *f, const flow_event *event)
{
    if (f->options.listen)
        f->options.listen(f->options.context, event);
}

void active_note(active *a, const char *text)
{
    flow_event event = active_event(a, FLOW_NOTE);
    event.reason = text;
    active_tell(a->flow, &event);
}

static int ancestor_names(const flow *f, const deja_hash *what)
{
    const char *claims = environment_get(f->options.environment, "DEJA_CLAIMS");
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(what, hex);
    return claims && strstr(claims, hex) != NULL;
}

/* A process that an ancestor of ours runs under this very claim goes on without it, or it would wait for
 * itself. */
static int ancestor_has(const flow *f, const deja_hash *what)
{
    const char *claims = environment_get(f->options.environment, "DEJA_CLAIMS");
    return (claims && claims[0] == '*') || ancestor_names(f, what);
}

deja_hash active_identity(const active *a)
{
    const batch *b = a->flow->batch;
    const char *slash = strrchr(b->source.path, '/');
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_addf(&text, "job:%s/%s:%s:%u", b->folder, slash ? slash + 1 : b->source.path,
                     a->job.def->name, a->job.index);
    return deja_hash_bytes(deja_buffer_string(&text), text.len);
}

int active_is_part_of_itself(const active *a)
{
    int is_of_file = a->flow->batch->source.path[0] != '\0'; /* of others two in one folder may look alike */
    if (!is_of_file || !environment_get(a->flow->options.environment, "DEJA_CLAIMS"))
        return 0;
    deja_hash identity = active_identity(a);
    return ancestor_names(a->flow, &identity);
}

/* Trouble with locks must not stop work: then two may compute the same, which is right, if dear. */
static int claim_one(const flow *f, deja_claims *claims, const deja_hash *what)
{
    return ancestor_has(f, what) || deja_claim_try(claims, what, NULL) != 0;
}

static int claims_key(const active *a)
{
    return a->keyed && a->flow->options.claims && a->flow->options.store;
}

static void release_outputs(active *a)
{
    for (size_t i = 0; i < a->output_claim_count; i++)
        deja_claim_release(a->flow->options.output_claims, &a->output_claims[i]);
    a->output_claim_count = 0;
}

/* Two names of one output, by way of a link, are one claim. */
static int is_claimed(const active *a, const deja_hash *what)
{
    for (size_t i = 0; i < a->output_claim_count; i++)
        if (deja_hash_equal(&a->output_claims[i], what))
            return 1;
    return 0;
}

/* What is claimed is noted: by then the way to an output may be another one. */
static int claim_outputs(active *a)
{
    flow *f = a->flow;
    for (size_t i = 0; f->options.output_claims && i < a->job.output_count; i++) {
        deja_hash *more =
            deja_grow(a->output_claims, a->output_claim_count, &a->output_claim_cap, sizeof *more);
        if (!more)
            return 1;
        a->output_claims = more;
        deja_hash what = outputs_claim(f->batch, a->job.outputs[i].path);
        if (claim_one(f, f->options.output_claims, &what))
            more[a->output_claim_count++] = what;
        else if (!is_claimed(a, &what))
            return 0;
    }
    return 1;
}

int active_claim(active *a)
{
    flow *f = a->flow;
    if (claims_key(a) && !claim_one(f, f->options.claims, &a->key))
        return 0;
    a->claimed = claim_outputs(a);
    if (a->claimed)
        return 1;
    release_outputs(a);
    if (claims_key(a))
        deja_claim_release(f->options.claims, &a->key);
    return 0;
}

void active_release(active *a)
{
    if (!a->claimed)
        return;
    release_outputs(a);
    if (claims_key(a)) {
        deja_claim_release(a->flow->options.claims, &a->key);
        aside_hurry(a->flow, &a->key);
    }
    a->claimed = a->looked_again = 0;
}

void active_retire(active *a)
{
    flow *f = a->flow;
    active_release(a);
    if (a->job.def->feed)
        feed_drop(a->job.def->feed, a->job.index);
    deja_result_done(&a->result);
    deja_outcome_done(&a->outcome);
    deja_product_done(&a->product);
    held_lists_release(a);
    deja_buffer_done(&a->image);
    deja_free(a->why);
    a->why = NULL;
    deja_entry_free(a->entry);
    a->entry = NULL;
    f->weight -= a->weight;
    end_refreshing(a);
    resources_leave(a);
    list_remove(list_of(a, a->stage), a);
    f->held -= a->stage == HELD;
    f->preparing -= a->stage <= REREADING;
    a->next = f->idle;
    f->idle = a;
}

static void free_active(active *a)
{
    job_done(&a->job);
    deja_free(a->output_claims);
    reads_done(&a->reads);
    deja_key_done(&a->encoding);
    deja_buffer_done(&a->name);
    deja_buffer_done(&a->program);
    deja_free(a->restored);
    deja_free(a);
}

void active_free_idle(flow *f)
{
    while (f->idle) {
        active *a = f->idle;
        f->idle = a->next;
        free_active(a);
    }
}
