/* Needs by instance, see batch_join.h. */
#include "batch_join.h"
#include <deja/cleanup.h>
#include <string.h>

static void add_values(deja_buffer *b, const matrix *reader, const matrix *needed, uint32_t index)
{
    uint32_t indices[BATCH_MOST_AXES];
    const char *between = "";
    matrix_indices(reader, index, indices);
    for (size_t i = 0; i < reader->count; i++) {
        if (!matrix_axis_of(needed, reader->axes[i].name))
            continue;
        deja_buffer_addf(b, "%s%s=", between, reader->axes[i].name);
        matrix_value(&reader->axes[i], indices[i], b);
        between = ",";
    }
}

static int fail_missing(const batch *b, const batch_job *def, const batch_need *need, uint32_t index,
                        deja_error *err)
{
    const batch_job *needed = &b->jobs[need->job];
    DEJA_AUTO_BUFFER deja_buffer values = {0};
    add_values(&values, def->matrix, needed->matrix, index);
    return source_fail(&b->source, need->at, err,
                       "there is no '%s[%s]' for '%s' to need: 'needs: {%s: all}' takes all of '%s'",
                       needed->name, deja_buffer_string(&values), def->name, needed->name, needed->name);
}

static int join(const batch *b, const batch_job *def, batch_need *need, deja_error *err)
{
    const matrix *needed = b->jobs[need->job].matrix;
    uint32_t missing;
    deja_error problem;
    if (need->joint || need->all || !joint_shares(def->matrix, needed))
        return 0;
    int status = joint_open(&need->joint, def->matrix, needed, &missing, &problem);
    if (status == DEJA_ENOTFOUND)
        return fail_missing(b, def, need, missing, err);
    return status < 0 ? deja_fail(err, status, "%s", problem.text) : 0;
}

int batch_join(const batch *b, batch_job *def, deja_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && def->matrix->count > 0 && i < def->need_count; i++)
        status = join(b, def, &def->needs[i], err);
    return status;
}

int batch_needs_single(const batch *b, const batch_job *def, const batch_need *need)
{
    const matrix *needed = b->jobs[need->job].matrix;
    return needed->count == 0 || (!need->all && joint_shares(def->matrix, needed) == 2);
}

batch_span batch_span_of(const batch *b, const batch_need *need, uint32_t index)
{
    batch_span s = {.joint = need->joint};
    if (s.joint) {
        s.group = joint_of_reader(s.joint, index);
        s.count = joint_maker_count(s.joint, s.group);
    } else if (matrix_count(b->jobs[need->job].matrix, &s.count, NULL) < 0) {
        s.count = 0;
    }
    return s;
}

uint32_t batch_span_at(const batch_span *s, uint32_t i)
{
    return s->joint ? joint_maker(s->joint, s->group, i) : i;
}
