#ifndef JOB_H
#define JOB_H
/*
 * An instance of a job: its definition and a number of its matrix, rendered: words, paths, parameters.
 * Computed anew whenever it is needed; nothing of it is kept for jobs that wait.
 */
#include "batch.h"

typedef struct job_input {
    const char *path; /* see job; of a pattern the text, see glob.h */
    int pattern;      /* files that match it */
    int folder;       /* had a trailing slash: all files below it */
    mark at;
} job_input;

typedef struct job_output {
    const char *name; /* "" without */
    const char *path;
    mark at;
} job_output;

/* A file of paths that is to be there while the job runs. Its name is made of its content. */
typedef struct job_list {
    const char *path, *data;
    size_t len;
} job_list;

/* Paths are normalised lexically: relative to the batch's folder when inside it, else absolute. */
typedef struct job {
    const batch *batch;
    const batch_job *def;
    uint32_t index;             /* number within its matrix */
    const char **values;        /* of the matrix's axes, one each */
    const struct feed_row *row; /* where the instance comes from a feed; else NULL */
    const char *const *argv;    /* to be executed without a shell, NULL-terminated; NULL: needs its shell */
    const char *const *shell;   /* the shell's argv with the text as last word; NULL for an argv job */
    const char *text;           /* shell text after substitution; NULL for an argv job */
    const char *program;        /* the first word where that is plain, else NULL */
    const char *library;        /* of a call; NULL: a command */
    const deja_value *args;     /* of a call, in its order; files by their paths as above */
    size_t arg_count;
    const char *cwd;        /* "." for the batch's folder */
    const char *stdin_path; /* NULL: none */
    job_input *inputs;
    size_t input_count;
    job_output *outputs;
    size_t output_count;
    job_list *lists; /* that its words, arguments and variables name; of these once they are asked for */
    size_t list_count;
    deja_arena arena;
} job;

/* "count[text=data/a.txt,n=1]", "table": for people. Appends to `b`. */
void job_name(deja_buffer *b, const batch_job *def, uint32_t index);

/* The parts of a job that job_render makes. */
#define JOB_OUTPUTS 1u /* from the values of the matrix alone: of no other job anything is rendered */
#define JOB_INPUTS  2u /* perhaps outputs of needed jobs */
#define JOB_COMMAND 4u /* words, text, cwd, stdin; library and arguments */
#define JOB_FILES   (JOB_OUTPUTS | JOB_INPUTS)
#define JOB_ALL     (JOB_FILES | JOB_COMMAND)

/*
 * Renders instance `index` of `def` into `ret` (zeroed, or used before: its memory is used again). Jobs named
 * by expressions in `needs` must be expanded. Errors carry the place in the batch file.
 */
int job_render(job *ret, const batch *b, const batch_job *def, uint32_t index, unsigned parts,
               deja_error *err);

/* The value of environment variable number `i` of the definition, for this instance, in its arena. */
int job_env_value(job *j, size_t i, const char **ret, deja_error *err);

/* 1 when this exit status is a success of the job. */
int job_is_ok_status(const batch_job *def, int status);

void job_done(job *j);

#endif
