/*
 * Quotes and expansions.
 */
#include "walk.h"
#include <string.h>

/* Moves to `end`, past an expression-free stretch; an expression in it is refused. */
void walk_skip_to(walk *w, size_t end, const char *where)
{
    if (w->next < w->count && w->at[w->next] < end)
        walk_refuse(w, where);
    else
        w->i = end;
}

void walk_single_quotes(walk *w)
{
    walk_word_piece(w, 0);
    int allowed = walk_top(w)->kind != WALK_BRACE;
    size_t first = w->next;
    w->i++;
    while (!w->done && w->i < w->len) {
        if (walk_is_value(w, w->i)) {
            if (allowed)
                walk_take_value(w, SHELL_SINGLE);
            else
                walk_refuse(w, "inside '${ }'");
        } else if (w->flat[w->i++] == '\'') {
            return;
        }
    }
    if (!w->done && w->next > first)
        walk_refuse_part(w, w->part[first], "into quotes that are never closed");
}

void walk_backticks(walk *w)
{
    walk_word_piece(w, 0);
    size_t end = w->i + 1;
    while (end < w->len && w->flat[end] != '`')
        end += w->flat[end] == '\\' && end + 1 < w->len ? 2 : 1;
    walk_skip_to(w, end < w->len ? end + 1 : w->len, "inside backticks; use $( )");
}

/* $'...': elsewhere than in bash, ksh and zsh the backslash is perhaps none. */
static void ansi_quotes(walk *w)
{
    walk_word_piece(w, 0);
    size_t end = w->i + 2;
    while (end < w->len && w->flat[end] != '\'') {
        if (w->flat[end] == '\\' && end + 1 < w->len) {
            if (w->flat[end + 1] == '\'' && w->family == SHELL_SH) {
                walk_lost(w, "\"$'...\\'\"");
                return;
            }
            end++;
        }
        end++;
    }
    walk_skip_to(w, end < w->len ? end + 1 : w->len, "inside $'...'");
}

static void open_brace(walk *w, int quoted)
{
    char c = walk_peek(w, 2);
    if (!walk_is_name_char(c) && !walk_one_of(c, "#?@*!$-")) {
        walk_lost(w, "an unusual '${'");
        return;
    }
    walk_word_piece(w, 0);
    walk_push(w, WALK_BRACE)->quoted = (unsigned)quoted & 1;
    w->i += 3;
}

static void open_parens(walk *w)
{
    if (walk_peek(w, 2) == '\\' && walk_peek(w, 3) == '\n') {
        walk_lost(w, "a line that goes on inside '$('");
        return;
    }
    walk_word_piece(w, 0);
    if (walk_peek(w, 2) == '(') {
        walk_push(w, WALK_ARITH);
        w->i += 3;
    } else {
        walk_push(w, WALK_SUBST);
        w->i += 2;
    }
}

static void variable(walk *w)
{
    walk_word_piece(w, 0);
    size_t n = 1;
    if (walk_one_of(walk_peek(w, 1), "#?$!@*-0123456789"))
        n = 2;
    else
        while (walk_is_name_char(walk_peek(w, n)))
            n++;
    w->i += n;
    w->name_end = w->i;
    if (w->family == SHELL_ZSH && n > 1 && walk_peek(w, 0) == '[')
        walk_lost(w, "a subscript of a variable");
}

void walk_dollar(walk *w, int quoted)
{
    char c = walk_peek(w, 1);
    if (c == '(')
        open_parens(w);
    else if (c == '{')
        open_brace(w, quoted);
    else if (c == '[')
        walk_lost(w, "'$['");
    else if (c == '\\' && walk_peek(w, 2) == '\n')
        walk_lost(w, "a '$' at the end of a line");
    else if (c == '\'' && !quoted)
        ansi_quotes(w);
    else if (c == '"' && !quoted) {
        walk_word_piece(w, 0);
        walk_push(w, WALK_DOUBLE)->no_value = 1;
        w->i += 2;
    } else
        variable(w);
}

void walk_step_double(walk *w)
{
    char c = w->flat[w->i];
    if (walk_is_value(w, w->i)) {
        int glued = w->name_end == w->i || w->family == SHELL_ZSH;
        walk_take_value(w, glued ? SHELL_DOUBLE_NAME : SHELL_DOUBLE);
    } else if (c == '"') {
        walk_pop(w);
        w->i++;
    } else if (c == '\\' && walk_is_value(w, w->i + 1)) {
        walk_refuse(w, "after a backslash");
    } else if (c == '\\') {
        int glued = w->name_end == w->i && walk_peek(w, 1) == '\n';
        w->i += 2;
        if (glued)
            w->name_end = w->i;
    } else if (c == '`') {
        walk_backticks(w);
    } else if (c == '$') {
        walk_dollar(w, 1);
    } else {
        w->i++;
    }
}

/* A pair of quotes where shells do not agree what it means: passed when every reading gives the same end. */
static void simple_quotes(walk *w)
{
    size_t end = w->i + 1;
    while (end < w->len && (walk_is_name_char(w->flat[end]) || walk_one_of(w->flat[end], " ./:,-+%=@")))
        end++;
    if (end < w->len && w->flat[end] == '"')
        w->i = end + 1;
    else
        walk_lost(w, "quotes inside '${ }' or '(( ))'");
}

void walk_step_brace(walk *w)
{
    int quoted = walk_top(w)->quoted;
    char c = w->flat[w->i];
    if (walk_is_value(w, w->i)) {
        walk_refuse(w, "inside '${ }'");
    } else if (c == '}') {
        walk_pop(w);
        w->i++;
    } else if (c == '\\') {
        w->i += walk_is_value(w, w->i + 1) ? 1 : 2;
    } else if (c == '\'') {
        if (quoted)
            walk_lost(w, "quotes inside '${ }' or '(( ))'");
        else
            walk_single_quotes(w);
    } else if (c == '"') {
        if (quoted) {
            simple_quotes(w);
        } else {
            walk_push(w, WALK_DOUBLE);
            w->i++;
        }
    } else if (c == '`') {
        walk_backticks(w);
    } else if (c == '$') {
        walk_dollar(w, quoted);
    } else if ((c == '<' || c == '>') && walk_peek(w, 1) == '(') {
        walk_lost(w, "a process substitution inside '${ }'");
    } else {
        w->i++;
    }
}

/* 1 when the word `case` stands at w->i: then this is perhaps no arithmetic. */
static int at_case(const walk *w)
{
    return (w->i == 0 || !walk_is_name_char(w->flat[w->i - 1])) && w->len - w->i >= 4 &&
           memcmp(w->flat + w->i, "case", 4) == 0 && !walk_is_name_char(walk_peek(w, 4));
}

static void close_arith(walk *w)
{
    walk_frame *f = walk_top(w);
    if (f->depth > 0) {
        f->depth--;
        w->i++;
        return;
    }
    if (walk_peek(w, 1) != ')') {
        walk_lost(w, "'((' that is no arithmetic");
        return;
    }
    walk_pop(w);
    w->i += 2;
    walk_frame *outer = walk_top(w);
    if (walk_is_commands(outer) && !outer->in_word)
        walk_begin_command(outer);
}

void walk_step_arith(walk *w)
{
    char c = w->flat[w->i];
    if (walk_is_value(w, w->i)) {
        walk_refuse(
            w,
            "inside an arithmetic '(( ))', which evaluates it, even by way of a variable; use [ ] or expr");
    } else if (c == '(') {
        walk_top(w)->depth++;
        w->i++;
    } else if (c == ')') {
        close_arith(w);
    } else if (c == '"') {
        simple_quotes(w);
    } else if (c == '$') {
        walk_dollar(w, 1);
    } else if (c == '\'' || c == '\\' || c == '`' || c == '\n' ||
               (c == '<' && walk_peek(w, 1) == '<' && walk_peek(w, 2) == '<') ||
               (c == '#' && !walk_is_name_char(w->flat[w->i - 1])) || at_case(w)) {
        walk_lost(w, "'((' with more than arithmetic in it");
    } else {
        w->i++;
    }
}
