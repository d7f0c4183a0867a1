/* The conductor of calls, see flight.h. */
#include "flight.h"
#include "shared.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/image.h>
#include <fcntl.h>
#include <string.h>

/* A claim that another process has is asked for again after this time, doubled up to the second one. */
#define FIRST_NS (1 * DEJA_MS_NS)
#define MOST_NS  (100 * DEJA_MS_NS)

#define TABLE_FIRST 64 /* a power of two */

/* LOOKING: between the claim and what follows; the rule of validity may have let others in. */
typedef enum flight_state { LOOKING, ASIDE, RUNNING, STORING } flight_state;

/* What keeping a result takes: large, and only then there. */
typedef struct keeping {
    step_waiter waiter; /* first: the steps of `result` */
    flight *flight;
    answer answer;
    deja_buffer number; /* image of an answer that is a number */
    deja_result result;
    int sealed;
} keeping;

struct flight {
    flight *prev, *next; /* in the list of ASIDE or STORING */
    flight *chain;       /* in the table, with a key */
    deja *d;
    deja_fn *function;
    deja_future *wanted; /* by these */
    keeping *keeping;    /* STORING */
    deja_value *args;    /* ASIDE: a list */
    shared_held *held;   /* shared arrays among the arguments */
    uint64_t task;
    call_key key;
    char *label; /* for people, with a key */
    int64_t aside_ns, ask_again_ns;
    int64_t refused_ns; /* when the entry was made that the rule of validity refused; 0: none */
    uint64_t serial;    /* STORING: the how manieth */
    flight_state state;
    uint8_t keyed, forced, claimed;
    uint8_t inside;   /* a function of the pool waits for it */
    uint8_t dying;    /* canceled: whoever wants the same later starts anew */
    uint8_t here;     /* RUNNING: a thread that waited runs it, */
    pthread_t runner; /* this one */
};

/* ---- lists and table ---- */

static void list_add(flight_list *l, flight *f)
{
    f->prev = l->last;
    f->next = NULL;
    *(l->last ? &l->last->next : &l->first) = f;
    l->last = f;
}

static void list_remove(flight_list *l, flight *f)
{
    *(f->prev ? &f->prev->next : &l->first) = f->next;
    *(f->next ? &f->next->prev : &l->last) = f->prev;
    f->prev = f->next = NULL;
}

static size_t home_of(const deja *d, const deja_hash *hash)
{
    uint64_t low;
    memcpy(&low, hash->byte, sizeof low);
    return low & (d->table_size - 1);
}

static flight *find(const deja *d, const deja_hash *hash)
{
    flight *f = d->table_size ? d->table[home_of(d, hash)] : NULL;
    while (f && (f->dying || !deja_hash_equal(&f->key.hash, hash)))
        f = f->chain;
    return f;
}

/* The one on its way into the cache that was made last. */
static flight *find_storing(const deja *d, const deja_hash *hash)
{
    flight *last = NULL;
    for (flight *f = d->table_size ? d->table[home_of(d, hash)] : NULL; f; f = f->chain)
        if (f->state == STORING && deja_hash_equal(&f->key.hash, hash) && (!last || f->serial > last->serial))
            last = f;
    return last;
}

/* Of one key the newest stays first. */
static int grow_table(deja *d)
{
    size_t size = d->table_size ? 2 * d->table_size : TABLE_FIRST;
    flight **old = d->table, **table = deja_calloc(size, sizeof *table);
    size_t old_size = d->table_size;
    if (!table)
        return -1;
    d->table = table;
    d->table_size = size;
    for (size_t i = 0; i < old_size; i++) {
        flight **end[2] = {&table[i], &table[i + old_size]};
        for (flight *f = old[i]; f; f = f->chain) {
            size_t half = home_of(d, &f->key.hash) >= old_size;
            *end[half] = f;
            end[half] = &f->chain;
        }
        *end[0] = *end[1] = NULL;
    }
    deja_free(old);
    return 0;
}

static int table_add(deja *d, flight *f)
{
    if (d->flight_count >= d->table_size && grow_table(d) < 0)
        return -1;
    flight **home = &d->table[home_of(d, &f->key.hash)];
    f->chain = *home;
    *home = f;
    return 0;
}

static void table_remove(deja *d, flight *f)
{
    flight **at = &d->table[home_of(d, &f->key.hash)];
    while (*at && *at != f)
        at = &(*at)->chain;
    if (*at)
        *at = f->chain;
}

/* ---- the life of a flight ---- */

static void free_keeping(keeping *k)
{
    if (!k)
        return;
    deja_result_done(&k->result);
    if (k->answer.in)
        deja_product_close_file(&k->answer.in->product); /* results may be many */
    answer_done(&k->answer);
    deja_buffer_done(&k->number);
    deja_free(k);
}

static void retire(flight *f)
{
    deja *d = f->d;
    if (f->state == STORING) {
        list_remove(&d->storing, f);
        d->storing_count--;
    }
    if (f->claimed)
        deja_claim_release(d->claims, &f->key.hash);
    if (f->keyed) {
        table_remove(d, f);
        flight *next = find(d, &f->key.hash);
        if (next && next->state == ASIDE)
            next->ask_again_ns = 0; /* it waits for this claim */
    }
    free_keeping(f->keeping);
    shared_let_go(f->held);
    deja_free(f->args);
    call_key_done(&f->key);
    deja_free(f->label);
    deja_free(f);
    d->flight_count--;
    pthread_cond_broadcast(&d->changed);
}

/* Everybody who waits gets it; the last one takes it, unless it is still needed. */
static void answer_all(flight *f, answer *a, int needed)
{
    while (f->wanted) {
        deja_future *future = f->wanted;
        f->wanted = future->sibling;
        if (f->wanted || needed) {
            future_answer(future, answer_share(a));
        } else {
            future_answer(future, *a);
            *a = (answer){0};
        }
    }
}

static void fail(flight *f, const deja_error *err)
{
    answer a = answer_of_error(err);
    answer_all(f, &a, 0);
    answer_done(&a);
    retire(f);
}

/* ---- store ---- */

static void not_kept(flight *f, const deja_error *why)
{
    deja_error *told = &f->d->not_kept;
    if (told->code == 0) {
        deja_fail(told, why->code, "the result of %s is not kept: %s", f->label, why->text);
        context_warn(f->d, told->text);
    }
    retire(f);
}

static void commit(keeping *k)
{
    k->sealed = 1;
    if (deja_result_commit_begin(k->flight->d->cache, &k->result) == 0)
        context_began(k->flight->d);
    else
        k->waiter.finished(&k->waiter, &k->result.step);
}

static void step_finished(step_waiter *w, deja_step *step)
{
    keeping *k = (keeping *)w;
    deja_error changed;
    if (step->status < 0) {
        not_kept(k->flight, &step->error);
    } else if (deja_result_check_inputs(&k->result, &changed) < 0) {
        not_kept(k->flight, &changed);
    } else if (k->sealed) {
        retire(k->flight);
    } else {
        commit(k);
    }
}

/* The image that the answer lies in; of a number one is made. */
static deja_payload image_of(keeping *k)
{
    const holder *h = k->answer.in;
    if (h)
        return (deja_payload){.data = h->product.image, .len = h->product.len, .fd = h->product.fd};
    deja_image_add(&k->number, &k->answer.value);
    return (deja_payload){.data = k->number.data, .len = k->number.len, .fd = -1};
}

static void fill_result(keeping *k, int64_t cpu_ns)
{
    flight *f = k->flight;
    deja_result *r = &k->result;
    r->step.user = &k->waiter;
    r->key = f->key.hash;
    r->encoding = f->key.fields.bytes.data;
    r->encoding_len = f->key.fields.bytes.len;
    r->label = f->label;
    r->wall_ns = k->answer.wall_ns;
    r->created_ns = deja_wall_ns(NULL);
    r->cpu_ns = cpu_ns > 0 ? cpu_ns : 0;
    r->out.fd = r->err.fd = -1;
    r->root_fd = AT_FDCWD;
    r->inputs = f->key.files;
    r->input_count = f->key.file_count;
    r->flags = DEJA_RESULT_VALUE;
    r->value = image_of(k);
}

/* Takes `a`. */
static void store(flight *f, answer a, int64_t cpu_ns)
{
    deja_error err;
    keeping *k = f->keeping = deja_calloc(1, sizeof *k);
    f->state = STORING;
    f->serial = ++f->d->stored;
    list_add(&f->d->storing, f);
    f->d->storing_count++;
    context_keep(f->d);
    if (k) {
        *k = (keeping){.waiter.finished = step_finished, .flight = f, .answer = a};
        fill_result(k, cpu_ns);
    } else {
        answer_done(&a);
    }
    if (!k || k->number.failed) {
        deja_fail(&err, DEJA_ENOMEM, "out of memory");
        not_kept(f, &err);
    } else if (deja_result_seal_begin(f->d->cache, &k->result) == 0) {
        context_began(f->d);
    } else {
        step_finished(&k->waiter, &k->result.step);
    }
}

/* ---- result ---- */

static int is_kept(const flight *f)
{
    return f->keyed && f->d->cache && f->d->claims;
}

void flight_outcome(flight *f, deja_task_outcome *o)
{
    int64_t cpu_ns = o->cpu_ns;
    shared_let_go(deja_take(f->held));
    answer a = is_kept(f) ? answer_of_outcome(o) : answer_without_file(answer_of_outcome(o));
    deja_product_done(&o->product);
    deja_free(o->text);
    f->d->progress.running--;
    int kept = a.code == 0 && is_kept(f);
    answer_all(f, &a, kept);
    if (kept) {
        store(f, a, cpu_ns);
        return;
    }
    answer_done(&a);
    retire(f);
}

/* ---- lookup ---- */

/* A valid result in the cache. Takes the entry. The rule is asked once about an entry. */
static int use_entry(flight_request *q, deja_entry *entry, answer *ret)
{
    if (entry->has_value && entry->created_ns != q->refused_ns) {
        if (function_allows(q->function, entry))
            return answer_of_entry(q->function->d->cache, entry, ret, NULL) == 0;
        q->refused_ns = entry->created_ns;
    }
    deja_entry_free(entry);
    return 0;
}

static int may_look_up(const flight_request *q)
{
    return q->keyed && !(q->function->d->flags & DEJA_REFRESH) && !(q->flags & DEJA_FORCE);
}

/* The same for a result that is on its way into the cache. The flight may end while the rule is asked. */
static int use_stored(flight_request *q, const flight *f, answer *ret)
{
    const deja_result *r = &f->keeping->result;
    const deja_entry made = {.created_ns = r->created_ns, .wall_ns = r->wall_ns, .cpu_ns = r->cpu_ns};
    if (made.created_ns == q->refused_ns || (f->key.file_count && !f->keeping->sealed))
        return 0;
    answer a = answer_share(&f->keeping->answer);
    a.was_cached = a.code == 0;
    if (function_allows(q->function, &made)) {
        *ret = a;
        return 1;
    }
    q->refused_ns = made.created_ns;
    answer_done(&a);
    return 0;
}

void flight_look_up(flight_request *q, size_t n, answer *answers, uint8_t *found)
{
    deja_lookup items[FLIGHT_GROUP];
    size_t of[FLIGHT_GROUP], asked = 0;
    memset(found, 0, n);
    for (size_t i = 0; i < n && asked < FLIGHT_GROUP; i++) {
        if (!may_look_up(&q[i]))
            continue;
        const flight *storing = find_storing(q[i].function->d, &q[i].key.hash);
        if (storing) { /* newer than what the cache has */
            found[i] = (uint8_t)use_stored(&q[i], storing, &answers[i]);
            continue;
        }
        of[asked] = i;
        items[asked++] = (deja_lookup){.key = q[i].key.hash,
                                       .encoding = q[i].key.fields.bytes.data,
                                       .encoding_len = q[i].key.fields.bytes.len};
    }
    if (asked == 0 || deja_cache_lookup(q->function->d->cache, items, asked, NULL) < 0)
        return; /* whatever the trouble is, the store tells it */
    for (size_t k = 0; k < asked; k++)
        if (items[k].entry)
            found[of[k]] = (uint8_t)use_entry(&q[of[k]], items[k].entry, &answers[of[k]]);
}

static void join(flight *f, deja_future *future)
{
    if (f->state == RUNNING && f->here && pthread_equal(f->runner, pthread_self())) {
        deja_error err;
        deja_fail(&err, DEJA_EBUSY, "'%s' waits for its own result", f->function->name);
        future_answer(future, answer_of_error(&err));
        return;
    }
    int inside = deja_pool_is_inside(f->d->pool);
    future->flight = f;
    future->sibling = f->wanted;
    f->wanted = future;
    f->inside |= inside;
    if (f->state == RUNNING && inside)
        deja_pool_hurry(f->d->pool, f->task);
}

/* ---- dispatch ---- */

/* The pool copies arguments itself; a flight that has to wait here keeps a copy. 0: out of memory. */
static int keep_args(flight *f, const deja_value *args, size_t n)
{
    const deja_value list = deja_list(args, n);
    if (!f->args)
        f->args = deja_value_dup(&list);
    return f->args != NULL;
}

static void fail_of_memory(flight *f)
{
    deja_error err;
    deja_fail(&err, DEJA_ENOMEM, "'%s': out of memory", f->function->name);
    fail(f, &err);
}

/* By whoever waits: all threads that could run it may be waiting for it. */
static int is_wanted_inside(const flight *f)
{
    return f->function->options.backend != DEJA_PROCESS && f->inside;
}

static void dispatch(flight *f, const deja_value *args, size_t n)
{
    deja_error err;
    deja *d = f->d;
    deja_pool_function *pooled = f->function->pooled;
    f->state = RUNNING;
    d->progress.running++;
    int rc = is_wanted_inside(f) ? deja_pool_submit_here(d->pool, pooled, args, n, f, &f->task, &err)
                                 : deja_pool_submit(d->pool, pooled, args, n, f, &f->task, &err);
    if (rc < 0) {
        d->progress.running--;
        fail(f, &err);
    }
}

static void set_aside(flight *f)
{
    f->aside_ns = f->aside_ns == 0 ? FIRST_NS : f->aside_ns * 2 > MOST_NS ? MOST_NS : f->aside_ns * 2;
    f->ask_again_ns = deja_monotonic_ns(NULL) + f->aside_ns;
    f->state = ASIDE;
    list_add(&f->d->aside, f);
}

/* 1: nothing is kept, or the claim is ours. 0: set aside, or failed. */
static int claim(flight *f, const deja_value *args, size_t n)
{
    if (!is_kept(f))
        return 1;
    int got = deja_claim_try(f->d->claims, &f->key.hash, NULL);
    f->claimed = got > 0;
    if (got != 0)
        return 1;
    if (keep_args(f, args, n))
        set_aside(f);
    else
        fail_of_memory(f);
    return 0;
}

/*
 * The look after the claim: another process that had it before may have kept the result meanwhile. Those that
 * are answered are gone, the others are dispatched. q[i] says with which arguments.
 */
static void look_again_and_dispatch(flight *const *flights, flight_request *q, size_t n)
{
    answer answers[FLIGHT_GROUP];
    uint8_t found[FLIGHT_GROUP];
    for (size_t i = 0; i < n; i++) {
        q[i].keyed = flights[i]->claimed && !flights[i]->forced;
        q[i].key = flights[i]->key; /* borrowed */
    }
    flight_look_up(q, n, answers, found);
    for (size_t i = 0; i < n; i++) {
        flight *f = flights[i];
        if (!found[i] && f->wanted) {
            dispatch(f, q[i].args, q[i].n);
            continue;
        }
        f->d->progress.hits += found[i];
        if (found[i]) {
            answer_all(f, &answers[i], 0);
            answer_done(&answers[i]);
        }
        retire(f);
    }
}

/* The key moves. */
static int take_key(flight *f, flight_request *q)
{
    DEJA_AUTO_BUFFER deja_buffer label = {0};
    if (!q->keyed)
        return 1;
    f->key = q->key;
    q->key = (call_key){0};
    function_label(&label, q->function, q->args, q->n);
    f->label = deja_buffer_take(&label);
    return f->label && table_add(f->d, f) == 0;
}

static flight *flight_new(flight_request *q)
{
    deja *d = q->function->d;
    flight *f = deja_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->d = d;
    f->function = q->function;
    f->keyed = q->keyed != 0;
    f->forced = (q->flags & DEJA_FORCE) != 0;
    f->refused_ns = q->refused_ns;
    if (shared_hold(d, q->args, q->n, &f->held) && take_key(f, q)) {
        d->flight_count++;
        return f;
    }
    shared_let_go(f->held);
    call_key_done(&f->key);
    deja_free(f->label);
    deja_free(f);
    return NULL;
}

/*
 * A new flight that has its claim, or NULL: the future joined another one, was set aside or has failed. One
 * whose result is being stored was no answer to the look-up; the new one gets the claim after it.
 */
static flight *join_or_make(flight_request *q, deja_future *future)
{
    deja_error err;
    flight *f = q->keyed ? find(q->function->d, &q->key.hash) : NULL;
    if (f && f->state != STORING) {
        f->forced |= (q->flags & DEJA_FORCE) != 0; /* where it is not begun yet */
        join(f, future);
        return NULL;
    }
    f = flight_new(q);
    if (!f) {
        deja_fail(&err, DEJA_ENOMEM, "'%s': out of memory", q->function->name);
        future_answer(future, answer_of_error(&err));
        return NULL;
    }
    join(f, future);
    return claim(f, q->args, q->n) ? f : NULL;
}

void flight_join_or_start(flight_request *const *q, deja_future *const *futures, size_t n)
{
    flight *made[FLIGHT_GROUP];
    flight_request of[FLIGHT_GROUP];
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if ((made[count] = join_or_make(q[i], futures[i])))
            of[count++] = *q[i];
    if (count > 0)
        look_again_and_dispatch(made, of, count);
}

/* ---- what is due ---- */

/* The lock may be let go while it is looked up. */
static void ask_again(flight *f)
{
    deja_value *args = f->args;
    flight_request q = {
        .function = f->function, .args = args->list, .n = args->len, .refused_ns = f->refused_ns};
    list_remove(&f->d->aside, f);
    f->state = LOOKING;
    if (!claim(f, q.args, q.n))
        return;
    f->args = NULL;
    look_again_and_dispatch(&f, &q, 1);
    deja_free(args);
}

static flight *first_due(const deja *d, int64_t now)
{
    flight *f = d->aside.first;
    while (f && f->ask_again_ns > now)
        f = f->next;
    return f;
}

int flight_ask_again(deja *d)
{
    int any = 0;
    int64_t now = d->aside.first ? deja_monotonic_ns(NULL) : 0;
    for (flight *f; (f = first_due(d, now)); any = 1)
        ask_again(f);
    return any;
}

int64_t flight_next_ns(const deja *d)
{
    int64_t next = INT64_MAX;
    for (const flight *f = d->aside.first; f; f = f->next)
        if (f->ask_again_ns < next)
            next = f->ask_again_ns;
    return next;
}

int flight_run_here(deja *d)
{
    deja_pool_work work;
    if (!deja_pool_work_take(d->pool, &work))
        return 0;
    flight *f = work.user;
    if (f) {
        f->here = 1;
        f->runner = pthread_self();
    }
    context_unlock(d);
    deja_pool_work_run(d->pool, &work);
    pthread_mutex_lock(&d->lock);
    return 1;
}

/* ---- the end ---- */

static void fail_canceled(flight *f)
{
    deja_error err;
    deja_fail(&err, DEJA_ECANCELED, "'%s': canceled", f->function->name);
    fail(f, &err);
}

/* It is not begun, and nobody wants it. */
static void drop(flight *f)
{
    list_remove(&f->d->aside, f);
    retire(f);
}

/* 1: it will not begin. */
static int end_running(flight *f, int kill)
{
    int ended = deja_pool_cancel(f->d->pool, f->task, kill);
    f->dying |= ended || (kill && f->function->options.backend == DEJA_PROCESS);
    return ended;
}

int flight_cancel(deja_future *future)
{
    flight *f = future->flight;
    if (!f || f->wanted != future || future->sibling) /* others want it */
        return 0;
    if (f->state == LOOKING)
        return 0;
    if (f->state == RUNNING)
        return end_running(f, 1) ||
               f->function->options.backend == DEJA_PROCESS; /* its worker is being ended */
    list_remove(&f->d->aside, f);
    fail_canceled(f);
    return 1;
}

static void leave(flight *f, const deja_future *future)
{
    deja_future **at = &f->wanted;
    while (*at != future)
        at = &(*at)->sibling;
    *at = future->sibling;
    if (f->wanted)
        return;
    if (f->state == RUNNING)
        end_running(f, 1);
    else if (f->state != LOOKING)
        drop(f);
}

static void forget(deja_future *future)
{
    deja_progress *p = &future->function->d->progress;
    answer a = future_take(future);
    answer_done(&a);
    p->done++;
}

void flight_leave(deja_future *future)
{
    if (future->flight)
        leave(future->flight, future);
    forget(future);
}

int flight_leave_unbegun(deja_future *future)
{
    flight *f = future->flight;
    int is_shared = f->wanted != future || future->sibling;
    if (!is_shared && (f->state == LOOKING || (f->state == RUNNING && !end_running(f, 0))))
        return 0;
    flight_leave(future);
    return 1;
}

void flight_cancel_all(deja *d)
{
    while (d->aside.first) {
        flight *f = d->aside.first;
        list_remove(&d->aside, f);
        fail_canceled(f);
    }
    for (deja_future *future = d->waiting.first, *next; future; future = next) {
        next = future->next;
        if (future->flight && future->flight->state == RUNNING)
            end_running(future->flight, 1);
    }
}

void flight_wait_kept(deja *d)
{
    uint64_t last = d->stored;
    while (d->storing.first && d->storing.first->serial <= last)
        context_turn(d, INT64_MAX);
}

int flight_keeps(const deja *d, const deja_hash *hash)
{
    return find_storing(d, hash) != NULL;
}
