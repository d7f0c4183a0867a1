/*
 * What the names of an expression stand for.
 */
#include "batch_join.h"
#include "batch_names.h"
#include <string.h>

int batch_find_axis(const batch_job *job, const char *name, size_t *ret)
{
    for (size_t i = 0; i < job->matrix->count; i++) {
        *ret = i;
        if (strcmp(job->matrix->axes[i].name, name) == 0)
            return 1;
    }
    return 0;
}

int batch_find_output(const batch_job *job, const char *name, size_t *ret)
{
    for (size_t i = 0; i < job->output_count; i++) {
        *ret = i;
        if (strcmp(job->outputs[i].name, name) == 0)
            return 1;
    }
    return 0;
}

const batch_need *batch_find_need(const batch_job *job, uint32_t number)
{
    for (size_t i = 0; i < job->need_count; i++)
        if (job->needs[i].job == number)
            return &job->needs[i];
    return NULL;
}

int batch_is_attribute(const char *name)
{
    for (size_t i = 0; template_attributes[i]; i++)
        if (strcmp(template_attributes[i], name) == 0)
            return 1;
    return 0;
}

/* JOB.outputs.list and JOB.outputs.NAME.list0 are files, whatever they would list. */
static int resolve_list(const template_expr *e, batch_name *ret)
{
    const char *word = ret->attributes < e->count ? e->names[ret->attributes] : "";
    ret->listed = strcmp(word, "list") == 0 ? '\n' : strcmp(word, "list0") == 0 ? '0' : 0;
    ret->is_list &= !ret->listed;
    ret->attributes += ret->listed != 0;
    return 0;
}

/* JOB.outputs and JOB.outputs.NAME. */
static int name_of_need(const batch *b, const batch_job *job, const template_expr *e, batch_name *ret)
{
    const uint32_t *number = name_table_get(b->names, e->names[0], strlen(e->names[0]));
    const batch_need *need = number ? batch_find_need(job, *number) : NULL;
    if (!need || e->count < 2 || strcmp(e->names[1], "outputs") != 0)
        return DEJA_ENOTFOUND;
    const batch_job *needed = &b->jobs[*number];
    *ret = (batch_name){.kind = BATCH_NAME_NEED_OUTPUTS, .job = *number, .is_list = 1, .attributes = 2};
    if (e->count == 2)
        return 0;
    if (!batch_find_output(needed, e->names[2], &ret->index) && resolve_list(e, ret) == 0 && ret->listed)
        return 0;
    ret->kind = BATCH_NAME_NEED_OUTPUT;
    ret->is_list = !batch_needs_single(b, job, need);
    ret->attributes = 3;
    return batch_find_output(needed, e->names[2], &ret->index) ? resolve_list(e, ret) : DEJA_ENOTFOUND;
}

int batch_first_name(const batch *b, const batch_job *job, const template_expr *e, batch_name *ret)
{
    *ret = (batch_name){.attributes = 1};
    if (batch_find_axis(job, e->names[0], &ret->index)) {
        ret->kind = BATCH_NAME_AXIS;
        return 0;
    }
    const batch_var *var = batch_find_var(b, e->names[0]);
    if (var) {
        ret->kind = BATCH_NAME_VAR;
        ret->index = (size_t)(var - b->vars);
        return 0;
    }
    if (batch_find_output(job, e->names[0], &ret->index)) {
        ret->kind = BATCH_NAME_OUTPUT;
        return 0;
    }
    int inputs = strcmp(e->names[0], "inputs") == 0;
    if (inputs || strcmp(e->names[0], "outputs") == 0) {
        ret->kind = inputs ? BATCH_NAME_INPUTS : BATCH_NAME_OUTPUTS;
        ret->is_list = 1;
        return 0;
    }
    return name_of_need(b, job, e, ret);
}

int batch_name_of(const batch *b, const batch_job *job, const template_expr *e, batch_name *ret)
{
    int code = batch_first_name(b, job, e, ret);
    if (code)
        return code;
    if (ret->is_list && ret->attributes < e->count)
        return DEJA_ENOTFOUND;
    for (size_t i = ret->attributes; i < e->count; i++)
        if (!batch_is_attribute(e->names[i]))
            return DEJA_ENOTFOUND;
    return 0;
}
