/*
 * Expressions: where they may stand.
 */
#include "shell_reserved.h"
#include "walk.h"

static const char *refused_assignment(const walk *w, const walk_frame *f)
{
    if (walk_is_subscript(w, f))
        return "into a subscript, which the shell evaluates";
    if (walk_is_assignment(w, f) && shell_is_evaluated(w->flat + f->word, walk_word_name(w, f)))
        return "into a variable whose value the shell evaluates";
    return NULL;
}

/* 1 when the value at hand may be an option, or part of one: that of printf, print or set names a variable.
 */
static int may_be_option(const walk *w, const walk_frame *f)
{
    if (f->operands)
        return 0;
    size_t begin = f->in_word ? f->word : w->i;
    while (begin < w->i && walk_one_of(w->flat[begin], "\"'\\"))
        begin++;
    return begin == w->i || walk_one_of(w->flat[begin], "-+$`");
}

static const char *refused_argument(const walk *w, const walk_frame *f)
{
    switch (f->rule) {
    case SHELL_RULE_EVALUATES:
        return "into the words of eval, let, trap, alias or the like, which evaluate it again, even by way "
               "of "
               "a variable";
    case SHELL_RULE_NAMES:
    case SHELL_RULE_DECLARE:
        return "into the words of this builtin, which takes variable names; assign with a plain x=${{ ... }}";
    case SHELL_RULE_EXPORT:
        if (f->options || !walk_is_assignment(w, f))
            return "where a variable's name is expected";
        return refused_assignment(w, f);
    case SHELL_RULE_TEST:
        if (f->dash_v)
            return "after -v, where a variable's name is expected";
        if (w->family == SHELL_KSH && f->arithmetic)
            return "beside a comparison of numbers, which this shell evaluates";
        return NULL;
    case SHELL_RULE_PRINTF:
    case SHELL_RULE_PRINT:
    case SHELL_RULE_SET:
        if (f->dash_v)
            return "after -v, where a variable's name is expected";
        if (f->options)
            return "into the words of 'print -P', which expands them";
        return may_be_option(w, f) ? "where an option may stand; write a format, or '--', before it" : NULL;
    case SHELL_RULE_MODIFIER:
    case SHELL_RULE_NONE:
        break;
    }
    return NULL;
}

static const char *refused_in(walk *w, walk_frame *f)
{
    const walk_frame *outer = f > w->stack ? f - 1 : f;
    switch (f->kind) {
    case WALK_COND:
        if (f->arithmetic)
            return "beside a comparison of numbers in [[ ]], which evaluates it; use [ ]";
        return f->dash_v ? "after -v, where a variable's name is expected" : NULL;
    case WALK_ARRAY:
        if (f->in_word && w->flat[f->word] == '[')
            return "into a subscript, which the shell evaluates";
        return outer->rule == SHELL_RULE_NONE ? NULL : refused_argument(w, outer);
    default:
        if (!walk_is_commands(f) || f->redirect)
            return NULL;
        return f->pos == POS_ARG ? refused_argument(w, f) : refused_assignment(w, f);
    }
}

static const char *refused_here(walk *w)
{
    for (size_t k = 0; k < w->depth; k++) {
        const walk_frame *f = &w->stack[k];
        if (f->kind == WALK_BRACE)
            return "inside '${ }'";
        if (f->kind == WALK_ARITH)
            return "inside an arithmetic '(( ))', which evaluates it, even by way of a variable; use [ ] or "
                   "expr";
        if (f->no_value)
            return "inside '$\"...\"'";
        if (f->kind == WALK_PATTERN && w->family == SHELL_ZSH && walk_context_of(w)->kind != WALK_COND)
            return "into parentheses behind a pattern, which this shell may evaluate";
        if (f->redirect && f->duplicate)
            return "after '>&' or '<&', whose word bash expands once more, quoted or not; use '>'";
    }
    return refused_in(w, walk_context_of(w));
}

/* Takes the expression at w->i. */
void walk_take_value(walk *w, shell_place place)
{
    const char *why = place == SHELL_COMMENT ? NULL : refused_here(w);
    if (why) {
        walk_refuse(w, why);
        return;
    }
    size_t part = w->part[w->next++];
    walk_frame *f = walk_context_of(w);
    if (place != SHELL_COMMENT && !f->value)
        f->value = part + 1;
    for (size_t k = 1; k < w->depth; k++)
        if (!w->stack[k].holds)
            w->stack[k].holds = part + 1;
    w->places[part] = (unsigned char)place;
    w->i++;
}

/* A list may stand here: a word by itself, and of a command or array. Not of test and [ ]: items could be -v
 * and a name with a subscript, which is evaluated. */
static int is_whole_word(walk *w)
{
    const walk_frame *f = walk_top(w);
    char after = walk_peek(w, 1);
    if (f->in_word || f->redirect || !(walk_is_commands(f) || f->kind == WALK_ARRAY) ||
        walk_is_value(w, w->i + 1) || (f->pos == POS_ARG && f->rule == SHELL_RULE_TEST))
        return 0;
    return after == 0 ? w->i + 1 == w->len : walk_one_of(after, " \t\n;&|)<>") != 0;
}

/* {1..VALUE}: the shell expands braces before a quoted value could count. */
static int is_brace_range(walk *w)
{
    const walk_frame *f = walk_top(w);
    const char *at = w->flat + w->i;
    if (!f->in_word)
        return 0;
    if (at[-1] == '{')
        return walk_peek(w, 1) == '.' && walk_peek(w, 2) == '.';
    return w->i - f->word >= 3 && at[-1] == '.' && at[-2] == '.' &&
           memchr(w->flat + f->word, '{', w->i - f->word);
}

void walk_bare_value(walk *w)
{
    if (is_brace_range(w)) {
        walk_refuse(w, "into a range in braces, which the shell would leave as it is; use seq");
        return;
    }
    shell_place place = is_whole_word(w) ? SHELL_WORD : SHELL_BARE;
    walk_word_piece(w, 0);
    walk_take_value(w, place);
}
