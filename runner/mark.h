#ifndef DEJA_RUNNER_MARK_H
#define DEJA_RUNNER_MARK_H
/*
 * The mark that processes of a run have in their environment: DEJA_RUN=ID#JOB, or OUTER#JOB:ID#JOB:INNER#JOB
 * in nested runs. JOB is a number that each job of a runner has for itself.
 */
#include <stddef.h>
#include <stdint.h>

#define MARK_VARIABLE "DEJA_RUN="

/* Walks the variables of an environment that arrives in blocks. */
typedef struct mark_search {
    const char *run_id;
    size_t id_len;
    size_t at;    /* bytes of the variable's name, or of the present part of its value, that agreed */
    int in_value; /* the name agreed */
    int mismatch; /* the present name or part differs */
    int found;
    int in_number;   /* behind the # of a part */
    uint64_t number; /* there */
    uint64_t job;    /* once found: the number of its job, 0 without */
} mark_search;

/* Searches the next block; begin with {.run_id, .id_len}. */
void mark_add(mark_search *s, const char *data, size_t len);

/* After the last block: a variable may end without a NUL. */
void mark_end(mark_search *s);

/* 1 when a list of NUL-terminated variables as in /proc/PID/environ has the mark of the run. */
int mark_is_in(const char *environment, size_t len, const char *run_id);

#endif
