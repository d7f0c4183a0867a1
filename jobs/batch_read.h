#ifndef BATCH_READ_H
#define BATCH_READ_H
/*
 * Private to batch*.c: from the tree of a batch file to the fields of a batch. What a batch keeps is copied
 * into its arena; the tree is gone when it is loaded. Functions return 0 or an error code with a source_fail
 * text.
 */
#include "batch.h"
#include "names.h"
#include "yaml_tree.h"

/* Which job was the last to need a job, to find what is needed twice. */
typedef struct batch_stamp {
    uint32_t job;  /* its number + 1 */
    uint32_t need; /* index of its need */
} batch_stamp;

typedef struct batch_reader {
    batch *b;
    deja_error *err;
    const batch_settings *settings; /* may be NULL */
    batch_job defaults;             /* what a job begins as */
    batch_stamp *stamps;            /* of each job */
    size_t warning_cap, other_cap;  /* of b->warnings */
} batch_reader;

/* Where the values of an axis come from. */
typedef struct batch_axis {
    mark at; /* of its name */
    enum { AXIS_FIXED, AXIS_GLOB, AXIS_LINES, AXIS_TABLE } from;
    struct batch_table *table; /* AXIS_TABLE: that it is a column of */
    const batch_text *origin;  /* AXIS_LINES: the output of a job that is read; NULL: a path */
    uint32_t group;     /* names of the same group advance together; MATRIX_ADDED: rows of `include` say it */
    const char **texts; /* patterns, or one path */
    const mark *marks;  /* of each */
    size_t count;
    int allow_empty;
} batch_axis;

/* Memory of the batch; DEJA_ENOMEM. */
int read_no_memory(batch_reader *r);
void *read_alloc(batch_reader *r, size_t count, size_t size); /* zeroed */
const char *read_keep(batch_reader *r, const yaml_node *n);

#define READ_FOUND 96 /* bytes of a description */

/* What a node is, for "expected a list of paths, found a map". Returns `found`. */
const char *read_found(char found[READ_FOUND], const yaml_node *n);

/* Fails with "expected WHAT, found ...". */
int read_expected(batch_reader *r, const yaml_node *n, const char *what);

/* A scalar that is not null. */
int read_scalar(batch_reader *r, const yaml_node *n, const char *what);

/* A text with expressions. `what` names what is expected: "a path". */
int read_text(batch_reader *r, const yaml_node *n, const char *what, batch_text *ret);

/* A text that may hold no expression but variables. */
int read_literal(batch_reader *r, const yaml_node *n, const char *what, const char **ret);

/* The same for a pattern: values of variables stand for themselves in it. */
int read_pattern(batch_reader *r, const yaml_node *n, const char *what, const char **ret);

/* `n`; where it is nothing but a variable, its value in `room`. */
const yaml_node *read_var(batch_reader *r, const yaml_node *n, yaml_node *room);

/* What a variable with attributes stands for; DEJA_ENOTFOUND. */
int read_var_value(const batch_reader *r, const template_expr *e, const char **ret, size_t *ret_len);

/* 1 for a whole number, a number, or a variable that is one. */
int read_int(batch_reader *r, const yaml_node *n, int64_t *ret);
int read_real(batch_reader *r, const yaml_node *n, double *ret);

/* true or false. */
int read_flag(batch_reader *r, const yaml_node *n, int *ret);

/* A list of texts with expressions; `item` is what one of them is. */
int read_texts(batch_reader *r, const yaml_node *n, const char *list, const char *item, batch_text **ret,
               size_t *ret_count);

/* Refuses keys of a map that are not among `words` (which ends with NULL). `place` says whose words they are:
 * "a job". */
int read_check_words(batch_reader *r, const yaml_node *map, const char *place, const char *const *words);

/* ", did you mean 'x'?", or "" when nothing is near. Returns `hint`. */
#define READ_HINT 96
const char *read_hint(char hint[READ_HINT], const char *word, const char *const *words, size_t count);

/* A name of a job, an output or an axis: [A-Za-z_][A-Za-z0-9_-]*, none of the reserved ones. `what` is "a
 * job". */
int read_name(batch_reader *r, const yaml_node *n, const char *what);

/* Adds a warning, in the form of an error. */
int read_warn(batch_reader *r, mark at, const char *text);

/* The words of a job, of defaults (`job` is r->defaults then). Needs and names are read when all jobs are
 * known. */
int batch_read_job(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_defaults(batch_reader *r, const yaml_node *n);
int batch_read_vars(batch_reader *r, const yaml_node *n); /* into r->b->vars, which has room */
int batch_check_settings(const batch *b, const batch_settings *s, deja_error *err);

int batch_read_shell(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_run(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_call(batch_reader *r, const yaml_node *n, batch_job *job); /* of a job: call and with */
int batch_read_env(batch_reader *r, const yaml_node *env, const yaml_node *secret,
                   batch_job *job);                         /* both may be NULL */
int batch_resolve_origins(batch_reader *r, batch_job *job); /* when all needs are known */
int batch_read_matrix(batch_reader *r, const yaml_node *matrix, const yaml_node *when,
                      batch_job *job); /* both may be NULL */
int batch_read_inputs(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_outputs(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_depfile(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_path(batch_reader *r, const yaml_node *n, const char *what, const batch_text **ret);
int batch_read_retries(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_timeout(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_memory(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_cpus(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_limit(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_rate(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_nice(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_asked(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_amounts(batch_reader *r, const yaml_node *n); /* into r->b->resources, which has room */
int batch_read_allow_failure(batch_reader *r, const yaml_node *n, batch_job *job);
int batch_read_needs(batch_reader *r, const yaml_node *n, batch_job *job);

/* After all jobs are read. */
int batch_check_paths(batch_reader *r, const batch_job *job); /* literal outputs and inputs of one job */
int batch_check_names(batch_reader *r, const batch_job *job); /* that names differ, and all expressions */
int batch_check_cycles(batch_reader *r);
void batch_find_waiting(
    batch_reader *r); /* whose matrices are to be read when the jobs that they need are done */

/* Of a batch without file: a text that stands for itself; one with replacement strings where there is a feed;
 * the command. */
int batch_command_literal(batch_reader *r, const char *text, batch_text *ret);
int batch_command_word(batch_reader *r, const batch_command *c, const char *text, batch_text *ret);
int batch_command_words(batch_reader *r, const batch_command *c, batch_job *job);

/* 1 for a name that the environment can have: [A-Za-z_][A-Za-z0-9_]*. */
int batch_env_name(const char *name);

/* The defaults of a job without any word: bash, cache, status 0. */
int batch_job_defaults(batch_reader *r, batch_job *ret);

/* batch_load_text, but `text` (from deja_realloc) is taken, on failure too; with settings (may be NULL). */
int batch_take_text(batch **ret, const char *path, char *text, size_t len, const char *folder,
                    const batch_settings *settings, deja_error *err);

/* Makes an empty batch in `folder`. `r` gets it. */
int batch_new(batch_reader *r, const char *folder);

#endif
