#ifndef SELECTION_H
#define SELECTION_H
/*
 * The instances that words of the command line choose: `JOB`, `JOB[name=pattern,...]`. In the name of a job
 * `*` and
 * `?` are a pattern; values are those of value_pattern.h. A `,` or `]` of a value has a backslash in front
 * where it would end the pattern. What the chosen ones need is not in a selection: plan.h adds it.
 */
#include "batch.h"

typedef struct selection selection;
struct failed;

/*
 * Reads the words against a batch, which is borrowed; matrices that they ask about are expanded where that is
 * possible before a run. No words: `*ret` is NULL, which is all. DEJA_EINVAL names the word, what is wrong
 * with it and what is near: no such job or parameter, nothing that matches.
 */
int selection_open(selection **ret, batch *b, const char *const *words, size_t count, deja_error *err);

/* Leaves of a selection (NULL: of all) what failed when it ran last; `f` is borrowed. */
int selection_keep_failed(selection **s, batch *b, const struct failed *f, deja_error *err);

typedef enum selection_part {
    SELECTION_NONE, /* no instance of the job */
    SELECTION_SOME, /* those for which selection_has says so */
    SELECTION_ALL,
} selection_part;

selection_part selection_of(const selection *s, const batch_job *def);

/* 1 when instance `index` of a job is chosen. The job's matrix is expanded. */
int selection_has(const selection *s, const batch_job *def, uint32_t index);

/* For a job whose matrix became known during the run: an error when a word that asks about it chooses
 * nothing. */
int selection_check(const selection *s, const batch_job *def, deja_error *err);

/* NULL is fine. */
void selection_close(selection *s);

#endif
