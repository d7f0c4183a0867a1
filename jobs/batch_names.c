/*
 * Names in expressions, checked: that they differ, that each stands for something, and that it may stand
 * where it does.
 */
#include "batch_names.h"
#include <string.h>

/* What may be used where. */
enum { OWN_AXES = 1, OWN_FILES = 2, NEEDED = 4 };

typedef struct place {
    unsigned allowed;
    int words;           /* an expression that stands alone may be a list */
    int counts;          /* the content of what a path names is in the key */
    const char *refusal; /* said of what is not allowed */
    const char *list;    /* said of a list that cannot stand there */
} place;

static const char list_in_words[] =
    "it must be a word by itself, without quotes or other text, and not of 'test' or '[ ]'";
static const char list_elsewhere[] = "only a single value can stand here";

static const place in_command = {.allowed = OWN_AXES | OWN_FILES | NEEDED, .words = 1, .list = list_in_words};
static const place in_arguments = {.allowed = OWN_AXES | OWN_FILES | NEEDED,
                                   .words = 1,
                                   .list = "it must be a value by itself, without other text"};
static const place in_env = {.allowed = OWN_AXES | OWN_FILES | NEEDED};
static const place in_stdin = {.allowed = OWN_AXES | NEEDED,
                               .counts = 1,
                               .refusal = "stdin cannot use the job's own inputs and outputs"};
static const place in_inputs = {.allowed = OWN_AXES | NEEDED,
                                .words = 1,
                                .counts = 1,
                                .refusal = "an input cannot use the job's own inputs and outputs"};
static const place in_outputs = {
    .allowed = OWN_AXES,
    .refusal = "an output cannot use inputs, outputs or needed jobs, only names of the matrix"};
static const place in_cwd = {.allowed = OWN_AXES, .refusal = "cwd can use only names of the matrix"};

static unsigned group_of(const batch_name *name)
{
    switch (name->kind) {
    case BATCH_NAME_AXIS:
    case BATCH_NAME_VAR:
        return OWN_AXES;
    case BATCH_NAME_NEED_OUTPUT:
    case BATCH_NAME_NEED_OUTPUTS:
        return NEEDED;
    default:
        return OWN_FILES;
    }
}

static int is_input(const batch_job *job, const char *name)
{
    for (size_t i = 0; i < job->input_count; i++) {
        const template_text *t = job->inputs[i].template;
        for (size_t k = 0; k < t->count; k++)
            if (t->parts[k].expr && strcmp(t->parts[k].expr->names[0], name) == 0)
                return 1;
    }
    return 0;
}

/* What a job makes that is needed for its order only is in no key, unless it is an input. */
static int check_counts(const batch_subject *s, const batch_name *name, place in)
{
    const char *needed = s->expr->names[0];
    if (group_of(name) != NEEDED || in.counts || !s->job->cache ||
        !batch_find_need(s->job, name->job)->order_only || is_input(s->job, needed))
        return 0;
    return source_fail(&s->r->b->source, batch_place_of(s), s->r->err,
                       "'%s' is needed for its order only, so what it makes would not count: name it under "
                       "'inputs', too, or leave 'order' out",
                       needed);
}

static int check_expr(const batch_subject *s, place in, int list_allowed)
{
    batch_name name;
    if (batch_name_of(s->r->b, s->job, s->expr, &name))
        return batch_explain(s, &name);
    if (!(group_of(&name) & in.allowed))
        return source_fail(&s->r->b->source, batch_place_of(s), s->r->err, "%s", in.refusal);
    if (name.listed && in.counts)
        return source_fail(
            &s->r->b->source, batch_place_of(s), s->r->err,
            "this is a file that is written when the job starts: it can stand in 'run', 'with' "
            "and 'env' only");
    if (name.is_list && !list_allowed)
        return source_fail(&s->r->b->source, batch_place_of(s), s->r->err, "this is a list: %s",
                           in.list ? in.list : list_elsewhere);
    return check_counts(s, &name, in);
}

/* All expressions of a text. `shell`: their places in it, or NULL. */
static int check_text(batch_reader *r, const batch_job *job, const batch_text *t, place in,
                      const shell_text *shell)
{
    for (size_t i = 0; i < t->template->count; i++) {
        const template_part *part = &t->template->parts[i];
        if (!part->expr || (shell && shell->places[i] == SHELL_COMMENT))
            continue;
        batch_subject s = {.r = r, .job = job, .expr = part->expr, .text = t};
        int alone = shell ? shell->places[i] == SHELL_WORD : template_only(t->template) != NULL;
        int code = check_expr(&s, in, in.words && alone);
        if (code)
            return code;
    }
    return 0;
}

/* Those of files are checked as inputs. */
static int check_value(batch_reader *r, const batch_job *job, const batch_value *v)
{
    if (v->kind == BATCH_VALUE_TEXT)
        return check_text(r, job, &v->text, in_arguments, NULL);
    int code = 0;
    for (size_t i = 0; i < v->count && !code; i++)
        code = check_value(r, job, &v->items[i]);
    return code;
}

static int taken(batch_reader *r, mark at, const char *name, const char *by, mark other)
{
    char word[SOURCE_WORD], where[SOURCE_PLACE];
    return source_fail(
        &r->b->source, at, r->err, "'%s' already names %s, %s: names in expressions must differ",
        source_word(word, name, strlen(name)), by, source_place(where, &r->b->source, other, at));
}

/* A name of the job that a job or a variable has, too. */
static int check_free(batch_reader *r, const char *name, mark at)
{
    const uint32_t *number = name_table_get(r->b->names, name, strlen(name));
    const batch_var *var = batch_find_var(r->b, name);
    if (number)
        return taken(r, at, name, "a job", r->b->jobs[*number].at);
    return var ? taken(r, at, name, "a variable", var->at) : 0;
}

static int check_differ(batch_reader *r, const batch_job *job)
{
    int code = 0;
    for (size_t i = 0; i < job->matrix->count && !code; i++)
        code = check_free(r, job->matrix->axes[i].name, job->axes[i].at);
    for (size_t i = 0; i < job->output_count && !code; i++) {
        const batch_output *o = &job->outputs[i];
        size_t axis;
        if (*o->name)
            code = check_free(r, o->name, o->at);
        if (!code && *o->name && batch_find_axis(job, o->name, &axis))
            code = taken(r, o->at, o->name, "a value of the matrix", job->axes[axis].at);
    }
    const batch_var *var = batch_find_var(r->b, job->name);
    return code || !var ? code : taken(r, job->at, job->name, "a variable", var->at);
}

int batch_check_names(batch_reader *r, const batch_job *job)
{
    int code = check_differ(r, job);
    for (size_t i = 0; i < job->word_count && !code; i++)
        code = check_text(r, job, &job->words[i], in_command, job->text);
    for (size_t i = 0; i < job->input_count && !code; i++)
        code = check_text(r, job, &job->inputs[i], in_inputs, NULL);
    for (size_t i = 0; i < job->output_count && !code; i++)
        code = check_text(r, job, &job->outputs[i].path, in_outputs, NULL);
    for (size_t i = 0; i < job->env_count && !code; i++)
        if (job->env[i].set)
            code = check_text(r, job, &job->env[i].value, in_env, NULL);
    if (!code)
        code = check_value(r, job, &job->with);
    if (!code && job->stdin_path)
        code = check_text(r, job, job->stdin_path, in_stdin, NULL);
    if (!code && job->cwd)
        code = check_text(r, job, job->cwd, in_cwd, NULL);
    return code;
}
