/* The parameters of an instance, see param_pairs.h. */
#include "param_pairs.h"
#include "feed.h"
#include <string.h>

static void add_arguments(deja_buffer *b, const feed *f, uint32_t index)
{
    const feed_row *row = feed_get(f, index);
    for (uint32_t i = 0; row && i < row->count; i++) {
        feed_argument_name(f, i, b);
        deja_buffer_add_char(b, '\0');
        deja_buffer_add(b, row->values[i], strlen(row->values[i]) + 1);
    }
}

void param_pairs_add(deja_buffer *b, const batch_job *def, uint32_t index)
{
    uint32_t indices[BATCH_MOST_AXES];
    if (def->feed) {
        add_arguments(b, def->feed, index);
        return;
    }
    if (!def->matrix || !def->expanded || !def->matrix->count)
        return;
    matrix_indices(def->matrix, index, indices);
    for (size_t i = 0; i < def->matrix->count; i++) {
        const matrix_axis *axis = &def->matrix->axes[i];
        deja_buffer_add(b, axis->name, strlen(axis->name) + 1);
        matrix_value(axis, indices[i], b);
        deja_buffer_add_char(b, '\0');
    }
}

int param_pairs_next(const char *text, size_t len, size_t *at, const char **ret_name, const char **ret_value)
{
    if (*at >= len)
        return 0;
    *ret_name = text + *at;
    *at += strlen(*ret_name) + 1;
    *ret_value = text + *at;
    *at += strlen(*ret_value) + 1;
    return 1;
}
