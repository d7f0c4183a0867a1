#ifndef HISTORY_FIXTURE_H
#define HISTORY_FIXTURE_H
/*
 * Recorded durations, for tests of estimates and of the order of jobs.
 */
#include "batch_fixture.h"
#include "history.h"

static inline history *history_of(const batch *b)
{
    const history_options o = {.folder = "runs", .batch = b};
    history *h;
    assert_true(mkdir("runs", 0700) == 0 || errno == EEXIST);
    assert_int_equal(history_open(&h, &o, NULL), 0);
    return h;
}

/* The job ran that long, and ended well or not; several at once are seen by the next history. */
static inline void history_took(history *h, const batch_job *def, uint32_t index, int ok, int64_t wall_ns)
{
    const flow_event e = {.kind = ok ? FLOW_FINISHED : FLOW_FAILED,
                          .def = def,
                          .index = index,
                          .started_ns = 1000 + index,
                          .wall_ns = wall_ns};
    history_note(h, &e, "RUN");
}

static inline void history_end(history *h)
{
    assert_int_equal(history_finish(h, NULL), 0);
    history_close(h);
}

#endif
