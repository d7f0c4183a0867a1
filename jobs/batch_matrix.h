#ifndef BATCH_MATRIX_H
#define BATCH_MATRIX_H
/*
 * Private to the files that read the word matrix: batch_axis.c, batch_matrix.c, batch_rules.c,
 * batch_expand.c, batch_shape.c.
 */
#include "batch_read.h"
#include "value_pattern.h"

/* What is asked of one name: some pattern matches, or none of them (`not`). */
typedef struct batch_clause {
    size_t axis;
    int negated;
    const value_pattern *patterns;
    const uint8_t *plain; /* of each pattern: written without quotes */
    size_t count;
    mark at;
} batch_clause;

typedef struct batch_condition {
    batch_clause *clauses;
    size_t count;
    int never; /* by the value of a variable */
    mark at;
} batch_condition;

/* A row of `include`: what it asks of names of the matrix, and values of names that it adds. */
typedef struct batch_given {
    size_t axis;
    const char *text;
    int plain;
} batch_given;

typedef struct batch_entry {
    batch_condition where;
    batch_given *given;
    size_t given_count;
} batch_entry;

/* A table in a file; its columns are neighbours among the axes. */
typedef struct batch_table {
    const char *path;
    mark at;                                   /* of the path */
    const char *const *names, *const *columns; /* of the axes, and in the file */
    size_t first, count;                       /* axes */
    int is_json, allow_empty;
    int strict; /* all columns were taken */
    char separator;
    const batch_text *origin; /* the output of a job that is read; NULL: `path` is what stands there */
} batch_table;

typedef struct batch_rules {
    batch_condition *exclude, *when;
    size_t exclude_count, when_count;
    batch_entry *entries;
    size_t entry_count;
    int has_when, is_zipped;
} batch_rules;

/* Says what went wrong at `at`; running out of memory is no matter of the place. */
int batch_fail_at(batch_reader *r, mark at, const deja_error *problem);

/* A value of a matrix: any scalar. */
int batch_read_value(batch_reader *r, const yaml_node *n, const char **ret);

/* 1 when that value has the type that it would have without quotes. */
int batch_is_plain(batch_reader *r, const yaml_node *n);

/* The path of a file; of the output of a job the expression, until batch_resolve_origins. */
int batch_read_origin(batch_reader *r, const yaml_node *n, const char *what, const char **ret,
                      const batch_text **ret_origin);

/* A name with where its values come from. */
int batch_read_axis(batch_reader *r, const yaml_pair *pair, matrix_axis *axis, batch_axis *from);

/* The word csv or ndjson under `pair`: a file, or a map that says more. Names, too, where the file has to
 * tell them. */
int batch_read_table(batch_reader *r, const yaml_pair *pair, batch_table *ret);

/* A list of conditions, or one. `word` is exclude or when. */
int batch_read_conditions(batch_reader *r, const yaml_node *n, const batch_job *job, const char *word,
                          batch_condition **ret, size_t *ret_count);

/* What is asked of the name under `key`, of axis `axis`. */
int batch_read_clause(batch_reader *r, const yaml_pair *pair, size_t axis, batch_clause *ret);

/* The axes have all their values: the rules take effect, and the number of jobs is known. */
int batch_shape(batch *b, batch_job *job, deja_error *err);

#endif
