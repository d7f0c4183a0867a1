#ifndef STEP_H
#define STEP_H
/*
 * Steps of a cache: a few helper threads that take work in order, and a queue of what is finished with an
 * eventfd to poll. Started by the first steps_begin.
 *
 * Long steps have a queue of their own, and one helper never takes from it: however many large files there
 * are to be hashed, a short step finds somebody.
 */
#include <deja/cache.h>

/* From so many bytes on a step is long. Reading them takes some 50 us from the page cache, 10 ms from a slow
 * disk. */
#define STEP_LONG_BYTES (1024 * 1024)

typedef struct steps steps;

/* No thread yet. `helpers` at most; from two on, all but one may work on long steps at the same time. */
int steps_open(steps **ret, deja_cache *cache, unsigned helpers, deja_error *err);

/* Runs step->work(cache, step) on a helper, which ends with steps_finish (itself, or handed on to another
   thread). 0 (later); when no thread can be started it runs at once in the caller and 1 is returned. */
int steps_begin(steps *s, deja_step *step, void (*work)(deja_cache *, deja_step *));

/* As steps_begin for work that only hands the step to a thread that the caller knows: it is done in the
   caller, and no helper is needed. */
int steps_begin_elsewhere(steps *s, deja_step *step, void (*work)(deja_cache *, deja_step *));

/* Called by the work of a step before it does anything, with what it is about to read and write. 1: that is
   long, and this helper may not; work returns and is called again by another one, or later. */
int steps_put_off(steps *s, deja_step *step, uint64_t bytes);

/* Any thread: the step is finished; status and error are set. */
void steps_finish(steps *s, deja_step *step);

int steps_fd(const steps *s);
deja_step *steps_next(steps *s);

/* Waits until no step is under way, ends the threads. NULL is fine. */
void steps_close(steps *s);

#endif
