#ifndef BATCH_NAMES_H
#define BATCH_NAMES_H
/*
 * Private to batch_names.c, batch_resolve.c and batch_explain.c: names in expressions.
 */
#include "batch_read.h"

/* An expression that is being checked. */
typedef struct batch_subject {
    batch_reader *r;
    const batch_job *job;
    const template_expr *expr;
    const batch_text *text; /* that it stands in */
} batch_subject;

/* 1 and the index in *ret, or 0. */
int batch_find_axis(const batch_job *job, const char *name, size_t *ret);
int batch_find_output(const batch_job *job, const char *name, size_t *ret);

/* How `job` needs the job of that number, or NULL. */
const batch_need *batch_find_need(const batch_job *job, uint32_t number);

int batch_is_attribute(const char *name);

/* As batch_name_of, without a look at the attributes. */
int batch_first_name(const batch *b, const batch_job *job, const template_expr *e, batch_name *ret);

/* Where the expression stands. It takes time: for messages only. */
mark batch_place_of(const batch_subject *s);

/* Fails, saying why an expression means nothing. `name` is what batch_name_of left. */
int batch_explain(const batch_subject *s, const batch_name *name);

#endif
