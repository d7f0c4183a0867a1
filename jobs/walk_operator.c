/*
 * Operators, comments and the ends of lines.
 */
#include "shell_reserved.h"
#include "walk.h"

/* A break inside a word that is neither a reserved word nor an option that matters to us. */
static int is_broken_freely(const walk *w, const walk_frame *f)
{
    if (f->kind == WALK_ARRAY || f->redirect)
        return 1;
    return walk_is_commands(f) && f->pos == POS_ARG &&
           (f->rule == SHELL_RULE_NONE || !walk_one_of(w->flat[f->word], "-+"));
}

void walk_backslash(walk *w)
{
    walk_frame *f = walk_top(w);
    if (walk_is_value(w, w->i + 1)) {
        walk_refuse(w, "after a backslash");
    } else if (walk_peek(w, 1) != '\n') {
        walk_word_piece(w, 0);
        w->i += w->i + 1 < w->len ? 2 : 1;
    } else if (!f->in_word) {
        w->i += 2;
    } else if (w->i + 2 >= w->len || walk_one_of(walk_peek(w, 2), " \t\n;&|<>()")) {
        if (walk_one_of(walk_peek(w, 2), "<>("))
            walk_lost(w, "a word that goes on in the next line");
        walk_end_word(w);
        w->i += 2;
    } else if (is_broken_freely(w, f)) {
        f->plain = 0;
        w->i += 2;
    } else {
        walk_lost(w, "a word that goes on in the next line");
    }
}

void walk_comment(walk *w)
{
    const walk_frame *f = walk_top(w);
    if (f->kind == WALK_COND || f->kind == WALK_PATTERN) {
        walk_lost(w, "'#' in a condition or pattern");
        return;
    }
    while (w->i < w->len && (w->flat[w->i] != '\n' || walk_is_value(w, w->i))) {
        if (walk_is_value(w, w->i))
            walk_take_value(w, SHELL_COMMENT);
        else
            w->i++;
    }
}

void walk_newline(walk *w)
{
    if (w->pending_count) {
        walk_heredoc_bodies(w);
        if (w->done || w->i >= w->len)
            return;
    }
    walk_frame *f = walk_top(w);
    if (walk_is_commands(f))
        walk_begin_command(f);
    w->i++;
}

/* An operator goes on after a line break: shells do not agree. */
static int is_broken(const walk *w)
{
    return walk_peek(w, 1) == '\\' && walk_peek(w, 2) == '\n' && walk_one_of(walk_peek(w, 3), ";&|<>(-\\");
}

static void semicolon(walk *w)
{
    walk_frame *f = walk_top(w);
    char c = walk_peek(w, 1);
    if (!walk_is_commands(f)) {
        walk_lost(w, "';' in an unusual place");
    } else if (c == ';' || c == '&') {
        if (f->kind != WALK_CASE) {
            walk_lost(w, "';;' in an unusual place");
            return;
        }
        w->i += c == ';' && walk_peek(w, 2) == '&' ? 3 : 2;
        walk_begin_command(f);
        f->phase = CASE_PATTERNS;
        f->pattern = 0;
    } else {
        walk_begin_command(f);
        w->i++;
    }
}

/* && and || of [[ ]] begin a new clause. */
static void condition_operator(walk *w)
{
    walk_frame *f = walk_context_of(w);
    if (walk_peek(w, 1) == w->flat[w->i]) {
        f->value = 0;
        f->arithmetic = f->dash_v = 0;
        w->i++;
    }
    w->i++;
}

static void ampersand(walk *w)
{
    walk_frame *f = walk_top(w);
    if (walk_context_of(w)->kind == WALK_COND) {
        condition_operator(w);
    } else if (!walk_is_commands(f)) {
        walk_lost(w, "'&' in an unusual place");
    } else if (walk_peek(w, 1) == '>') {
        f->redirect = 1;
        if (w->family == SHELL_SH)
            walk_begin_command(f);
        f->pos = f->pos == POS_KEYWORD ? POS_UNSURE : f->pos;
        f->redirect = 1;
        f->duplicate = 0;
        w->i += walk_peek(w, 2) == '>' ? 3 : 2;
    } else {
        w->i += walk_peek(w, 1) == '&' ? 2 : 1;
        walk_begin_command(f);
    }
}

static void bar(walk *w)
{
    walk_frame *f = walk_top(w);
    if (walk_context_of(w)->kind == WALK_COND) {
        condition_operator(w);
    } else if (f->kind == WALK_PATTERN || (f->kind == WALK_CASE && f->phase == CASE_PATTERNS)) {
        w->i++;
    } else if (!walk_is_commands(f)) {
        walk_lost(w, "'|' in an unusual place");
    } else {
        *w->ret_pipe |= walk_peek(w, 1) != '|';
        w->i += walk_one_of(walk_peek(w, 1), "|&") ? 2 : 1;
        walk_begin_command(f);
    }
}

static void redirection(walk *w)
{
    walk_frame *f = walk_top(w);
    char c = w->flat[w->i], d = walk_peek(w, 1);
    if (d == '(') {
        if (f->kind == WALK_COND || f->kind == WALK_PATTERN || w->family == SHELL_SH) {
            walk_lost(w, "a process substitution in an unusual place");
            return;
        }
        walk_word_piece(w, 0);
        walk_push(w, WALK_SUBST);
        w->i += 2;
    } else if (f->kind == WALK_COND) {
        w->i++;
    } else if (!walk_is_commands(f)) {
        walk_lost(w, "a redirection in an unusual place");
    } else if (c == '<' && d == '<' && walk_peek(w, 2) == '<') {
        if (w->family == SHELL_SH)
            walk_lost(w, "'<<<'");
        f->redirect = 1;
        f->duplicate = 0;
        w->i += 3;
    } else if (c == '<' && d == '<') {
        walk_open_heredoc(w);
    } else {
        f->redirect = 1;
        f->duplicate = d == '&';
        w->i += walk_one_of(d, ">&|") ? 2 : 1;
    }
}

/* NAME= or NAME+= directly before w->i. */
static int ends_with_equals(const walk *w, const walk_frame *f)
{
    size_t n = walk_word_name(w, f);
    size_t after = f->word + n;
    return n && ((after + 1 == w->i && w->flat[after] == '=') ||
                 (after + 2 == w->i && w->flat[after] == '+' && w->flat[after + 1] == '='));
}

/* The bytes of `(  )` at w->i, blanks between allowed; 0 when it is something else. */
static size_t empty_parens(const walk *w)
{
    size_t n = 1;
    while (walk_one_of(walk_peek(w, n), " \t"))
        n++;
    return walk_peek(w, n) == ')' ? n + 1 : 0;
}

/* `(` directly behind a piece of a word. */
static void glued_paren(walk *w, walk_frame *f)
{
    size_t empty = empty_parens(w);
    if (ends_with_equals(w, f) && (w->family != SHELL_SH)) {
        walk_push(w, WALK_ARRAY);
        w->i++;
    } else if (walk_is_commands(f) && f->pos == POS_KEYWORD && f->plain &&
               shell_reserved_word(w->flat + f->word, w->i - f->word) == SHELL_BEGINS) {
        if (walk_word_is(w, f, "!"))
            walk_lost(w, "'!('");
        else
            walk_end_word(w);
    } else if (walk_is_commands(f) && empty) {
        f->in_word = 0;
        walk_begin_command(f);
        w->i += empty;
    } else if (w->family == SHELL_SH || f->kind == WALK_ARRAY || walk_is_subscript(w, f)) {
        walk_lost(w, "'(' in an unusual place");
    } else {
        f->plain = 0;
        walk_push(w, WALK_PATTERN);
        w->i++;
    }
}

static void open_group(walk *w, walk_frame *f)
{
    if (f->pos == POS_ARG || f->pos == POS_FOR_IN || f->redirect) {
        size_t empty = empty_parens(w);
        if (empty && f->pos == POS_ARG && !f->redirect) {
            walk_begin_command(f);
            w->i += empty;
        } else {
            walk_lost(w, "'(' in an unusual place");
        }
    } else if (walk_peek(w, 1) == '(') {
        if (w->family == SHELL_SH) {
            walk_lost(w, "'(('");
            return;
        }
        walk_push(w, WALK_ARITH);
        w->i += 2;
    } else {
        walk_push(w, WALK_GROUP);
        w->i++;
    }
}

static void open_paren(walk *w)
{
    walk_frame *f = walk_top(w);
    if (f->in_word && f->kind != WALK_COND) {
        glued_paren(w, f);
    } else if (f->kind == WALK_COND || f->kind == WALK_PATTERN) {
        walk_push(w, WALK_PATTERN);
        w->i++;
    } else if (f->kind == WALK_CASE && f->phase == CASE_PATTERNS && !f->pattern) {
        f->pattern = 1;
        w->i++;
    } else if (walk_is_commands(f)) {
        open_group(w, f);
    } else {
        walk_lost(w, "'(' in an unusual place");
    }
}

/* What an array is followed by: shells differ in whether its word goes on. */
static void close_array(walk *w)
{
    walk_pop(w);
    w->i++;
    if (w->i < w->len && (walk_is_value(w, w->i) || !walk_one_of(walk_peek(w, 0), " \t\n;&|)<>")))
        walk_lost(w, "an array that is glued to text");
}

static void close_paren(walk *w)
{
    walk_frame *f = walk_top(w);
    for (size_t k = 0; k < w->pending_count; k++)
        if (w->pending[k].depth == w->depth) {
            walk_lost(w, "a here-document inside parentheses");
            return;
        }
    if (f->kind == WALK_CASE && f->phase == CASE_PATTERNS) {
        f->phase = CASE_BODY;
        walk_begin_command(f);
        w->i++;
    } else if (f->kind == WALK_SUBST || f->kind == WALK_PATTERN) {
        walk_pop(w);
        w->i++;
    } else if (f->kind == WALK_GROUP) {
        w->depth--;
        walk_begin_command(walk_top(w));
        w->i++;
    } else if (f->kind == WALK_ARRAY) {
        close_array(w);
    } else {
        walk_lost(w, "')' in an unusual place");
    }
}

void walk_operator(walk *w)
{
    if (is_broken(w)) {
        walk_lost(w, "an operator at the end of a line");
        return;
    }
    switch (w->flat[w->i]) {
    case ';':
        semicolon(w);
        break;
    case '&':
        ampersand(w);
        break;
    case '|':
        bar(w);
        break;
    case '(':
        open_paren(w);
        break;
    case ')':
        close_paren(w);
        break;
    default:
        redirection(w);
    }
}
