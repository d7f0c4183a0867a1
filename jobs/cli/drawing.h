#ifndef DRAWING_H
#define DRAWING_H
/*
 * Who waits for whom, as a text: for Graphviz (the DOT language), for Mermaid (flowcharts), or as JSON. An
 * arrow leads from what is needed to what needs it.
 */
#include "plan.h"

typedef enum drawing_format { DRAWING_DOT, DRAWING_MERMAID, DRAWING_JSON } drawing_format;

/* Appends the jobs of a fresh plan that are to be run; with `instances` each instance that is. DEJA_ENOMEM.
 */
int drawing_add(deja_buffer *b, const batch *of, const plan *p, drawing_format format, int instances);

#endif
