#ifndef LYING_H
#define LYING_H
/*
 * Needed jobs that are not run (plan_open_only): what lies there of their outputs stands for what they would
 * have left, hashed as inputs are. Of a job without outputs it is not known.
 */
#include "active.h"

/* Adds these outputs to what `a` reads, links and what they lead to. */
int lying_list(active *a, deja_error *err);

/* They are hashed: the plan is told. */
int lying_note(active *a, deja_error *err);

#endif
