#ifndef RUN_SHOW_H
#define RUN_SHOW_H
/*
 * Runs as people and programs read them: lines of a listing, and one run whole.
 */
#include "past_run.h"

/* "done", "failed", "running", "interrupted", "broken off", "unreadable": how a run stands. */
const char *run_show_state(const past_run *r);

/* Appends a line about a run. `with_batch`: names the batch file. */
void run_show_line(deja_buffer *b, const past_run *r, int json);

/* Appends all about a run: its totals, the jobs that failed, those that took longest. `runs` is the folder of
 * runs as it is named to the user. */
void run_show_all(deja_buffer *b, const past_run *r, const char *runs, int json);

/* Appends how far a living run is, and its running jobs. `now_ns` wall clock. */
void run_show_progress(deja_buffer *b, const past_run *r, int runs_fd, int64_t now_ns, int json);

#endif
