#ifndef STEP_H
#define STEP_H
/*
 * Steps of a cache: a few helper threads that take work in order, and a queue of what is finished with an
 * eventfd to poll. Started by the first steps_begin.
 */
#include <deja/cache.h>

typedef struct steps steps;

/* No thread yet. `helpers` at most. */
int steps_open(steps **ret, deja_cache *cache, unsigned helpers, deja_error *err);

/* Runs step->work(cache, step) on a helper, which ends with steps_finish (itself, or handed on to another
   thread). 0 (later); when no thread can be started it runs at once in the caller and 1 is returned. */
int steps_begin(steps *s, deja_step *step, void (*work)(deja_cache *, deja_step *));

/* Any thread: the step is finished; status and error are set. */
void steps_finish(steps *s, deja_step *step);

int steps_fd(const steps *s);
deja_step *steps_next(steps *s);

/* Waits until no step is under way, ends the threads. NULL is fine. */
void steps_close(steps *s);

#endif
