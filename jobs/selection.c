/*
 * Words of the command line as terms: the jobs that each names, and what it asks of their values.
 */
#include "selection.h"
#include "failed.h"
#include "glob_match.h"
#include "value_pattern.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <inttypes.h>
#include <string.h>

#define LISTED 8 /* values of an axis that a message lists */

/* What one parameter has to be. */
typedef struct criterion {
    const char *name;
    size_t axis;
    value_pattern pattern;
} criterion;

/* One word, for one job. */
typedef struct term {
    const char *word;
    const criterion *criteria;
    size_t count;
    int is_named;            /* the job was named, not found by a pattern: some instance has to match */
    const struct term *next; /* of the same job */
} term;

struct selection {
    batch *batch;
    const term **terms;          /* of each job */
    uint8_t *parts;              /* selection_part of each job */
    const struct failed *failed; /* NULL: it does not matter */
    deja_arena arena;
};

/* A word being read. */
typedef struct reader {
    selection *s;
    const char *word;
    char *name; /* of the job, perhaps a pattern */
    criterion *criteria;
    size_t count, cap;
    deja_error *err;
} reader;

static int no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "out of memory");
}

static int is_pattern(const char *name)
{
    return strpbrk(name, "*?") != NULL;
}

/* ---- reading a word ---- */

/* The length up to the next `,` without a backslash. */
static size_t item_length(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] != ',')
        n += text[n] == '\\' && n + 1 < len ? 2 : 1;
    return n;
}

/* The `]` at the end belongs to the word, not to a value: no odd number of backslashes before it. */
static int is_closed(const char *text, size_t len)
{
    size_t back = 0;
    if (len == 0 || text[len - 1] != ']')
        return 0;
    while (back + 1 < len && text[len - 2 - back] == '\\')
        back++;
    return back % 2 == 0;
}

static int add_criterion(reader *r, const char *item, size_t len)
{
    const char *equal = memchr(item, '=', len);
    size_t name = equal ? (size_t)(equal - item) : 0;
    if (!name)
        return deja_fail(r->err, DEJA_EINVAL,
                         "'%s': expected NAME=PATTERN, found '%.*s' (a comma of a value is written '\\,')",
                         r->word, (int)len, item);
    criterion *grown = deja_grow(r->criteria, r->count, &r->cap, sizeof *grown);
    if (!grown)
        return no_memory(r->err);
    r->criteria = grown;
    criterion *c = &grown[r->count];
    c->name = deja_arena_dup(&r->s->arena, item, name);
    if (!c->name || value_pattern_init(&c->pattern, equal + 1, len - name - 1, &r->s->arena))
        return no_memory(r->err);
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(grown[i].name, c->name) == 0)
            return deja_fail(r->err, DEJA_EINVAL, "'%s': '%s' stands twice", r->word, c->name);
    r->count++;
    return 0;
}

static int read_word(reader *r)
{
    size_t name = strcspn(r->word, "["), len = strlen(r->word + name);
    r->name = deja_arena_dup(&r->s->arena, r->word, name);
    if (!r->name)
        return no_memory(r->err);
    if (len == 0)
        return 0;
    const char *item = r->word + name + 1, *end = r->word + name + len - 1;
    if (!is_closed(r->word + name, len))
        return deja_fail(r->err, DEJA_EINVAL, "'%s' does not end with ']': expected JOB[NAME=PATTERN,...]",
                         r->word);
    if (item == end)
        return deja_fail(r->err, DEJA_EINVAL, "'%s': nothing between the brackets, expected NAME=PATTERN",
                         r->word);
    for (;;) {
        size_t n = item_length(item, (size_t)(end - item));
        int code = add_criterion(r, item, n);
        if (code || item + n == end)
            return code;
        item += n + 1;
    }
}

/* ---- against the batch ---- */

static int fail_unknown_job(const reader *r)
{
    const batch *b = r->s->batch;
    if (is_pattern(r->name))
        return deja_fail(r->err, DEJA_EINVAL, "no job of the batch matches '%s'", r->name);
    DEJA_AUTO_FREE const char **names = deja_calloc(b->job_count + 1u, sizeof *names);
    if (!names)
        return no_memory(r->err);
    for (uint32_t i = 0; i < b->job_count; i++)
        names[i] = b->jobs[i].name;
    const char *near = deja_text_nearest(r->name, names, b->job_count);
    if (near)
        return deja_fail(r->err, DEJA_EINVAL, "no job '%s' in the batch, did you mean '%s'?", r->name, near);
    return deja_fail(r->err, DEJA_EINVAL, "no job '%s' in the batch", r->name);
}

static int fail_unknown_parameter(const reader *r, const batch_job *def, const char *name)
{
    const matrix *m = def->matrix;
    if (m->count == 0)
        return deja_fail(r->err, DEJA_EINVAL, "'%s': the job '%s' has no matrix, it is one job", r->word,
                         def->name);
    const char *names[BATCH_MOST_AXES];
    for (size_t i = 0; i < m->count; i++)
        names[i] = m->axes[i].name;
    const char *near = deja_text_nearest(name, names, m->count);
    if (near)
        return deja_fail(r->err, DEJA_EINVAL, "'%s': the job '%s' has no parameter '%s', did you mean '%s'?",
                         r->word, def->name, name, near);
    DEJA_AUTO_BUFFER deja_buffer all = {0};
    for (size_t i = 0; i < m->count; i++)
        deja_buffer_addf(&all, "%s%s", i ? ", " : "", names[i]);
    return deja_fail(r->err, DEJA_EINVAL, "'%s': the job '%s' has no parameter '%s'; it has: %s", r->word,
                     def->name, name, deja_buffer_string(&all));
}

/* The criteria with the axes of this job; NULL, and the name in `*ret_unknown`, when it lacks one. */
static criterion *bind(const reader *r, const batch_job *def, const char **ret_unknown)
{
    criterion *bound = deja_arena_alloc(&r->s->arena, (r->count + 1) * sizeof *bound);
    *ret_unknown = NULL;
    for (size_t i = 0; bound && i < r->count; i++) {
        const matrix_axis *axis = matrix_axis_of(def->matrix, r->criteria[i].name);
        if (!axis) {
            *ret_unknown = r->criteria[i].name;
            return NULL;
        }
        bound[i] = r->criteria[i];
        bound[i].axis = (size_t)(axis - def->matrix->axes);
    }
    return bound;
}

/* 1: the term is taken, 0: the job lacks a parameter, which is in `*ret_unknown`. */
static int add_term(const reader *r, batch_job *def, int is_named, const char **ret_unknown)
{
    selection *s = r->s;
    uint8_t *part = &s->parts[def->number];
    criterion *criteria = bind(r, def, ret_unknown);
    if (*ret_unknown)
        return 0;
    term *t = deja_arena_alloc(&s->arena, sizeof *t);
    if (!criteria || !t)
        return no_memory(r->err);
    *t = (term){.word = r->word,
                .criteria = criteria,
                .count = r->count,
                .is_named = is_named,
                .next = s->terms[def->number]};
    s->terms[def->number] = t;
    if (!r->count)
        *part = SELECTION_ALL;
    else if (*part == SELECTION_NONE)
        *part = SELECTION_SOME;
    int code = r->count && !def->matrix_waits ? batch_expand(s->batch, def, r->err) : 0;
    return code ? code : 1;
}

/* ---- choosing ---- */

static int matches(const batch_job *def, const term *t, const uint32_t *indices)
{
    for (size_t i = 0; i < t->count; i++) {
        const criterion *c = &t->criteria[i];
        if (!value_pattern_matches(&c->pattern, &def->matrix->axes[c->axis], indices[c->axis]))
            return 0;
    }
    return 1;
}

/* 1 when some instance matches. */
static int chooses(const batch_job *def, const term *t)
{
    uint32_t indices[BATCH_MOST_AXES], count = 0;
    if (matrix_count(def->matrix, &count, NULL))
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        matrix_indices(def->matrix, i, indices);
        if (matches(def, t, indices))
            return 1;
    }
    return 0;
}

/* Its values where they are few, else how many there are. */
static void list_values(deja_buffer *b, const matrix_axis *a)
{
    char room[MATRIX_ROOM];
    if (a->count > LISTED) {
        deja_buffer_addf(b, "it has %" PRIu32 " values, from ", a->count);
        deja_buffer_add_string(b, matrix_spell(a, 0, room));
        deja_buffer_add_string(b, " to ");
        deja_buffer_add_string(b, matrix_spell(a, a->count - 1, room));
        return;
    }
    deja_buffer_add_string(b, a->count ? "its values are " : "it has no values");
    for (uint32_t i = 0; i < a->count; i++) {
        deja_buffer_add_string(b, i ? ", " : "");
        deja_buffer_add_string(b, matrix_spell(a, i, room));
    }
}

/* The criterion that no value satisfies is the one to be told of. */
static int fail_nothing(const batch_job *def, const term *t, deja_error *err)
{
    for (size_t i = 0; i < t->count; i++) {
        const criterion *c = &t->criteria[i];
        const matrix_axis *a = &def->matrix->axes[c->axis];
        uint32_t v = 0;
        while (v < a->count && !value_pattern_matches(&c->pattern, a, v))
            v++;
        if (v < a->count)
            continue;
        DEJA_AUTO_BUFFER deja_buffer values = {0};
        list_values(&values, a);
        return deja_fail(err, DEJA_EINVAL, "'%s': no value of '%s' matches '%s'; %s", t->word, c->name,
                         c->pattern.text, deja_buffer_string(&values));
    }
    return deja_fail(err, DEJA_EINVAL, "'%s': no instance of '%s' matches", t->word, def->name);
}

int selection_check(const selection *s, const batch_job *def, deja_error *err)
{
    for (const term *t = s ? s->terms[def->number] : NULL; t; t = t->next)
        if (t->is_named && t->count && def->expanded && !chooses(def, t))
            return fail_nothing(def, t, err);
    return 0;
}

selection_part selection_of(const selection *s, const batch_job *def)
{
    return s ? (selection_part)s->parts[def->number] : SELECTION_ALL;
}

int selection_has(const selection *s, const batch_job *def, uint32_t index)
{
    selection_part part = selection_of(s, def);
    if (part != SELECTION_SOME)
        return part == SELECTION_ALL;
    if (s->failed && !failed_has(s->failed, def, index))
        return 0;
    if (!s->terms[def->number])
        return 1;
    uint32_t indices[BATCH_MOST_AXES];
    matrix_indices(def->matrix, index, indices);
    for (const term *t = s->terms[def->number]; t; t = t->next)
        if (matches(def, t, indices))
            return 1;
    return 0;
}

/* ---- words ---- */

static int take_named(const reader *r)
{
    const batch *b = r->s->batch;
    const batch_job *found = batch_find(b, r->name, strlen(r->name));
    const char *unknown;
    if (!found)
        return fail_unknown_job(r);
    int code = add_term(r, &b->jobs[found->number], 1, &unknown);
    if (code < 0)
        return code;
    return code ? selection_check(r->s, found, r->err) : fail_unknown_parameter(r, found, unknown);
}

/* Of jobs whose names match, those that have the parameters; some instance of one must match, or not be known
 * yet. */
static int take_pattern(const reader *r)
{
    batch *b = r->s->batch;
    const batch_job *lacking = NULL;
    const char *unknown, *lacked = NULL;
    int taken = 0, chosen = 0;
    for (uint32_t i = 0; i < b->job_count; i++) {
        batch_job *def = &b->jobs[i];
        if (!glob_match_text(r->name, strlen(r->name), def->name, strlen(def->name)))
            continue;
        int code = add_term(r, def, 0, &unknown);
        if (code < 0)
            return code;
        taken |= code;
        if (code)
            chosen |= !r->count || !def->expanded || chooses(def, r->s->terms[i]);
        else if (!lacking) {
            lacking = def;
            lacked = unknown;
        }
    }
    if (taken && !chosen)
        return deja_fail(r->err, DEJA_EINVAL, "'%s': no instance of these jobs matches", r->word);
    if (!taken)
        return lacking ? fail_unknown_parameter(r, lacking, lacked) : fail_unknown_job(r);
    return 0;
}

static int take_word(selection *s, const char *word, deja_error *err)
{
    reader r = {.s = s, .word = word, .err = err};
    int code = read_word(&r);
    if (!code)
        code = is_pattern(r.name) ? take_pattern(&r) : take_named(&r);
    deja_free(r.criteria);
    return code;
}

static int make(selection **ret, batch *b, deja_error *err)
{
    selection *s = deja_calloc(1, sizeof *s);
    if (!s)
        return no_memory(err);
    *ret = s;
    s->batch = b;
    s->terms = deja_calloc(b->job_count + 1u, sizeof(term *));
    s->parts = deja_calloc(b->job_count + 1u, 1);
    return s->terms && s->parts ? 0 : no_memory(err);
}

/* Values that failed may be gone from the batch since: then what the job needs is not wanted either. */
static int keeps_some(const selection *s, const batch_job *def)
{
    uint32_t count = 0;
    if (!failed_count(s->failed, def))
        return 0;
    if (!def->expanded || matrix_count(def->matrix, &count, NULL))
        return 1;
    uint32_t i = 0;
    while (i < count && !selection_has(s, def, i))
        i++;
    return i < count;
}

int selection_keep_failed(selection **ret, batch *b, const struct failed *f, deja_error *err)
{
    selection *s = *ret;
    int code = 0;
    if (!s && (code = make(ret, b, err)) == 0) {
        s = *ret;
        memset(s->parts, SELECTION_ALL, b->job_count);
    }
    if (code)
        return code;
    s->failed = f;
    for (uint32_t i = 0; i < b->job_count && !code; i++) {
        batch_job *def = &b->jobs[i];
        if (s->parts[i] != SELECTION_NONE && failed_count(f, def) && !def->matrix_waits)
            code = batch_expand(b, def, err);
        s->parts[i] = s->parts[i] == SELECTION_NONE ? SELECTION_NONE : SELECTION_SOME;
        if (!code && s->parts[i] && !keeps_some(s, def))
            s->parts[i] = SELECTION_NONE;
    }
    return code;
}

int selection_open(selection **ret, batch *b, const char *const *words, size_t count, deja_error *err)
{
    *ret = NULL;
    if (!count)
        return 0;
    selection *s = NULL;
    int code = make(&s, b, err);
    for (size_t i = 0; i < count && !code; i++)
        code = take_word(s, words[i], err);
    if (code) {
        selection_close(s);
        return code;
    }
    *ret = s;
    return 0;
}

void selection_close(selection *s)
{
    if (!s)
        return;
    deja_free(s->terms);
    deja_free(s->parts);
    deja_arena_done(&s->arena);
    deja_free(s);
}
