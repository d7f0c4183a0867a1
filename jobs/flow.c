/*
 * The conductor. The life of a job, in the order of this file:
 *
 *     take     an instance from the plan; list what it reads, have that hashed          cache helpers
 *     key      a hash of all that its result depends on
 *     lookup   many keys in one read transaction; hits get their outputs put in place   cache helpers
 *     dispatch a miss gets its claims and a slot, and becomes a process or a call       runner
 *     result   failed, or sealed: outputs read and hashed, inputs looked at again       cache helpers
 *     store    committed; then it is reported and forgotten                             cache writer
 *
 * A job in flight is an `active` in one of a few lists; of all others only the plan knows, by their number.
 */
#include "active.h"
#include "adopt.h"
#include "aside.h"
#include "discovered.h"
#include "ending.h"
#include "estimates.h"
#include "functions.h"
#include "halt.h"
#include "held_list.h"
#include "hit.h"
#include "keying.h"
#include "launch.h"
#include "lying.h"
#include "order.h"
#include "outcome.h"
#include "outlook.h"
#include "outputs.h"
#include "resources.h"
#include "retry.h"
#include "verify.h"
#include <deja/cleanup.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

/* Jobs in flight at most: enough to fill read transactions and groups of commits, few enough to keep memory
 * small. */
#define WINDOW 1024
/* Where none can be answered: so many more than run are made ready. What was made ready just before is still
 * in the processor's caches: 10,000 x /bin/true took a tenth less of our own processor time than with WINDOW.
 */
#define MISSES_READY 16
/* Paths that jobs in flight read at most, all together, where one job reads less than that: 20 MB or so. */
#define WEIGHT_MOST 100000
/* So many more jobs may wait for a claim of somebody else, or for resources. */
#define ASIDE_MOST (8 * WINDOW)
/* After so long a step of taking ends, so that signals and the terminal are looked after. */
#define TAKE_NS (20 * DEJA_MS_NS)
/* Instances taken in one step, and keys looked up in one read transaction. */
#define BATCH 256
/* When descriptors or processes are short a start is tried again after this time, or when a job ends. */
#define SHORTAGE_NS (20 * DEJA_MS_NS)
/* While functions are being ended: what had not begun when they were to end has by then. */
#define STOP_MS 20
/* A job for which no process can be had, while none of ours runs, fails after this time. */
#define PATIENCE_NS (10 * DEJA_S_NS)

/* Its result may be in the cache. */
static int is_cached(const active *a)
{
    return a->flow->options.cache && a->job.def->cache;
}

/* ---- take ---- */

/* With too few descriptors for any job the first one says so for all. */
static void end_unread(active *a, int status, deja_error *err)
{
    if (status == DEJA_ERESOURCE && a->flow->totals.running == 0 && launch_check_descriptors(err) < 0)
        a->flow->failed = 1;
    ending_never_ran(a, -1, err);
}

static void finish_hashing(active *a)
{
    deja_error err;
    int status = a->digest.step.status;
    if (status >= 0 && a->reads.has_program)
        programs_note(&a->flow->programs, &a->reads.items[0], a->programs_generation);
    if (status == DEJA_ECANCELED) {
        ending_interrupted(a);
        return;
    }
    if (status < 0)
        err = a->digest.step.error;
    else if ((status = reads_check(&a->reads, &err)) == 0 && (status = lying_note(a, &err)) == 0)
        status = keying_make(a, &err);
    a->keyed_ns = deja_monotonic_ns(NULL);
    if (status < 0)
        end_unread(a, status, &err);
    else
        active_enter(a, a->keyed && a->flow->options.lookup ? LOOKING : MISSED);
}

static void begin_hashing(active *a)
{
    a->programs_generation = a->flow->programs.generation;
    size_t known = a->reads.has_program && programs_recall(&a->flow->programs, &a->reads.items[0]);
    a->digest = (deja_digest){.step = {.user = a},
                              .root_fd = a->flow->batch->folder_fd,
                              .items = a->reads.items + known,
                              .count = a->reads.count - known};
    if (a->digest.count == 0 || deja_digest_begin(a->flow->options.cache, &a->digest) != 0)
        finish_hashing(a);
}

static void weigh(active *a)
{
    a->flow->weight += a->reads.count - a->weight;
    a->weight = a->reads.count;
}

static void begin(active *a)
{
    deja_error err;
    int status = job_render(&a->job, a->flow->batch, a->job.def, a->job.index, JOB_ALL, &err);
    if (status == 0) {
        launch_find_program(a);
        status = a->program.failed ? deja_fail(&err, DEJA_ENOMEM, "find its program: out of memory") : 0;
    }
    if (status == 0) {
        status = reads_list(&a->reads, &a->job, a->program.len ? a->program.data : NULL, &err);
        if (status == 0)
            status = lying_list(a, &err);
        weigh(a);
    }
    if (status == 0 && !is_cached(a))
        status = reads_probe(&a->reads, a->flow->batch->folder_fd, &err);
    if (status < 0)
        end_unread(a, status, &err);
    else if (is_cached(a))
        begin_hashing(a);
    else
        active_enter(a, MISSED);
}

/* 0: out of memory. */
static int take_one(flow *f, const plan_ready *ready)
{
    active *a = active_new(f, ready->def, ready->index);
    if (!a)
        return 0;
    if (ready->error)
        ending_never_ran(a, -1, ready->error);
    else if (ready->blocked_by)
        ending_blocked(a, ready);
    else
        begin(a);
    return 1;
}

/* The longest is looked for among many. */
static int may_take(flow *f)
{
    int many = f->options.lookup || f->options.dry_run || order_matters(f);
    size_t window = many ? WINDOW : 2 * (size_t)f->options.slots + MISSES_READY;
    size_t waiting = f->aside.count + f->held;
    return !f->stopping && !f->failed && active_count(f) - waiting - f->verifying.count < window &&
           waiting < ASIDE_MOST && f->weight < WEIGHT_MOST;
}

static int take(flow *f)
{
    int taken = 0;
    int64_t end_ns = deja_monotonic_ns(NULL) + TAKE_NS;
    plan_ready ready;
    while (taken < BATCH && may_take(f) && deja_monotonic_ns(NULL) < end_ns && plan_next(f->plan, &ready)) {
        if (!take_one(f, &ready)) {
            active_tell(f, &(flow_event){.kind = FLOW_NOTE,
                                         .reason = "out of memory: the run ends",
                                         .out.fd = -1,
                                         .err.fd = -1});
            f->totals.failed++;
            f->failed = 1;
            break;
        }
        taken++;
    }
    return taken;
}

/* ---- lookup ---- */

static void advance_hit(active *a)
{
    hit_state state = hit_advance(a);
    if (state == HIT_PENDING || (state == HIT_ANSWERED && ending_hit(a)))
        return;
    if (state == HIT_HELD) {
        aside_add(a);
    } else if (state == HIT_CANCELED) {
        ending_interrupted(a);
    } else if (state == HIT_FAILED) {
        ending_never_ran(a, -1, &a->restore.step.error);
    } else {
        deja_entry_free(a->entry);
        a->entry = NULL;
        a->left_unknown = 0;
        active_enter(a, MISSED);
    }
}

static deja_lookup lookup_of(const active *a)
{
    return (deja_lookup){.key = a->key,
                         .encoding = a->encoding.bytes.data,
                         .encoding_len = a->encoding.bytes.len,
                         .discovered = a->job.def->depfile};
}

static int lookup(flow *f)
{
    deja_lookup items[BATCH];
    active *actives[BATCH];
    size_t n = 0;
    for (active *a = f->looking.first; a && n < BATCH; a = a->next, n++) {
        actives[n] = a;
        items[n] = lookup_of(a);
    }
    if (n == 0)
        return 0;
    deja_error err;
    if (deja_cache_lookup(f->options.cache, items, n, &err) < 0 && f->trouble.len == 0)
        deja_buffer_add_string(&f->trouble, err.text);
    for (size_t i = 0; i < n; i++) {
        actives[i]->entry = items[i].entry;
        if (items[i].entry)
            advance_hit(actives[i]);
        else
            active_enter(actives[i], MISSED);
    }
    return 1;
}

/* ---- dispatch ---- */

/* With one slot the order of starts is the order of the batch: an earlier job whose fate is open goes first.
 */
static int must_wait_its_turn(const flow *f, const active *a)
{
    if (f->options.slots > 1 || f->preparing == 0)
        return 0;
    for (const active *b = f->busy.first; b && active_comes_before(b, a); b = b->next)
        if (b->stage <= REREADING)
            return 1;
    return f->looking.first && active_comes_before(f->looking.first, a);
}

/* The look after the claim: whoever had it before may have kept the result meanwhile. */
static int answered_meanwhile(active *a)
{
    flow *f = a->flow;
    if (!a->keyed || !f->options.lookup || a->looked_again)
        return 0;
    a->looked_again = 1;
    deja_lookup item = lookup_of(a);
    if (deja_cache_lookup(f->options.cache, &item, 1, NULL) < 0 || !item.entry)
        return 0;
    a->entry = item.entry;
    advance_hit(a);
    return 1;
}

static void say_fewer(flow *f, const deja_error *why)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    f->said_fewer = 1;
    deja_buffer_addf(&text, "%" PRIu64 " of %u jobs run at a time, more cannot be started: %s%s",
                     f->totals.running, f->options.slots, strerror(why->sys_errno),
                     why->sys_errno == EMFILE ? " ('ulimit -n' says how many)" : "");
    active_tell(f, &(flow_event){.kind = FLOW_NOTE, .reason = text.data, .out.fd = -1, .err.fd = -1});
}

/* Descriptors or processes are short: the job keeps its place; one of ours must end, or others give some
 * back. */
static void wait_for_resources(active *a, const deja_error *why)
{
    flow *f = a->flow;
    int64_t now = deja_monotonic_ns(NULL);
    if (f->totals.running > 0 && !f->said_fewer)
        say_fewer(f, why);
    if (!f->short_since_ns)
        f->short_since_ns = now;
    f->start_again_ns = now + SHORTAGE_NS;
    active_release(a);
    resources_give(a);
}

/* Our own limit of descriptors, and nothing of ours that would give some back. */
static int is_hopeless(const flow *f, const deja_error *why)
{
    return why->sys_errno == EMFILE && f->totals.running == 0 && f->busy.count == 0;
}

static int is_patient(const flow *f, const deja_error *why)
{
    if (is_hopeless(f, why))
        return 0;
    return f->totals.running > 0 || !f->short_since_ns ||
           deja_monotonic_ns(NULL) - f->short_since_ns < PATIENCE_NS;
}

static int is_short(const flow *f)
{
    return f->short_since_ns && deja_monotonic_ns(NULL) < f->start_again_ns;
}

static void start(active *a)
{
    flow *f = a->flow;
    deja_error err;
    int exit_status;
    int status = launch_start(a, &exit_status, &err);
    if (status == DEJA_ERESOURCE && is_patient(f, &err)) {
        wait_for_resources(a, &err);
        return;
    }
    if (status < 0) {
        ending_never_ran(a, exit_status, &err);
        f->failed |= status == DEJA_ERESOURCE; /* so would all others */
    } else {
        f->short_since_ns = 0;
        active_enter(a, RUNNING);
        f->totals.running++;
        flow_event event = active_event(a, FLOW_STARTED);
        active_tell(f, &event);
    }
}

/* What it reads may have changed while it waited: a result made of that would not be kept. */
static void begin_again(active *a)
{
    a->keyed = a->looked_again = 0;
    a->refreshing = 1;
    a->flow->refreshing++;
    active_enter(a, HASHING);
    held_lists_release(a);
    begin(a);
}

static void refuse_itself(active *a)
{
    deja_error err;
    deja_fail(&err, DEJA_EINVAL,
              "this job is being run by the run that it is part of: it would run itself again");
    ending_never_ran(a, -1, &err);
}

static void dispatch_one(active *a)
{
    if (a->flow->options.dry_run)
        ending_would_run(a);
    else if (active_is_part_of_itself(a))
        refuse_itself(a);
    else if (!resources_take(a))
        active_enter(a, HELD);
    else if (!a->claimed && active_is_stale(a))
        begin_again(a);
    else if (!a->claimed && !active_claim(a) && !aside_is_over(a))
        aside_add(a);
    else if (!answered_meanwhile(a) && !adopt_take(a))
        start(a);
}

/* The job that is to have a slot now; NULL: none can. */
static active *next_to_dispatch(flow *f)
{
    resources_wake(f);
    if (!f->missed.first || f->stopping || f->failed || must_wait_its_turn(f, f->missed.first))
        return NULL;
    if (f->options.dry_run)
        return f->missed.first;
    if (!resources_have_slot(f) || is_short(f) || pressure_is_high(f))
        return NULL;
    active *favoured = resources_favoured(f);
    return favoured ? favoured : order_first(f);
}

static int dispatch(flow *f)
{
    int worked = 0;
    for (active *a; (a = next_to_dispatch(f)); worked = 1)
        dispatch_one(a);
    return worked;
}

/* ---- result ---- */

static void finish_commit(active *a)
{
    if (a->result.step.status < 0)
        ending_not_kept(a, a->result.step.error.text);
    else
        ending_kept(a);
}

static void begin_commit(active *a)
{
    active_enter(a, COMMITTING);
    if (deja_result_commit_begin(a->flow->options.cache, &a->result) != 0)
        finish_commit(a);
}

static void finish_unfit(active *a, const deja_buffer *why)
{
    active_note(a, deja_buffer_string(why));
    ending_unfit(a, deja_buffer_string(why));
}

static void finish_changed_need(active *a, const batch_job *needed)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_addf(&text, "outputs of '%s' changed since that ended: its result is not kept", needed->name);
    finish_unfit(a, &text);
}

/* What they were writing may be cut, or is still being written. */
static void finish_killed_rest(active *a)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_add_string(
        &text,
        a->outcome.killed_rest == DEJA_REST_KILLED
            ? "what it had left running was ended with it: its result is not kept ('wait' for it)"
            : "a process without DEJA_RUN in its environment may be what it left running: its result is "
              "not kept");
    finish_unfit(a, &text);
}

static void finish_unread(active *a)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_addf(&text, "%s: its result is not kept", a->unfit);
    finish_unfit(a, &text);
}

static const char *kind_of_changed(const active *a)
{
    const reads *r = &a->reads;
    if (r->count == 0 || a->result.changed_input != r->items[0].path)
        return reads_content(r, a->result.changed_input) ? "input" : "undeclared input";
    return r->has_program ? "program" : r->has_library ? "library" : "input";
}

static void finish_changed(active *a)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    if (a->result.input_errno)
        deja_buffer_addf(&text, "%s '%s' could not be looked at again: %s: its result is not kept",
                         kind_of_changed(a), a->result.changed_input, strerror(a->result.input_errno));
    else if (a->result.changed_input)
        deja_buffer_addf(&text, "%s '%s' changed while it ran: its result is not kept", kind_of_changed(a),
                         a->result.changed_input);
    else if (a->way != reads_way(&a->reads, a->flow->batch->folder_fd))
        deja_buffer_add_string(
            &text,
            "a link or folder on the way to what it reads was switched while it ran: its result is not kept");
    else
        deja_buffer_add_string(&text,
                               "files came or went among its inputs while it ran: its result is not kept");
    finish_unfit(a, &text);
}

/* What the jobs that it needs left are inputs, too. */
static void verify_and_commit(active *a)
{
    const batch_job *changed;
    remains_state known = verify(a, &changed);
    if (known == REMAINS_CHANGED)
        finish_changed_need(a, changed);
    else if (known == REMAINS_SAME)
        begin_commit(a);
}

/* It was to be kept, but its program cannot be read, or what a needed job left is not known: without a key
 * there is no place for it. */
static void finish_unkept(active *a)
{
    const flow *f = a->flow;
    deja_error why;
    if (is_cached(a) && f->options.store && reads_check_program(&a->reads, &why) < 0)
        ending_unfit(a, why.text);
    else if (is_cached(a) && f->options.store && !a->keyed)
        ending_not_kept(a, f->trouble.len ? f->trouble.data : "what a job left that it needs is not known");
    else
        ending_ran(a);
}

static void finish_seal(active *a)
{
    deja_result *r = &a->result;
    int status = r->step.status;
    deja_error why;
    if (status < 0 &&
        outputs_check(&a->job, &why) < 0) { /* not the cache's fault: they went since it ended */
        ending_failed(a, &why);
        return;
    }
    deja_hash left;
    int known = status == 0 && keying_left(r->outputs, batch_listed_outputs(a->job.def), r->targets,
                                           &r->out_content, outcome_value(a), &left);
    ending_settle(a, known ? &left : NULL);
    if (status < 0)
        ending_not_kept(a, r->step.error.text);
    else if (a->unfit)
        finish_unread(a);
    else if (r->flags & DEJA_RESULT_NO_KEEP)
        finish_unkept(a);
    else if (a->outcome.killed_rest)
        finish_killed_rest(a);
    else if (a->outcome.out.error || a->outcome.err.error)
        ending_not_kept(a, "its output could not be spooled");
    else if (r->changed_input || !outcome_reads_same(a))
        finish_changed(a);
    else
        verify_and_commit(a);
}

static void begin_seal(active *a, int keep)
{
    deja_error err;
    uint32_t flags = !keep ? DEJA_RESULT_NO_KEEP : a->job.def->keep_record ? DEJA_RESULT_RECORD : 0;
    if (outcome_fill_result(a, flags, &err) < 0) {
        ending_settle(a, NULL);
        ending_not_kept(a, err.text);
        return;
    }
    if (keep && discovered_take(a, &err) < 0) {
        a->unfit = deja_arena_dup(&a->job.arena, err.text, strlen(err.text));
        a->result.flags |= DEJA_RESULT_NO_KEEP;
    }
    active_enter(a, SEALING);
    if (deja_result_seal_begin(a->flow->options.cache, &a->result) != 0)
        finish_seal(a);
}

static void finish_process(active *a, const deja_outcome *outcome)
{
    flow *f = a->flow;
    deja_error why;
    a->outcome = *outcome;
    a->ended_ns = deja_monotonic_ns(NULL);
    f->totals.running--;
    f->start_again_ns = 0;
    outlook_note(a);
    programs_forget(&f->programs);
    int keep = a->keyed && f->options.store;
    if (outcome_judge(a, &why) < 0 || outcome->terminated) {
        if (!retry_later(a, &why))
            ending_failed(a, &why);
    } else if (keep || (f->options.cache && a->job.def->needed)) {
        begin_seal(a, keep);
    } else {
        ending_settle(a, NULL);
        finish_unkept(a);
    }
}

/* ---- the loop ---- */

static void advance(active *a)
{
    if (a->stage == HASHING)
        finish_hashing(a);
    else if (a->stage >= EXAMINING && a->stage <= REREADING)
        advance_hit(a);
    else if (a->stage == SEALING)
        finish_seal(a);
    else
        finish_commit(a);
}

static int collect_steps(flow *f)
{
    int any = 0;
    deja_step *step;
    for (; f->options.cache && (step = deja_cache_next(f->options.cache)); any = 1)
        advance(step->user);
    return any;
}

static int collect_outcomes(flow *f)
{
    int any = 0;
    deja_outcome outcome;
    for (; f->runner && deja_runner_next(f->runner, 0, &outcome, NULL) > 0; any = 1)
        finish_process(outcome.user, &outcome);
    for (; f->functions && functions_next(f->functions, &outcome); any = 1)
        finish_process(outcome.user, &outcome);
    return any;
}

static int seal_adopted(flow *f)
{
    int any = 0;
    for (active *a; (a = adopt_next(f)); any = 1)
        begin_seal(a, 1);
    return any;
}

static int verify_waiting(flow *f)
{
    int any = 0;
    for (active *a; (a = verify_next(f)); any = 1)
        verify_and_commit(a);
    return any;
}

/* After a stop, jobs that were not started are forgotten; what the cache has in hand comes back first. */
static void drop_unstarted(flow *f)
{
    active_list *lists[] = {&f->looking, &f->missed, &f->aside};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (active *a; (a = lists[i]->first);)
            a->attempt > 1 ? retry_give_up(a) : active_retire(a);
    for (active *a; (a = resources_first(f));)
        a->attempt > 1 ? retry_give_up(a) : active_retire(a);
}

static void tell_warnings(flow *f)
{
    char *text;
    while (f->options.cache && (text = deja_cache_take_warning(f->options.cache))) {
        active_tell(f, &(flow_event){.kind = FLOW_NOTE, .reason = text, .out.fd = -1, .err.fd = -1});
        deja_free(text);
    }
}

/* Nothing is about to finish but commits: they need not wait for company. */
static int only_commits(const flow *f)
{
    if (!f->busy.first || f->totals.running || f->looking.first || f->missed.first || f->verifying.first ||
        f->more)
        return 0;
    for (const active *a = f->busy.first; a; a = a->next)
        if (a->stage != COMMITTING)
            return 0;
    return 1;
}

void flow_close(flow *f)
{
    if (!f)
        return;
    deja_runner_close(f->runner);
    functions_close(f->functions);
    active_free_idle(f);
    deja_buffer_done(&f->environment);
    programs_done(&f->programs);
    deja_buffer_done(&f->trouble);
    estimates_close(f->estimates);
    resources_close(f->resources);
    deja_free(f);
}

int flow_open(flow **ret, batch *b, plan *p, const flow_options *options, deja_error *err)
{
    flow *f = deja_calloc(1, sizeof *f);
    if (!f)
        return deja_fail(err, DEJA_ENOMEM, "start run: out of memory");
    f->batch = b;
    f->plan = p;
    f->options = *options;
    f->opened_ns = discovered_now_ns();
    int status = resources_open(f, err);
    if (status == 0)
        status = functions_open(f, err);
    if (status < 0) {
        flow_close(f);
        return status;
    }
    *ret = f;
    return 0;
}

/* Ends after each group of taken instances, so that the caller can look after signals and the terminal. */
void flow_step(flow *f)
{
    int worked;
    programs_forget(&f->programs);
    if (f->ending && functions_running(f->functions))
        functions_stop(f->functions, f->ending > 1);
    do {
        worked = collect_steps(f);
        worked |= collect_outcomes(f);
        worked |= aside_wake(f);
        if (f->stopping || f->failed)
            drop_unstarted(f);
        worked |= dispatch(f); /* a free slot waits for no taking */
        f->more = take(f) > 0;
        worked |= lookup(f);
        worked |= dispatch(f);
        worked |= seal_adopted(f);
        worked |= verify_waiting(f);
    } while (worked && !f->more);
    tell_warnings(f);
    if (f->options.cache && only_commits(f))
        deja_cache_hurry(f->options.cache);
}

static int time_left_ms(const flow *f, int timeout_ms)
{
    if (f->more || flow_finished(f))
        return 0;
    int64_t next = aside_next_ns(f), look = verify_next_ns(f), now;
    next = look < next ? look : next;
    look = resources_next_ns(f);
    next = look < next ? look : next;
    look = pressure_next_ns(f);
    next = look < next ? look : next;
    if (f->ending && functions_running(f->functions) && (timeout_ms < 0 || timeout_ms > STOP_MS))
        timeout_ms = STOP_MS;
    if (is_short(f) && f->start_again_ns < next)
        next = f->start_again_ns;
    if (next == INT64_MAX)
        return timeout_ms;
    now = deja_monotonic_ns(NULL);
    int64_t ms = next <= now ? 0 : (next - now) / DEJA_MS_NS + 1;
    return timeout_ms < 0 || ms < timeout_ms ? (int)ms : timeout_ms;
}

void flow_wait(flow *f, struct pollfd *extra, size_t extra_count, int timeout_ms)
{
    struct pollfd fds[9];
    size_t n = 0;
    if (extra_count > sizeof fds / sizeof *fds - 4)
        extra_count = sizeof fds / sizeof *fds - 4;
    for (; n < extra_count; n++)
        fds[n] = extra[n];
    int cache_fd = f->options.cache ? deja_cache_fd(f->options.cache) : -1;
    if (cache_fd >= 0)
        fds[n++] = (struct pollfd){.fd = cache_fd, .events = POLLIN};
    if (f->runner)
        fds[n++] = (struct pollfd){.fd = deja_runner_fd(f->runner), .events = POLLIN};
    int calls_fd = functions_fd(f->functions);
    if (calls_fd >= 0)
        fds[n++] = (struct pollfd){.fd = calls_fd, .events = POLLIN};
    int plan_waits = may_take(f) ? plan_fd(f->plan) : -1;
    if (plan_waits >= 0)
        fds[n++] = (struct pollfd){.fd = plan_waits, .events = POLLIN};
    int ready = poll(fds, n, time_left_ms(f, timeout_ms));
    for (size_t i = 0; i < extra_count; i++)
        extra[i].revents = ready > 0 ? fds[i].revents : 0;
}

int flow_finished(const flow *f)
{
    if (active_count(f) > 0)
        return 0;
    return f->stopping || f->failed || plan_finished(f->plan);
}

void flow_totals_of(const flow *f, flow_totals *ret)
{
    *ret = f->totals;
    ret->total = plan_total(f->plan, &ret->unexpanded);
}

int64_t flow_left_ns(flow *f)
{
    return outlook_ns(f, deja_wall_ns(NULL));
}

flow_keeping flow_is_keeping(const flow *f)
{
    flow_keeping keeping = f->stopping && f->busy.first ? FLOW_KEEPS_SEALED : FLOW_KEEPS_NOTHING;
    for (const active *a = f->busy.first; a && keeping; a = a->next)
        keeping = a->stage == SEALING && f->stopping == 1         ? FLOW_KEEPS_SEALING
                  : a->stage == SEALING || a->stage == COMMITTING ? keeping
                                                                  : FLOW_KEEPS_NOTHING;
    return keeping;
}

size_t flow_running(const flow *f, runs_job *list, size_t most)
{
    size_t count = 0;
    for (active *a = f->busy.first; a && most; a = a->next) {
        if (a->stage != RUNNING || (count == most && a->started_ns >= list[most - 1].started_ns))
            continue;
        size_t at = count < most ? count++ : most - 1;
        for (; at > 0 && list[at - 1].started_ns > a->started_ns; at--)
            list[at] = list[at - 1];
        list[at] = (runs_job){.started_ns = a->started_ns, .name = active_name(a)};
    }
    return count;
}

const char *flow_longest(const flow *f)
{
    active *longest = NULL;
    for (active *a = f->busy.first; a; a = a->next)
        if (a->stage == RUNNING && (!longest || a->started_ns < longest->started_ns))
            longest = a;
    return longest ? active_name(longest) : NULL;
}

void flow_signal(flow *f, int sig)
{
    if (sig == SIGTSTP || sig == SIGCONT) {
        if (f->runner)
            (sig == SIGTSTP ? deja_runner_suspend : deja_runner_resume)(f->runner);
        if (f->functions)
            functions_pass_on(f->functions, sig);
        return;
    }
    f->stopping++;
    if (f->options.cache)
        deja_cache_cancel(f->options.cache, f->stopping == 1 ? DEJA_CANCEL_DIGESTS : DEJA_CANCEL_ALL);
    halt_running(f, f->stopping > 1);
}

const char *flow_cache_trouble(const flow *f)
{
    return f->trouble.len ? f->trouble.data : NULL;
}
