/*
 * How near the order of jobs comes to the shortest time that is possible, and the estimate of what is left to
 * the truth: 200 jobs with log-normal durations, all recorded, on a clock of our own. What chooses and
 * estimates is deja's own; only the processes are made up.
 */
#include "estimates.h"
#include "figure.h"
#include "order.h"
#include "outlook.h"
#include <deja/clock.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { JOBS = 200, LINKS = 4, SEEDS = 21 };

static const char alone[] = "version: 1\n"
                            "jobs:\n"
                            "  job: {matrix: {n: {range: [1, 200]}}, run: \": ${{ n }}\"}\n";
static const char chains[] = "version: 1\n"
                             "jobs:\n"
                             "  a: {matrix: {n: {range: [1, 50]}}, run: \": a ${{ n }}\"}\n"
                             "  b: {matrix: {n: {range: [1, 50]}}, needs: a, run: \": b ${{ n }}\"}\n"
                             "  c: {matrix: {n: {range: [1, 50]}}, needs: b, run: \": c ${{ n }}\"}\n"
                             "  d: {matrix: {n: {range: [1, 50]}}, needs: c, run: \": d ${{ n }}\"}\n";

/* A run that was recorded, and how long its jobs take this time. */
typedef struct run {
    const char *text;
    const char *folder;
    int64_t recorded_ns[JOBS], real_ns[JOBS];
    double bound_s;        /* the time that no order can beat */
    double seconds;        /* that it took */
    double estimate_error; /* after a tenth of the jobs, as part of what was left */
} run;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Box and Muller 1958. */
static double normal(uint64_t *state)
{
    double u = ((double)(next_random(state) >> 11) + 1) / 9007199254740993.0;
    double v = (double)(next_random(state) >> 11) / 9007199254740992.0;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* The machine is another one: all take up to half as long again, each by itself some more or less. */
static void draw(run *r, unsigned seed, double scatter)
{
    uint64_t state = 0x9e3779b97f4a7c15u * (seed + 1);
    double machine = scatter > 0 ? 1 + 0.5 * (double)(seed % 5) / 4 : 1;
    for (int i = 0; i < JOBS; i++) {
        double seconds = exp(normal(&state));
        r->recorded_ns[i] = (int64_t)(seconds * 1e9);
        r->real_ns[i] = (int64_t)(seconds * machine * exp(scatter * normal(&state)) * 1e9);
    }
}

static size_t number_of(const run *r, const batch_job *def, uint32_t index)
{
    return r->text == alone ? index : def->number * (JOBS / LINKS) + index;
}

static void find_bound(run *r, unsigned slots)
{
    double sum = 0, longest = 0;
    int links = r->text == alone ? 1 : LINKS;
    for (int i = 0; i < JOBS / links; i++) {
        double chain = 0;
        for (int k = 0; k < links; k++)
            chain += (double)r->real_ns[k * (JOBS / links) + i];
        sum += chain;
        longest = chain > longest ? chain : longest;
    }
    r->bound_s = (sum / slots > longest ? sum / slots : longest) / 1e9;
}

static void record_all(const run *r, const batch *b, const plan *p, const history_options *o)
{
    history *h;
    uint32_t count;
    figure_check(history_open(&h, o, NULL) < 0, "no history");
    for (uint32_t j = 0; j < b->job_count; j++) {
        plan_instances(p, j, &count);
        for (uint32_t i = 0; i < count; i++) {
            const flow_event e = {.kind = FLOW_FINISHED,
                                  .def = &b->jobs[j],
                                  .index = i,
                                  .started_ns = 1,
                                  .wall_ns = r->recorded_ns[number_of(r, &b->jobs[j], i)]};
            history_note(h, &e, "RUN");
        }
    }
    figure_check(history_finish(h, NULL) < 0, "the history cannot be written");
    history_close(h);
}

static void start_all(flow *f, const run *r, int64_t now_ns)
{
    plan_ready ready;
    while (plan_next(f->plan, &ready))
        active_enter(active_new(f, ready.def, ready.index), MISSED);
    while (f->missed.first && f->totals.running < f->options.slots) {
        active *a = order_first(f);
        active_enter(a, RUNNING);
        f->totals.running++;
        a->started_ns = now_ns;
        a->outcome.wall_ns = r->real_ns[number_of(r, a->job.def, a->job.index)];
        a->ended_ns = now_ns + a->outcome.wall_ns;
    }
}

static int64_t end_one(flow *f)
{
    active *first = f->busy.first;
    for (active *a = first; a; a = a->next)
        if (a->ended_ns < first->ended_ns)
            first = a;
    int64_t now_ns = first->ended_ns;
    f->totals.running--;
    f->totals.ran++;
    f->totals.done++;
    outlook_note(first);
    plan_settle(f->plan, first->job.def, first->job.index, PLAN_LEFT, NULL, 0);
    active_retire(first);
    return now_ns;
}

static void go(flow *f, run *r)
{
    int64_t now_ns = 0, asked_ns = 0, left_ns = 0;
    while (!plan_finished(f->plan)) {
        start_all(f, r, now_ns);
        if (f->totals.done == JOBS / 10) {
            asked_ns = now_ns;
            left_ns = outlook_ns(f, now_ns);
        }
        now_ns = end_one(f);
    }
    r->seconds = (double)now_ns / 1e9;
    r->estimate_error = fabs((double)(now_ns - asked_ns - left_ns)) / (double)(now_ns - asked_ns);
}

static void simulate(run *r, unsigned slots, int in_batch_order)
{
    batch *b;
    plan *p;
    flow *f;
    history *h;
    char runs[4300];
    static int number;
    snprintf(runs, sizeof runs, "%s/%d", r->folder, number++);
    figure_check(mkdir(runs, 0700) < 0, "no folder for the history");
    figure_check(batch_load_text(&b, "deja.yaml", r->text, strlen(r->text), r->folder, NULL) < 0, "no batch");
    figure_check(plan_open(&p, b, NULL, NULL) < 0, "no plan");
    const history_options o = {.folder = runs, .batch = b};
    record_all(r, b, p, &o);
    figure_check(history_open(&h, &o, NULL) < 0, "no history");
    const flow_options options = {.slots = slots, .history = h, .batch_order = in_batch_order};
    figure_check(flow_open(&f, b, p, &options, NULL) < 0, "no flow");
    go(f, r);
    flow_close(f);
    history_close(h);
    plan_close(p);
    batch_free(b);
}

static void bench_order(const figures *f, const char *name, const char *text, unsigned slots,
                        int in_batch_order)
{
    figure times = {.name = name, .unit = "times", .asked = in_batch_order ? NULL : "<= 1.05"};
    if (!figures_want(f, name))
        return;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        run r = {.text = text, .folder = f->folder};
        draw(&r, seed, 0);
        find_bound(&r, slots);
        simulate(&r, slots, in_batch_order);
        figure_round(&times, r.seconds / r.bound_s, -1);
    }
    figure_print(&times);
}

static void bench_estimate(const figures *f, const char *name, const char *text, unsigned slots)
{
    figure errors = {.name = name, .unit = "part", .asked = "<= 0.25"};
    if (!figures_want(f, name))
        return;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        run r = {.text = text, .folder = f->folder};
        draw(&r, seed, 0.3);
        simulate(&r, slots, 0);
        figure_round(&errors, r.estimate_error, -1);
    }
    figure_print(&errors);
}

int main(int argc, char **argv)
{
    figures f;
    figures_parse(&f, argc, argv);
    figures_folder(&f);
    bench_order(&f, "makespan-2", alone, 2, 0);
    bench_order(&f, "makespan-2-batch-order", alone, 2, 1);
    bench_order(&f, "makespan-8", alone, 8, 0);
    bench_order(&f, "makespan-8-batch-order", alone, 8, 1);
    bench_order(&f, "makespan-chains-8", chains, 8, 0);
    bench_order(&f, "makespan-chains-8-batch-order", chains, 8, 1);
    bench_estimate(&f, "eta-2", alone, 2);
    bench_estimate(&f, "eta-8", alone, 8);
    bench_estimate(&f, "eta-chains-8", chains, 8);
    figures_done(&f);
    return 0;
}
