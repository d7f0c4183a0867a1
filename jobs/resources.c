/*
 * Amounts are rows of numbers, one for each kind: slots, bytes of memory, then what has a name.
 */
#include "resources.h"
#include "environment.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A job that has waited so long gets what becomes free: long against small jobs, short against big ones. */
#define PATIENCE_NS (5 * DEJA_S_NS)

enum { SLOTS, MEMORY, FIRST_NAMED };

struct resources {
    size_t kinds;
    const char **names;  /* of each kind */
    uint64_t *amount;    /* of each kind: that there is ... */
    uint64_t *free;      /* ... and that nobody has */
    uint64_t *asked;     /* by each job of each kind */
    uint32_t *running;   /* instances of each job that have taken what they ask for */
    int64_t *next_ns;    /* monotonic: no instance of a job with a rate starts before */
    active_list *held;   /* of each job */
    active *woken;       /* waits at MISSED again: one at a time, others may find less than now */
    active *favoured;    /* what becomes free is its; NULL: nobody has waited long enough */
    size_t gpu;          /* its kind; 0: nobody asks for one */
    const char **gpus;   /* what they are called ... */
    active **gpu_owners; /* ... and who has them; NULL: nobody */
    uint64_t gpu_count;
    deja_arena arena;
};

/* ---- what there is ---- */

static size_t find_kind(const resources *rs, const char *name)
{
    for (size_t k = FIRST_NAMED; k < rs->kinds; k++)
        if (strcmp(rs->names[k], name) == 0)
            return k;
    return 0;
}

static void *alloc(resources *rs, size_t count, size_t size)
{
    size_t bytes;
    void *p =
        __builtin_mul_overflow(count ? count : 1, size, &bytes) ? NULL : deja_arena_alloc(&rs->arena, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

static int no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "start run: out of memory");
}

/* All names that stand in the batch, each once. */
static int name_kinds(resources *rs, const batch *b, deja_error *err)
{
    size_t most = FIRST_NAMED + b->resource_count;
    for (uint32_t i = 0; i < b->job_count; i++)
        most += b->jobs[i].resource_count;
    rs->names = alloc(rs, most, sizeof *rs->names);
    if (!rs->names)
        return no_memory(err);
    rs->kinds = FIRST_NAMED;
    for (size_t i = 0; i < b->resource_count; i++)
        rs->names[rs->kinds++] = b->resources[i].name;
    for (uint32_t i = 0; i < b->job_count; i++)
        for (size_t k = 0; k < b->jobs[i].resource_count; k++)
            if (!find_kind(rs, b->jobs[i].resources[k].name))
                rs->names[rs->kinds++] = b->jobs[i].resources[k].name;
    rs->amount = alloc(rs, rs->kinds, sizeof *rs->amount);
    rs->free = alloc(rs, rs->kinds, sizeof *rs->free);
    rs->asked = alloc(rs, b->job_count * rs->kinds, sizeof *rs->asked);
    return rs->amount && rs->free && rs->asked ? 0 : no_memory(err);
}

static void fill_asked(resources *rs, const batch *b)
{
    for (uint32_t i = 0; i < b->job_count; i++) {
        const batch_job *def = &b->jobs[i];
        uint64_t *asked = rs->asked + i * rs->kinds;
        uint64_t cpus = def->cpus ? def->cpus : 1;
        asked[SLOTS] = cpus < rs->amount[SLOTS] ? cpus : rs->amount[SLOTS];
        asked[MEMORY] = def->memory_bytes < rs->amount[MEMORY] ? def->memory_bytes : rs->amount[MEMORY];
        for (size_t k = 0; k < def->resource_count; k++)
            asked[find_kind(rs, def->resources[k].name)] += def->resources[k].amount;
    }
}

static void fill_amounts(resources *rs, const batch *b, unsigned slots, uint64_t memory)
{
    rs->amount[SLOTS] = slots;
    rs->amount[MEMORY] = memory ? memory : UINT64_MAX;
    for (size_t k = FIRST_NAMED; k < rs->kinds; k++)
        rs->amount[k] = UINT64_MAX; /* not known */
    for (size_t i = 0; i < b->resource_count; i++)
        rs->amount[find_kind(rs, b->resources[i].name)] = b->resources[i].amount;
    fill_asked(rs, b);
}

static int fail_unasked(const resources *rs, const char *pair, const char *name, deja_error *err)
{
    const char *near = deja_text_nearest(name, rs->names + FIRST_NAMED, rs->kinds - FIRST_NAMED);
    return near ? deja_fail(err, DEJA_EINVAL, "--resource %s: no job asks for '%s', did you mean '%s'?", pair,
                            name, near)
                : deja_fail(err, DEJA_EINVAL, "--resource %s: no job asks for '%s'", pair, name);
}

/* --resource NAME=AMOUNT */
static int take_given(resources *rs, const char *pair, deja_error *err)
{
    size_t len = strcspn(pair, "=");
    int64_t amount;
    if (len == 0 || !pair[len] || deja_text_int(pair + len + 1, &amount) < 0 || amount < 0)
        return deja_fail(err, DEJA_EINVAL, "--resource '%s': expected NAME=AMOUNT, such as gpu=2", pair);
    DEJA_AUTO_FREE char *name = deja_dup(pair, len + 1);
    if (!name)
        return no_memory(err);
    name[len] = '\0';
    size_t kind = find_kind(rs, name);
    if (!kind)
        return fail_unasked(rs, pair, name, err);
    rs->amount[kind] = (uint64_t)amount;
    return 0;
}

/* ---- GPUs ---- */

/* Those that our own CUDA_VISIBLE_DEVICES lists; like CUDA, up to the first that is none. */
static size_t list_visible(resources *rs, const char *visible, const char **ret)
{
    size_t count = 0;
    for (const char *at = visible; *at; at += strcspn(at, ","), at += *at == ',') {
        size_t len = strcspn(at, ",");
        if (len == 0 || *at == '-')
            break;
        ret[count] = deja_arena_dup(&rs->arena, at, len);
        count++;
    }
    return count;
}

static void number_gpus(resources *rs, uint64_t count)
{
    char text[24];
    for (uint64_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%" PRIu64, i);
        rs->gpus[i] = deja_arena_dup(&rs->arena, text, strlen(text));
    }
}

/* There are as many as are said and as are visible. */
static int open_gpus(resources *rs, const char *visible, deja_error *err)
{
    enum { GPUS_MOST = 65536 };
    rs->gpu = find_kind(rs, "gpu");
    if (!rs->gpu)
        return 0;
    uint64_t *amount = &rs->amount[rs->gpu], most = *amount < GPUS_MOST ? *amount : GPUS_MOST;
    size_t room = visible && strlen(visible) > most ? strlen(visible) : (size_t)most;
    rs->gpus = alloc(rs, room, sizeof *rs->gpus);
    rs->gpu_owners = alloc(rs, room, sizeof *rs->gpu_owners);
    if (!rs->gpus || !rs->gpu_owners)
        return no_memory(err);
    if (*amount == UINT64_MAX && !visible)
        return 0;
    if (!visible)
        *amount = most;
    else if (list_visible(rs, visible, rs->gpus) < *amount)
        *amount = list_visible(rs, visible, rs->gpus);
    rs->gpu_count = *amount;
    if (!visible)
        number_gpus(rs, *amount);
    return rs->arena.failed ? no_memory(err) : 0;
}

static void hand_out_gpus(resources *rs, active *a, uint64_t count)
{
    for (uint64_t i = 0; i < rs->gpu_count && count; i++)
        if (!rs->gpu_owners[i]) {
            rs->gpu_owners[i] = a;
            count--;
        }
}

static void take_back_gpus(resources *rs, const active *a)
{
    for (uint64_t i = 0; i < rs->gpu_count; i++)
        if (rs->gpu_owners[i] == a)
            rs->gpu_owners[i] = NULL;
}

void resources_gpus(const active *a, deja_buffer *ret)
{
    const resources *rs = a->flow->resources;
    for (uint64_t i = 0, n = 0; i < rs->gpu_count; i++)
        if (rs->gpu_owners[i] == a)
            deja_buffer_addf(ret, "%s%s", n++ ? "," : "", rs->gpus[i]);
}

/* ---- what can never fit ---- */

static int fail_too_much(const batch *b, const batch_amount *asked, uint64_t amount, deja_error *err)
{
    return source_fail(&b->source, asked->at, err,
                       "this job asks for %" PRIu64 " of '%s', and there %s %" PRIu64
                       ": it could never start (--resource %s=%" PRIu64 " says that there are more)",
                       asked->amount, asked->name, amount == 1 ? "is" : "are", amount, asked->name,
                       asked->amount);
}

static int fail_unknown(const batch *b, const batch_amount *asked, deja_error *err)
{
    return source_fail(&b->source, asked->at, err,
                       "how many of '%s' are there? Say 'resources: {%s: N}' at the top of the file, or "
                       "--resource %s=N",
                       asked->name, asked->name, asked->name);
}

static int is_to_run(const plan *p, uint32_t number)
{
    uint32_t count;
    if (!p || !plan_instances(p, number, &count))
        return 1;
    for (uint32_t i = 0; i < count; i++)
        if (plan_has(p, number, i))
            return 1;
    return 0;
}

static int check_job(const resources *rs, const batch *b, uint32_t number, int must_know, const plan *p,
                     deja_error *err)
{
    const batch_job *def = &b->jobs[number];
    for (size_t i = 0; i < def->resource_count; i++) {
        const batch_amount *asked = &def->resources[i];
        uint64_t amount = rs->amount[find_kind(rs, asked->name)];
        int is_unknown = amount == UINT64_MAX && must_know && asked->amount;
        if ((!is_unknown && asked->amount <= amount) || !is_to_run(p, number))
            continue;
        return is_unknown ? fail_unknown(b, asked, err) : fail_too_much(b, asked, amount, err);
    }
    return 0;
}

static int check_all(const resources *rs, const batch *b, int must_know, const plan *p, deja_error *err)
{
    int code = 0;
    for (uint32_t i = 0; i < b->job_count && !code; i++)
        code = check_job(rs, b, i, must_know, p, err);
    return code;
}

int resources_check(const batch *b, deja_error *err)
{
    resources rs = {0};
    int code = name_kinds(&rs, b, err);
    if (!code) {
        fill_amounts(&rs, b, 1, 0);
        code = check_all(&rs, b, 0, NULL, err);
    }
    deja_arena_done(&rs.arena);
    return code;
}

static uint64_t memory_of(const flow *f)
{
    return f->options.memory_most ? f->options.memory_most : machine_memory();
}

/* What the machine has is only half the truth, there may be swap: then such a job runs without others that
 * ask for memory. What was said counts. */
static int check_memory(const flow *f, deja_error *err)
{
    uint64_t most = f->options.memory_most;
    for (uint32_t i = 0; most && i < f->batch->job_count; i++) {
        const batch_job *def = &f->batch->jobs[i];
        if (def->memory_bytes > most && is_to_run(f->plan, i))
            return source_fail(&f->batch->source, def->at, err,
                               "the job '%s' asks for more 'memory' (%" PRIu64
                               " bytes) than --memory says there is: it could never start",
                               def->name, def->memory_bytes);
    }
    return 0;
}

int resources_open(flow *f, deja_error *err)
{
    const batch *b = f->batch;
    resources *rs = deja_calloc(1, sizeof *rs);
    if (!rs)
        return no_memory(err);
    f->resources = rs;
    rs->running = alloc(rs, b->job_count, sizeof *rs->running);
    rs->held = alloc(rs, b->job_count, sizeof *rs->held);
    rs->next_ns = alloc(rs, b->job_count, sizeof *rs->next_ns);
    int code = rs->running && rs->held && rs->next_ns ? name_kinds(rs, b, err) : no_memory(err);
    if (!code)
        fill_amounts(rs, b, f->options.slots, memory_of(f));
    for (size_t i = 0; f->options.resources && f->options.resources[i] && !code; i++)
        code = take_given(rs, f->options.resources[i], err);
    if (!code)
        code = open_gpus(rs, environment_get(f->options.environment, "CUDA_VISIBLE_DEVICES"), err);
    if (!code)
        code = check_all(rs, b, !f->options.dry_run, f->plan, err);
    if (!code)
        code = check_memory(f, err);
    if (!code)
        memcpy(rs->free, rs->amount, rs->kinds * sizeof *rs->free);
    return code;
}

void resources_close(resources *rs)
{
    if (!rs)
        return;
    deja_arena_done(&rs->arena);
    deja_free(rs);
}

/* ---- taking ---- */

static const uint64_t *asked_by(const resources *rs, const active *a)
{
    return rs->asked + a->job.def->number * rs->kinds;
}

/* Of the kind that is free, so much. Jobs whose keys are being made anew have their slots. */
static uint64_t free_of(const flow *f, size_t kind)
{
    uint64_t amount = f->resources->free[kind];
    if (kind != SLOTS)
        return amount;
    return amount > f->refreshing ? amount - f->refreshing : 0;
}

/* What the favoured one asks for is left to it. Slots only while they are too few for it: it may wait for
 * something else for long, and meanwhile others could use them. Since all jobs want slots nothing starts then
 * until it does. */
static int leaves_enough(const active *a, const active *favoured)
{
    const flow *f = a->flow;
    const resources *rs = f->resources;
    const uint64_t *asked = asked_by(rs, a), *its = asked_by(rs, favoured);
    if (free_of(f, SLOTS) < its[SLOTS])
        return 0;
    for (size_t k = SLOTS + 1; k < rs->kinds; k++)
        if (asked[k] && its[k] && free_of(f, k) < asked[k] + its[k])
            return 0;
    return 1;
}

/* By what its own job says of how many may run, and how often. */
static int is_its_turn(const resources *rs, const active *a)
{
    const batch_job *def = a->job.def;
    return (!def->limit || rs->running[def->number] < def->limit) &&
           (!def->rate_ns || rs->next_ns[def->number] <= deja_monotonic_ns(NULL));
}

static int fits(const active *a)
{
    const flow *f = a->flow;
    const resources *rs = f->resources;
    const uint64_t *asked = asked_by(rs, a);
    for (size_t k = 0; k < rs->kinds; k++)
        if (asked[k] > free_of(f, k))
            return 0;
    return is_its_turn(rs, a) && (!rs->favoured || rs->favoured == a || leaves_enough(a, rs->favoured));
}

int resources_take(active *a)
{
    resources *rs = a->flow->resources;
    const uint64_t *asked = asked_by(rs, a);
    if (!fits(a)) {
        a->held_since_ns = a->held_since_ns ? a->held_since_ns : deja_monotonic_ns(NULL);
        return 0;
    }
    for (size_t k = 0; k < rs->kinds; k++)
        rs->free[k] -= asked[k];
    if (rs->gpu && asked[rs->gpu])
        hand_out_gpus(rs, a, asked[rs->gpu]);
    rs->running[a->job.def->number]++;
    a->has_resources = 1;
    return 1;
}

void resources_give(active *a)
{
    resources *rs = a->flow->resources;
    if (!a->has_resources)
        return;
    const uint64_t *asked = asked_by(rs, a);
    for (size_t k = 0; k < rs->kinds; k++)
        rs->free[k] += asked[k];
    if (rs->gpu && asked[rs->gpu])
        take_back_gpus(rs, a);
    rs->running[a->job.def->number]--;
    a->has_resources = 0;
}

static void end_waiting(active *a)
{
    resources *rs = a->flow->resources;
    a->held_since_ns = 0;
    rs->woken = rs->woken == a ? NULL : rs->woken;
    rs->favoured = rs->favoured == a ? NULL : rs->favoured;
}

void resources_enter(active *a, stage s)
{
    resources *rs = a->flow->resources;
    if (s != RUNNING)
        resources_give(a);
    rs->woken = rs->woken == a ? NULL : rs->woken;
    if (s == RUNNING && a->job.def->rate_ns)
        rs->next_ns[a->job.def->number] = deja_monotonic_ns(NULL) + a->job.def->rate_ns;
    if (s == RUNNING || s == ASIDE)
        end_waiting(a);
}

void resources_leave(active *a)
{
    resources_give(a);
    end_waiting(a);
}

int resources_have_slot(const flow *f)
{
    return free_of(f, SLOTS) > 0;
}

/* ---- waiting ---- */

active_list *resources_list(const flow *f, const batch_job *def)
{
    return &f->resources->held[def->number];
}

active *resources_first(const flow *f)
{
    for (uint32_t i = 0; f->held && i < f->batch->job_count; i++)
        if (f->resources->held[i].first)
            return f->resources->held[i].first;
    return NULL;
}

/* The first that waits for others than those of its own job. */
static active *find_favoured(const flow *f)
{
    const resources *rs = f->resources;
    int64_t since_ns = deja_monotonic_ns(NULL) - PATIENCE_NS;
    for (uint32_t i = 0; i < f->batch->job_count; i++) {
        active *a = rs->held[i].first;
        if (a && a->held_since_ns <= since_ns && is_its_turn(rs, a))
            return a;
    }
    return NULL;
}

void resources_wake(flow *f)
{
    resources *rs = f->resources;
    if (!f->held || rs->woken || !resources_have_slot(f))
        return;
    if (!rs->favoured)
        rs->favoured = find_favoured(f);
    for (uint32_t i = 0; i < f->batch->job_count; i++) {
        active *a = rs->held[i].first;
        if (!a || !fits(a))
            continue;
        active_enter(a, MISSED);
        rs->woken = a;
        return;
    }
}

int64_t resources_next_ns(const flow *f)
{
    const resources *rs = f->resources;
    int64_t next = INT64_MAX, now = f->held ? deja_monotonic_ns(NULL) : 0;
    for (uint32_t i = 0; f->held && i < f->batch->job_count; i++)
        if (rs->held[i].first && rs->next_ns[i] > now && rs->next_ns[i] < next)
            next = rs->next_ns[i];
    return next;
}

active *resources_favoured(const flow *f)
{
    active *a = f->resources->favoured;
    return a && a->stage == MISSED ? a : NULL;
}

unsigned resources_cpus(const active *a)
{
    return (unsigned)asked_by(a->flow->resources, a)[SLOTS];
}
