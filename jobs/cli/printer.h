#ifndef PRINTER_H
#define PRINTER_H
/*
 * The output of jobs in batch order: by number of the job, then by index in its matrix. What finishes early
 * is held in the outbox. How many instances a job has may become known late; nothing behind it is printed
 * before. One thread.
 */
#include "outbox.h"

typedef struct printer printer;

/* How many instances job `def` has: 1 and the number (0 for one that does not run), 0 when it is not known
 * yet. */
typedef int (*printer_count)(void *context, uint32_t def, uint32_t *ret);

/* 1 when instance `index` of job `def`, the number of whose instances is known, will be added; the others are
 * passed over. NULL for a printer to which all are. */
typedef int (*printer_has)(void *context, uint32_t def, uint32_t index);

/* `box` is borrowed. */
int printer_open(printer **ret, outbox *box, uint32_t defs, printer_count count, printer_has has,
                 void *context, deja_error *err);

/* An instance has ended with this output (NULL for none): printed now, or when all before it have ended. Once
 * for each. */
void printer_add(printer *p, uint32_t def, uint32_t index, const flow_bytes *out, const flow_bytes *err);

/* Prints what does not have to wait any more, now that counts may be known. */
void printer_go_on(printer *p);

/* Prints all that is held, in order, whatever is missing. */
void printer_finish(printer *p);

/* NULL is fine. */
void printer_close(printer *p);

#endif
