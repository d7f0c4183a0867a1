/*
 * The stack of frames, the word at hand, and the two ways to end a walk.
 */
#include "walk.h"
#include <string.h>

int walk_is_value(const walk *w, size_t at)
{
    for (size_t k = w->next; k < w->count && w->at[k] <= at; k++)
        if (w->at[k] == at)
            return 1;
    return 0;
}

/* Refuses the expression of `part` and ends the walk. */
void walk_refuse_part(walk *w, size_t part, const char *why)
{
    w->fault = w->text->parts[part].offset;
    w->code = deja_fail(w->err, DEJA_EINVAL, "no value can be put %s", why);
    w->done = 1;
}

void walk_refuse(walk *w, const char *why)
{
    walk_refuse_part(w, w->part[w->next], why);
}

/*
 * What is open when the walk ends is perhaps never closed. After such an error bash goes on in the next line
 * of a text (tried with a=( ), which a value may have.
 */
void walk_refuse_open(walk *w)
{
    for (size_t k = 1; k < w->depth && !w->code; k++)
        if (w->stack[k].holds)
            walk_refuse_part(w, w->stack[k].holds - 1,
                             "into quotes, parentheses or a 'case' whose end was not found");
}

/* The walk cannot go on: whatever expression follows is refused, and one in something that is still open. */
void walk_lost(walk *w, const char *after)
{
    const walk_frame *test = walk_top(w);
    w->done = 1;
    if (test->value && w->family == SHELL_KSH && test->rule == SHELL_RULE_TEST)
        walk_refuse_part(w, test->value - 1, "beside syntax that deja does not follow");
    walk_refuse_open(w);
    if (w->code || w->next == w->count)
        return;
    w->fault = w->text->parts[w->part[w->next]].offset;
    w->code = deja_fail(
        w->err, DEJA_EINVAL,
        "cannot tell how a value is quoted here, after %s; put it into a variable first (x=${{ ... }}) "
        "or into 'env'",
        after);
}

walk_frame *walk_push(walk *w, walk_kind kind)
{
    if (w->depth == WALK_DEPTH_LIMIT) {
        walk_lost(w, "so many nested quotes and parentheses");
        return walk_top(w);
    }
    walk_frame *f = &w->stack[w->depth++];
    *f = (walk_frame){.kind = kind, .pos = POS_KEYWORD};
    return f;
}

void walk_begin_command(walk_frame *f)
{
    f->pos = POS_KEYWORD;
    f->rule = SHELL_RULE_NONE;
    f->redirect = f->dash_v = f->options = f->operands = f->modified = 0;
    f->value = 0;
    f->arithmetic = 0;
}

/* A piece of a word begins or goes on at w->i. */
void walk_word_piece(walk *w, int plain)
{
    walk_frame *f = walk_top(w);
    if (f->kind == WALK_DOUBLE || f->kind == WALK_BRACE || f->kind == WALK_ARITH)
        return;
    if (!f->in_word) {
        f->in_word = 1;
        f->plain = 1;
        f->word = w->i;
    }
    if (!plain)
        f->plain = 0;
}

void walk_pop(walk *w)
{
    w->depth--;
    walk_top(w)->plain = 0;
}

/* The frame that says what the word at hand is for: the nearest that is no quote or parenthesis of the word
 * itself. */
walk_frame *walk_context_of(walk *w)
{
    size_t k = w->depth - 1;
    while (k > 0 && (w->stack[k].kind == WALK_DOUBLE || w->stack[k].kind == WALK_PATTERN))
        k--;
    return &w->stack[k];
}

/* Bytes of the NAME that begins the word at hand; 0 when there is none. */
size_t walk_word_name(const walk *w, const walk_frame *f)
{
    size_t n = 0;
    if (!f->in_word || (w->flat[f->word] >= '0' && w->flat[f->word] <= '9'))
        return 0;
    while (f->word + n < w->i && walk_is_name_char(w->flat[f->word + n]))
        n++;
    return n;
}

/* 1 when the word at hand begins with NAME= or NAME+=. */
int walk_is_assignment(const walk *w, const walk_frame *f)
{
    size_t n = walk_word_name(w, f);
    const char *after = w->flat + f->word + n;
    return n && (after[0] == '=' || (after[0] == '+' && after[1] == '='));
}

int walk_is_subscript(const walk *w, const walk_frame *f)
{
    size_t n = walk_word_name(w, f);
    return n && f->word + n < w->i && w->flat[f->word + n] == '[';
}

/* 1 when the word at hand has one [ and behind it one ]. */
int walk_is_closed(const walk *w, const walk_frame *f)
{
    size_t open = 0, closed = 0;
    for (size_t i = f->word; i < w->i; i++) {
        open += w->flat[i] == '[';
        closed += w->flat[i] == ']' && open == 1;
    }
    return open == 1 && closed == 1;
}

int walk_word_is(const walk *w, const walk_frame *f, const char *text)
{
    size_t n = strlen(text);
    return f->plain && w->i - f->word == n && memcmp(w->flat + f->word, text, n) == 0;
}
