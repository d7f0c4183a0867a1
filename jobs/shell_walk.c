/*
 * One step of the walk, and the whole of it.
 */
#include "walk.h"

/* A frame of words: everything but quotes and expansions. */
static void step_words(walk *w)
{
    walk_frame *f = walk_top(w);
    char c = w->flat[w->i];
    if (walk_is_value(w, w->i)) {
        walk_bare_value(w);
    } else if (walk_one_of(c, " \t\n;&|<>)") && f->in_word) {
        walk_end_word(w);
    } else if (c == ' ' || c == '\t') {
        w->i++;
    } else if (c == '\n') {
        walk_newline(w);
    } else if (walk_one_of(c, ";&|<>()")) {
        walk_operator(w);
    } else if (c == '\\') {
        walk_backslash(w);
    } else if (c == '\'') {
        walk_single_quotes(w);
    } else if (c == '"') {
        walk_word_piece(w, 0);
        walk_push(w, WALK_DOUBLE);
        w->i++;
    } else if (c == '`') {
        walk_backticks(w);
    } else if (c == '$') {
        walk_dollar(w, 0);
    } else if (c == '#' && !f->in_word) {
        walk_comment(w);
    } else {
        walk_word_piece(w, 1);
        w->i++;
    }
}

static void step(walk *w)
{
    switch (walk_top(w)->kind) {
    case WALK_DOUBLE:
        walk_step_double(w);
        break;
    case WALK_BRACE:
        walk_step_brace(w);
        break;
    case WALK_ARITH:
        walk_step_arith(w);
        break;
    default:
        step_words(w);
    }
}

/* Fills w->flat, w->at and w->part. */
static void flatten(walk *w)
{
    const template_text *t = w->text;
    for (size_t k = 0; k < t->count; k++) {
        const template_part *part = &t->parts[k];
        if (part->expr) {
            w->at[w->count] = w->len;
            w->part[w->count++] = k;
            w->flat[w->len++] = WALK_VALUE;
        } else {
            memcpy(w->flat + w->len, t->source + part->offset, part->len);
            w->len += part->len;
        }
    }
    w->flat[w->len] = 0;
}

static void release(walk *w)
{
    deja_free(w->flat);
    deja_free(w->at);
    deja_free(w->part);
}

static int init(walk *w, const template_text *t)
{
    w->text = t;
    w->flat = deja_realloc(NULL, t->len + 1);
    w->at = deja_calloc(t->expr_count + 1, sizeof *w->at);
    w->part = deja_calloc(t->expr_count + 1, sizeof *w->part);
    if (!w->flat || !w->at || !w->part)
        return DEJA_ENOMEM;
    flatten(w);
    return 0;
}

int shell_walk(const template_text *t, shell_family family, unsigned char *places, int *ret_pipe,
               size_t *ret_offset, deja_error *err)
{
    *ret_pipe = 0;
    walk w = {.family = family, .places = places, .ret_pipe = ret_pipe, .err = err};
    if (init(&w, t)) {
        release(&w);
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    }
    walk_push(&w, WALK_TOP);
    while (!w.done && w.i < w.len)
        step(&w);
    if (!w.done && walk_top(&w)->in_word)
        walk_end_word(&w);
    if (!w.done)
        walk_refuse_open(&w);
    if (w.code && ret_offset)
        *ret_offset = w.fault;
    release(&w);
    return w.code;
}
