#ifndef LOCAL_H
#define LOCAL_H
/*
 * What the backends of this process share: a task is begun, run and ended here, be it in a thread, a
 * coroutine or the caller.
 */
#include "backend.h"
#include "result_sink.h"

/* Runs t, unless it was canceled. Then the caller forgets it and says pool_finished. */
void local_execute(task *t, deja_sink *s);

/* Ends t, which was not begun, with this failure. Then as after local_execute. */
void local_fail(task *t, int code, const char *text);

/* The cancel() of a backend: only what has not begun. */
int local_cancel(backend *b, task *t, int kill);

/* Reports t, which runs, where it is late. Returns when to look again, INT64_MAX for never. */
int64_t local_look(task *t, int64_t now_ns);

/* What runs now is late from `at_ns` on: somebody looks then. */
void local_deadline(deja_pool *p, int64_t at_ns);

/* In a coroutine others run meanwhile. */
void local_sleep_until(int64_t at_ns);

/* Of the sinks of this process. */
int local_stage_folder(const deja_pool_options *o);

#endif
