/*
 * What to say of an expression that means nothing: the nearest name, or what its writer is likely to have had
 * in mind.
 */
#include "batch_names.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

/* Fails at the expression with a text that names `word` (cut), and perhaps the nearest of `words`. */
static int fail_near(const batch_subject *s, const char *format, const char *word, const char *const *words,
                     size_t count)
{
    char cut[SOURCE_WORD], hint[READ_HINT];
    read_hint(hint, word, words, count);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_addf(&b, "%s '%s'%s", format, source_word(cut, word, strlen(word)), hint);
    return source_fail(&s->r->b->source, batch_place_of(s), s->r->err, "%s", deja_buffer_string(&b));
}

static int fail_attribute(const batch_subject *s, const batch_name *name)
{
    size_t i = name->attributes, count = 0;
    while (template_attributes[count])
        count++;
    char cut[SOURCE_WORD];
    const char *word = s->expr->names[i];
    if (name->is_list && name->attributes >= 2)
        return source_fail(&s->r->b->source, batch_place_of(s), s->r->err,
                           "'%s' is a list: it has no '.%s', only .list and .list0, files that hold it",
                           s->expr->names[i - 1], source_word(cut, word, strlen(word)));
    if (name->is_list)
        return source_fail(&s->r->b->source, batch_place_of(s), s->r->err, "'%s' is a list: it has no '.%s'",
                           name->kind == BATCH_NAME_INPUTS ? "inputs" : s->expr->names[i - 1],
                           source_word(cut, word, strlen(word)));
    while (i + 1 < s->expr->count && batch_is_attribute(s->expr->names[i]))
        i++;
    word = s->expr->names[i];
    if (deja_text_nearest(word, template_attributes, count))
        return fail_near(s, "unknown attribute", word, template_attributes, count);
    return source_fail(&s->r->b->source, batch_place_of(s), s->r->err,
                       "unknown attribute '.%s': a path has .name, .stem, .ext and .dir",
                       source_word(cut, word, strlen(word)));
}

/* Fails for JOB.something of a job that is needed. */
static int fail_need(const batch_subject *s, const batch_job *needed)
{
    const template_expr *e = s->expr;
    size_t index;
    const source *src = &s->r->b->source;
    if (e->count > 2 && strcmp(e->names[1], "outputs") == 0) {
        const char **names = deja_calloc(needed->output_count + 1, sizeof *names);
        if (!names)
            return read_no_memory(s->r);
        for (size_t i = 0; i < needed->output_count; i++)
            names[i] = needed->outputs[i].name;
        int named = needed->output_count && *names[0];
        int code = named ? fail_near(s, "this job has no output", e->names[2], names, needed->output_count)
                         : source_fail(src, batch_place_of(s), s->r->err,
                                       "the outputs of '%s' have no names: write them as a map, {name: path}",
                                       needed->name);
        deja_free(names);
        return code;
    }
    if (e->count > 1 && batch_find_output(needed, e->names[1], &index))
        return source_fail(src, batch_place_of(s), s->r->err,
                           "unknown name '%s.%s', did you mean '%s.outputs.%s'?", e->names[0], e->names[1],
                           e->names[0], e->names[1]);
    return source_fail(src, batch_place_of(s), s->r->err, "expected '%s.outputs' or '%s.outputs.NAME'",
                       needed->name, needed->name);
}

#define SHOWN_NAMES 12 /* of those that could have been meant */

/* An unknown name that is near no known one: shows which there are. */
static int fail_far(const batch_subject *s, const char *const *names, size_t count)
{
    char word[SOURCE_WORD];
    const batch_job *job = s->job;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (size_t i = 0; i < count && i < SHOWN_NAMES; i++)
        deja_buffer_addf(&b, "%s%s", i ? ", " : "", names[i]);
    deja_buffer_add_string(&b, count > SHOWN_NAMES ? ", ..." : "");
    if (job->output_count && !*job->outputs[0].name)
        deja_buffer_add_string(&b, " (an output has a name when 'outputs' is a map, {name: path})");
    return source_fail(&s->r->b->source, batch_place_of(s), s->r->err, "unknown name '%s'; known here: %s",
                       source_word(word, s->expr->names[0], strlen(s->expr->names[0])),
                       deja_buffer_string(&b));
}

/* All names that an expression of this job can begin with. */
static int fail_unknown(const batch_subject *s)
{
    const batch_job *job = s->job;
    size_t n = 0;
    const char **names = deja_calloc(
        job->matrix->count + job->output_count + job->need_count + s->r->b->var_count + 2, sizeof *names);
    if (!names)
        return read_no_memory(s->r);
    for (size_t i = 0; i < job->matrix->count; i++)
        names[n++] = job->matrix->axes[i].name;
    for (size_t i = 0; i < job->output_count && *job->outputs[i].name; i++)
        names[n++] = job->outputs[i].name;
    for (size_t i = 0; i < job->need_count; i++)
        names[n++] = s->r->b->jobs[job->needs[i].job].name;
    for (size_t i = 0; i < s->r->b->var_count; i++)
        names[n++] = s->r->b->vars[i].name;
    names[n++] = "inputs";
    names[n++] = "outputs";
    int code = deja_text_nearest(s->expr->names[0], names, n)
                   ? fail_near(s, "unknown name", s->expr->names[0], names, n)
                   : fail_far(s, names, n);
    deja_free(names);
    return code;
}

/* Says why an expression means nothing. */
int batch_explain(const batch_subject *s, const batch_name *name)
{
    const template_expr *e = s->expr;
    const batch *b = s->r->b;
    size_t index;
    batch_name first;
    if (batch_first_name(b, s->job, e, &first) == 0)
        return fail_attribute(s, name);
    const uint32_t *number = name_table_get(b->names, e->names[0], strlen(e->names[0]));
    if (number && *number != s->job->number && !batch_find_need(s->job, *number))
        return source_fail(&b->source, batch_place_of(s), s->r->err,
                           "the job '%s' must be among the 'needs' of '%s' to be used here", e->names[0],
                           s->job->name);
    if (number && *number != s->job->number)
        return fail_need(s, &b->jobs[*number]);
    if (strcmp(e->names[0], "matrix") == 0 && e->count > 1 && batch_find_axis(s->job, e->names[1], &index))
        return source_fail(&b->source, batch_place_of(s), s->r->err,
                           "unknown name 'matrix': a value of the matrix is just ${{ %s }}", e->names[1]);
    if (strcmp(e->names[0], "needs") == 0 && e->count > 1 &&
        name_table_get(b->names, e->names[1], strlen(e->names[1])))
        return source_fail(&b->source, batch_place_of(s), s->r->err,
                           "unknown name 'needs': the outputs of a job are ${{ %s.outputs }}", e->names[1]);
    if (strcmp(e->names[0], "env") == 0 && e->count > 1)
        return source_fail(&b->source, batch_place_of(s), s->r->err,
                           "unknown name 'env': in shell text a variable is just $%s", e->names[1]);
    return fail_unknown(s);
}

mark batch_place_of(const batch_subject *s)
{
    return source_mark_in(&s->r->b->source, s->text->at, s->text->template->source, s->expr->offset);
}
