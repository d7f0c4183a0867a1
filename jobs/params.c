/* The parameters of an instance, see params.h. */
#include "params.h"
#include "feed.h"
#include <deja/hash.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_BYTES = 4096 }; /* of a command line that are kept as they are */

/* Into the order of names: there are few. */
static void insert(params *p, const char *name, size_t offset)
{
    size_t at = p->count++;
    for (; at > 0 && strcmp(name, p->items[at - 1].name) < 0; at--)
        p->items[at] = p->items[at - 1];
    p->items[at] = (param){.name = name, .value = (const char *)offset};
}

/* Those of a command line, as one: nobody compares them one by one. Of very long ones a hash does. */
static void take_arguments(params *p, const feed *f, uint32_t index)
{
    const feed_row *row = feed_get(f, index);
    deja_buffer *b = &p->text;
    for (uint32_t i = 0; row && i < row->count; i++) {
        if (i)
            deja_buffer_add_char(b, ' ');
        shell_quote(b, row->values[i], strlen(row->values[i]));
    }
    if (b->len > ARGUMENTS_BYTES) {
        char hex[DEJA_HASH_HEX];
        const deja_hash hash = deja_hash_bytes(b->data, b->len);
        deja_hash_hex(&hash, hex);
        deja_buffer_clear(b);
        deja_buffer_add_string(b, hex);
    }
    p->items[0] = (param){.name = "arguments", .value = deja_buffer_string(b)};
    p->count = !b->failed;
}

void params_of(params *ret, const batch_job *def, uint32_t index)
{
    uint32_t indices[BATCH_MOST_AXES];
    deja_buffer_clear(&ret->text);
    ret->count = 0;
    if (def->feed) {
        take_arguments(ret, def->feed, index);
        return;
    }
    if (!def->matrix || !def->expanded || !def->matrix->count)
        return;
    matrix_indices(def->matrix, index, indices);
    for (size_t i = 0; i < def->matrix->count; i++) {
        const matrix_axis *axis = &def->matrix->axes[i];
        insert(ret, axis->name, ret->text.len); /* the text may move while it grows */
        matrix_value(axis, indices[i], &ret->text);
        deja_buffer_add_char(&ret->text, '\0');
    }
    for (size_t i = 0; i < ret->count; i++)
        ret->items[i].value = ret->text.data + (size_t)ret->items[i].value;
    if (ret->text.failed)
        ret->count = 0;
}

uint64_t params_hash(const params *p)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < p->count; i++) {
        const uint64_t words[3] = {hash, deja_hash64(p->items[i].name, strlen(p->items[i].name)),
                                   deja_hash64(p->items[i].value, strlen(p->items[i].value))};
        hash = deja_hash64(words, sizeof words);
    }
    return hash;
}

static int number(const char *text, double *ret)
{
    char *end;
    if (*text != '-' && *text != '+' && *text != '.' && (*text < '0' || *text > '9'))
        return 0;
    *ret = strtod(text, &end);
    return *end == '\0' && isfinite(*ret);
}

static double value_distance(const char *a, const char *b)
{
    double x, y;
    if (!strcmp(a, b))
        return 0;
    if (!number(a, &x) || !number(b, &y))
        return 1;
    double larger = fabs(x) > fabs(y) ? fabs(x) : fabs(y);
    double apart = larger > 0 ? fabs(x / larger - y / larger) : 0;
    return apart < 1 ? apart : 1;
}

double params_distance(const param *a, size_t a_count, const param *b, size_t b_count)
{
    double sum = 0;
    size_t i = 0, j = 0;
    while (i < a_count || j < b_count) {
        int order = i == a_count ? 1 : j == b_count ? -1 : strcmp(a[i].name, b[j].name);
        if (order == 0)
            sum += value_distance(a[i].value, b[j].value);
        else
            sum += 1;
        i += order <= 0;
        j += order >= 0;
    }
    return sum;
}

void params_done(params *p)
{
    deja_buffer_done(&p->text);
    p->count = 0;
}
