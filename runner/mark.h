#ifndef DEJA_RUNNER_MARK_H
#define DEJA_RUNNER_MARK_H
/*
 * The mark that processes of a run have in their environment: DEJA_RUN=ID, or OUTER:ID:INNER in nested runs.
 */
#include <stddef.h>

#define MARK_VARIABLE "DEJA_RUN="

/* Walks the variables of an environment that arrives in blocks. */
typedef struct mark_search {
    const char *run_id;
    size_t id_len;
    size_t at;    /* bytes of the variable's name, or of the present part of its value, that agreed */
    int in_value; /* the name agreed */
    int mismatch; /* the present name or part differs */
    int found;
} mark_search;

/* Searches the next block; begin with {.run_id, .id_len}. */
void mark_add(mark_search *s, const char *data, size_t len);

/* After the last block: a variable may end without a NUL. */
void mark_end(mark_search *s);

/* 1 when a list of NUL-terminated variables as in /proc/PID/environ has the mark of the run. */
int mark_is_in(const char *environment, size_t len, const char *run_id);

#endif
