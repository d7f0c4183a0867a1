#ifndef FLOW_FIXTURE_H
#define FLOW_FIXTURE_H
/*
 * Batches run through the whole of flow.h with a real cache, for tests of what becomes of failures.
 */
#include "batch_fixture.h"
#include "flow.h"
#include <deja/cleanup.h>

extern char **environ;

/* What a run said: "KIND:NAME" for each event but the starts, and the reasons. */
typedef struct flow_run {
    char events[16384];
    char reasons[16384];
    flow_totals totals;
    unsigned attempt; /* of the last end */
    flow *flow;
    flow_event_kind end_at; /* TERM at the first event of this kind, where `end` is set */
    int end;
} flow_run;

static inline void flow_run_listen(void *context, const flow_event *event)
{
    static const char *const kinds[] = {"", "hit", "finished", "failed", "skipped",
                                        "", "",    "",         "note",   "retrying"};
    flow_run *r = context;
    size_t n = strlen(r->events);
    if (event->kind == r->end_at && r->end) {
        r->end = 0;
        flow_signal(r->flow, SIGTERM);
    }
    if (!*kinds[event->kind])
        return;
    snprintf(r->events + n, sizeof r->events - n, "%s%s:%s", n ? " " : "", kinds[event->kind],
             event->name ? event->name : "-");
    n = strlen(r->reasons);
    if (event->reason)
        snprintf(r->reasons + n, sizeof r->reasons - n, "%s\n", event->reason);
    if (event->kind == FLOW_FAILED || event->kind == FLOW_FINISHED)
        r->attempt = event->attempt;
}

/* Runs jobs given as lines of YAML; `r` may say when to end. */
static inline flow_run *flow_run_in(flow_run *r, const char *jobs, flow_options options)
{
    static char text[16384];
    deja_error err;
    deja_cache *cache = NULL;
    deja_claims *claims = NULL;
    plan *p;
    snprintf(text, sizeof text, "version: 1\njobs:\n%s", jobs);
    batch *b = load(text);
    deja_cache_options c = {.size = sizeof c, .folder = ".deja"};
    assert_int_equal(deja_cache_open(&cache, &c, &err), 0);
    assert_int_equal(deja_claims_open(&claims, ".deja/claims", &err), 0);
    options.slots = options.slots ? options.slots : 1;
    options.lookup = options.store = 1;
    options.run_id = "test";
    options.cache = cache;
    options.claims = options.output_claims = claims;
    options.environment = (const char *const *)environ;
    options.listen = flow_run_listen;
    options.context = r;
    if (plan_open(&p, b, NULL, &err) < 0 || flow_open(&r->flow, b, p, &options, &err) < 0)
        fail_msg("%s", err.text);
    while (!flow_finished(r->flow)) {
        flow_step(r->flow);
        flow_wait(r->flow, NULL, 0, 1000);
    }
    flow_totals_of(r->flow, &r->totals);
    flow_close(r->flow);
    plan_close(p);
    deja_claims_close(claims);
    deja_cache_close(cache);
    batch_free(b);
    return r;
}

/* The same, in static memory. */
static inline flow_run *flow_run_of(const char *jobs, flow_options options)
{
    static flow_run r;
    r = (flow_run){0};
    return flow_run_in(&r, jobs, options);
}

#endif
