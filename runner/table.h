#ifndef DEJA_RUNNER_TABLE_H
#define DEJA_RUNNER_TABLE_H
/*
 * What a runner is: a table of jobs, one epoll set and one timer in it. A job moves from its slot to the list
 * of finished ones, in the order in which jobs end.
 */
#include "child.h"
#include "reaper.h"

struct deja_runner {
    child_host host;
    reaper reaper;
    int timer;           /* a timerfd in the epoll set, its data.ptr NULL */
    int64_t timer_at_ns; /* when it fires; 0: it is not armed */
    int64_t grace_ns;
    int64_t suspended_ns; /* since when; 0: it is not */
    uint32_t reserve_fds; /* as deja_runner_options has it */
    child **slot;         /* by slot number; NULL: free */
    uint32_t slots, in_slots;
    child *first, *last; /* finished, not taken */
    uint32_t finished;
    int started; /* 1: a job was started, there may be strays */
};

/* The timer fires at `at_ns` (0: no wish) or before. */
void table_want_timer(deja_runner *r, int64_t at_ns);

/* After a suspension of so long timeouts end later. */
void table_put_off(deja_runner *r, int64_t ns);

/* Makes sure of a free slot; -1 when there is none. */
int table_make_room(deja_runner *r);

/* The lowest free slot, so that the warden's board stays short. */
uint32_t table_find_slot(deja_runner *r);

/* Appends to the finished ones, which own it. */
void table_add_finished(deja_runner *r, child *c);

/* Takes the first finished one's outcome. 0: there is none. */
int table_take_finished(deja_runner *r, deja_outcome *ret);

/* Starts the warden unless it runs, and watches it. */
void table_keep_warden(deja_runner *r);
void table_unwatch_warden(deja_runner *r);

/* One wait and its events. No job is freed meanwhile, so an event of one that has just ended finds its
 * sources closed. */
int table_pump(deja_runner *r, int timeout_ms, deja_error *err);

#endif
