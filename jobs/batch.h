#ifndef BATCH_H
#define BATCH_H
/*
 * A batch: what a batch file says, checked, with every text parsed. Jobs are definitions; a definition with a
 * matrix stands for many instances, which are numbers (job.h makes an instance out of one). The words of the
 * file are described in BATCH.md.
 */
#include "matrix.h"
#include "shell.h"
#include "source.h"
#include "template.h"
#include <deja/memory.h>
#include <deja/value.h>

/* A text with expressions, and where it stands for messages. */
typedef struct batch_text {
    const template_text *template;
    mark at;
} batch_text;

/* Names of one matrix at most. */
#define BATCH_MOST_AXES MATRIX_DIMS

typedef enum batch_run { BATCH_SHELL_TEXT, BATCH_ARGV, BATCH_CALL } batch_run;

typedef enum batch_value_kind {
    BATCH_VALUE,      /* what it is, is known: a number, a truth value, null */
    BATCH_VALUE_TEXT, /* with expressions; one that stands alone has the type of its value */
    BATCH_VALUE_FILE, /* a path with expressions: means the content of that file */
    BATCH_VALUE_LIST,
    BATCH_VALUE_MAP,
} batch_value_kind;

/* A value among the arguments of a call, before it is rendered. */
typedef struct batch_value {
    batch_value_kind kind;
    deja_value value;          /* BATCH_VALUE */
    batch_text text;           /* TEXT, FILE */
    struct batch_value *items; /* LIST, MAP */
    const char **names;        /* MAP: of each item */
    size_t count;
} batch_value;

typedef struct batch_output {
    const char *name; /* "" where outputs are a list */
    mark at;          /* of the name, of the path where there is none */
    batch_text path;
} batch_output;

typedef struct batch_env {
    const char *name;
    int set;    /* 1: `value` is set for the job; 0: taken from outside */
    int secret; /* only a hash of its value is ever stored */
    batch_text value;
} batch_env;

typedef struct batch_need {
    uint32_t job;   /* index into batch.jobs */
    int order_only; /* what it leaves is not in the key */
    int all;        /* all of its instances, whatever names are shared */
    mark at;
    struct joint *joint; /* private, see batch_join.h */
} batch_need;

/* How a failed job is tried again. */
typedef struct batch_retries {
    unsigned times;   /* after the first attempt */
    int64_t delay_ns; /* before the second attempt, multiplied by `backoff` before each further one ... */
    double backoff;
    int64_t most_ns; /* ... up to this */
    double jitter;   /* that part of the delay comes and goes by chance */
} batch_retries;

/* What is not said of them. */
#define BATCH_RETRIES ((batch_retries){.backoff = 2, .most_ns = INT64_C(60) * 1000000000, .jitter = 0.1})

/* So much of what jobs share: what there is, or what a job asks for. */
typedef struct batch_amount {
    const char *name;
    uint64_t amount;
    mark at;
} batch_amount;

typedef struct batch_job {
    const char *name;
    uint32_t number; /* index into batch.jobs; file order */
    mark at;
    batch_run run;
    batch_text *words; /* BATCH_ARGV: argv; BATCH_SHELL_TEXT: one, the text */
    size_t word_count;
    const char *library, *symbol; /* BATCH_CALL: path as it is written, and the function in it */
    mark call_at;
    batch_value with;       /* BATCH_CALL: a map, in the order in which the function gets it */
    const shell_text *text; /* BATCH_SHELL_TEXT: the text analysed for its shell (places of expressions) */
    const char *const
        *shell;     /* argv in front of the text, NULL-terminated: bash -euo pipefail -c. NULL for an argv */
    int is_direct;  /* BATCH_SHELL_TEXT: plain words may be executed without that shell */
    matrix *matrix; /* never NULL; without axes it has one instance */
    struct batch_axis *axes;   /* private: where the values of each axis of the matrix come from */
    mark matrix_at;            /* of the map of its names */
    struct batch_rules *rules; /* private: what makes its matrix more than a product; NULL: nothing */
    int matrix_reads;          /* some axis reads a glob or a file: its values are known after batch_expand */
    int matrix_waits;          /* it reads what needed jobs may make: to be expanded when these are done */
    int expanded;              /* the matrix has all its values */
    batch_text *inputs;        /* paths, patterns, folders (trailing slash), see glob.h */
    size_t input_count;
    batch_output *outputs; /* literal paths, never patterns */
    size_t output_count;
    int depfile; /* the last output is one: it lists what else the job read, and is in no list of outputs */
    batch_env *env; /* one of each name, secret names included */
    size_t env_count;
    int clean_env;
    const batch_text *cwd;        /* NULL: the batch's folder */
    const batch_text *stdin_path; /* NULL: /dev/null */
    batch_need *needs;
    size_t need_count;
    int needed;           /* some job has it in its key */
    const char *version;  /* NULL without */
    const char *scope;    /* NULL without */
    const int *ok_status; /* exit statuses that are success */
    size_t ok_count;
    const batch_retries *retries;  /* NULL: not said */
    int64_t timeout_ns;            /* 0: not said; INT64_MAX: none */
    uint64_t memory_bytes;         /* that it needs, and may have; 0: not said */
    unsigned cpus;                 /* of the slots, while it runs; 0: not said, 1 */
    const batch_amount *resources; /* what it asks for, each name once */
    size_t resource_count;
    unsigned limit;  /* instances that run at once; 0: any number */
    int64_t rate_ns; /* from one start of an instance to the next; 0: any */
    int nice_said;
    unsigned nice;     /* of it */
    int allow_failure; /* its failure is none of the run */
    int cache;         /* 0: runs every time */
    int keep_record;   /* keep: record */
    int keep_failed;   /* outputs of a failed job stay */
    struct feed *feed; /* its instances come from there during the run; NULL: from the matrix */
} batch_job;

/* A value that the whole batch shares. */
typedef struct batch_var {
    const char *name, *text;
    int plain; /* it has the type that it would have without quotes */
    mark at;
} batch_var;

typedef struct batch {
    source source;      /* empty for a batch made by a program */
    const char *folder; /* absolute, normalised: where relative paths begin */
    int folder_fd;      /* O_PATH */
    batch_job *jobs;
    uint32_t job_count;
    const batch_var *vars;
    size_t var_count;
    const batch_amount *resources; /* that there are */
    size_t resource_count;
    int absolute_keys;           /* deja exec: the absolute working directory is in the key */
    const char *const *warnings; /* each like the text of an error, with "warning:" in it */
    size_t warning_count;
    struct name_table *names; /* private: jobs by name */
    const source **others;    /* private: included files */
    size_t other_count;
    char *text; /* private: owns source.text */
    deja_arena arena;
} batch;

/*
 * Loads and checks `path` (relative to the working directory; "-" is standard input, then relative paths
 * begin in the working directory). Checked here: all words and types, templates and the names in them, needs
 * and cycles (named link by link), places of expressions in shell texts. Not read: files named in it. Errors:
 * source_fail texts; DEJA_ENOTFOUND and others for the file itself, saying what to do.
 */
int batch_load(batch **ret, const char *path, deja_error *err);

/* What variables of a batch are set to from outside. Borrowed. */
typedef struct batch_settings {
    const char *const *sets; /* NAME=VALUE; the last of a name counts, an unknown name is an error */
    size_t set_count;
    const char *const *environment; /* NAME=VALUE, ended by NULL; NULL: empty */
} batch_settings;

/* The same with settings (NULL: none). */
int batch_load_with(batch **ret, const char *path, const batch_settings *settings, deja_error *err);

/* The same for a text in memory (copied), called `path` in messages, whose relative paths begin in `folder`
 * (absolute). */
int batch_load_text(batch **ret, const char *path, const char *text, size_t len, const char *folder,
                    deja_error *err);

/* A batch of one job without file: `argv` runs in `folder`; inputs, outputs, env as given (NULL-terminated
 * lists, may be NULL). With a feed the job has an instance for each of its rows; then replacement strings
 * (replacement.h) stand in words, inputs and outputs, and where none stands in the command the arguments
 * follow it. */
typedef struct batch_command {
    const char *const *argv;
    const char *const *inputs; /* relative to `folder`; names, not patterns; a trailing slash is a folder */
    const char *const *outputs;
    const char *const *env; /* names of variables */
    const char *stdin_path;
    const char *version, *scope;
    int anywhere;      /* leave the working directory out of the key */
    struct feed *feed; /* borrowed, NULL: a single instance; what follows goes with a feed only */
    const struct replacement_syntax *syntax;
    int is_shell; /* argv is one word, a text for the shell */
    int no_cache; /* it runs every time */
} batch_command;

/* `folder` is absolute and normalised. The job is called by the last component of argv[0]. Nothing is
 * expanded in any text. */
int batch_from_command(batch **ret, const char *folder, const batch_command *command, deja_error *err);

/* NULL is fine. */
void batch_free(batch *b);

/* The variable of this name, or NULL. */
const batch_var *batch_find_var(const batch *b, const char *name);

/* How many of its outputs are for others: all but the depfile. */
static inline size_t batch_listed_outputs(const batch_job *job)
{
    return job->output_count - (size_t)job->depfile;
}

/* The job of this name, or NULL. */
const batch_job *batch_find(const batch *b, const char *name, size_t len);

/*
 * Reads the globs and files of a job's matrix, once. Afterwards matrix_count() is known. A matrix without
 * values is an error unless it says allow-empty; a missing file names it with its place.
 */
int batch_expand(batch *b, batch_job *job, deja_error *err);

/* What an expression of a job stands for. */
typedef enum batch_name_kind {
    BATCH_NAME_AXIS,         /* ${{ n }}: a value of axis `index` of the job's matrix */
    BATCH_NAME_VAR,          /* ${{ x }}: variable `index` of the batch */
    BATCH_NAME_OUTPUT,       /* ${{ out }}: its output `index` */
    BATCH_NAME_OUTPUTS,      /* ${{ outputs }}: list */
    BATCH_NAME_INPUTS,       /* ${{ inputs }}: list */
    BATCH_NAME_NEED_OUTPUTS, /* ${{ count.outputs }}: all outputs of the instances of `job` that it needs:
                                list */
    BATCH_NAME_NEED_OUTPUT,  /* ${{ count.outputs.out }}: output `index` of each of these: list, unless it
                                needs  a single one */
} batch_name_kind;

typedef struct batch_name {
    batch_name_kind kind;
    size_t index;
    uint32_t job; /* of NEED_*: index into batch.jobs */
    int is_list;
    int listed; /* of NEED_*: not the list, but a file that holds it (`.list`: '\n', `.list0`: '0'); else 0 */
    size_t attributes; /* names of the expression from this one on are attributes of a path (only where it is
                          no list) */
} batch_name;

/* 0, or DEJA_ENOTFOUND for a name that means nothing in `job` (batch_load let none through, save in shell
 * comments). */
int batch_name_of(const batch *b, const batch_job *job, const template_expr *e, batch_name *ret);

/* 1 when `name` is one of secrets' names: *TOKEN*, *SECRET*, *PASSWORD*, *KEY*, any case. */
int batch_secret_name(const char *name);

#endif
