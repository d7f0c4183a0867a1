/*
 * The end of a word: what it was, and what that makes of the next.
 */
#include "shell_reserved.h"
#include "walk.h"
#include <string.h>

static void end_case(walk *w)
{
    w->depth--;
    walk_begin_command(walk_top(w));
}

static void end_case_word(walk *w, walk_frame *f)
{
    if (f->phase == CASE_SUBJECT) {
        f->phase = CASE_WAIT_IN;
    } else if (f->phase == CASE_WAIT_IN) {
        if (walk_word_is(w, f, "in"))
            f->phase = CASE_PATTERNS;
        else
            walk_lost(w, "an unusual 'case'");
    } else if (!f->pattern && walk_word_is(w, f, "esac")) {
        end_case(w);
    } else {
        f->pattern = 1;
    }
}

static int is_number_comparison(const walk *w, const walk_frame *f)
{
    static const char *const operators[] = {"-eq", "-ne", "-lt", "-le", "-gt", "-ge"};
    for (size_t k = 0; k < sizeof operators / sizeof *operators; k++)
        if (walk_word_is(w, f, operators[k]))
            return 1;
    return 0;
}

/* An operator that evaluates its neighbours: what stands before it was met already. */
static void note_comparison(walk *w, walk_frame *f)
{
    f->arithmetic = 1;
    if (f->value)
        walk_refuse_part(w, f->value - 1,
                         "beside a comparison of numbers, which evaluates it; use [ ] of sh or bash");
}

static void end_condition_word(walk *w, walk_frame *f)
{
    if (f->kind == WALK_COND && walk_word_is(w, f, "]]")) {
        w->depth--;
        walk_begin_command(walk_top(w));
        return;
    }
    walk_frame *condition = walk_context_of(w);
    condition->dash_v = walk_word_is(w, f, "-v") || walk_word_is(w, f, "-R");
    if (is_number_comparison(w, f))
        note_comparison(w, condition);
}

/* A word with its quotes taken away, "" when that is too long to be one that matters. */
static void plain_word(const walk *w, const walk_frame *f, char name[16])
{
    size_t n = 0;
    for (size_t i = f->word; i < w->i; i++) {
        if (walk_one_of(w->flat[i], "\\'\"") || w->flat[i] == '\n')
            continue;
        if (n == 15) {
            n = 0;
            break;
        }
        name[n++] = w->flat[i];
    }
    name[n] = 0;
}

/* An option of declare, export and the like. Those that give a variable a type make later assignments
 * evaluate. */
static void end_option(walk *w, walk_frame *f)
{
    f->options = !walk_word_is(w, f, "-p") && !walk_word_is(w, f, "--");
    for (size_t i = f->word; i < w->i; i++)
        if (!f->plain || walk_one_of(w->flat[i], "inEF"))
            walk_lost(w, "a variable with a type");
}

/* 1 when the word at hand has an expansion or expression in it: nobody knows what it will be. */
static int is_expanded(const walk *w, const walk_frame *f)
{
    for (size_t i = f->word; i < w->i; i++)
        if (walk_one_of(w->flat[i], "$`"))
            return !f->plain;
    return w->next && w->at[w->next - 1] >= f->word;
}

/* A pattern that matches nothing may be no word at all. */
static int is_pattern(const walk *w, const walk_frame *f)
{
    return memchr(w->flat + f->word, '*', w->i - f->word) || memchr(w->flat + f->word, '?', w->i - f->word);
}

/* A variable that is given values in another way than by NAME=. */
static void check_variable(walk *w, const char *name)
{
    if (shell_is_evaluated(name, strlen(name)))
        walk_lost(w, "a variable whose value the shell evaluates");
}

/* A word of printf, print or set: an option, the name behind one, or an operand. */
static void end_option_or_operand(walk *w, walk_frame *f)
{
    char word[16];
    plain_word(w, f, word);
    int is_name = f->dash_v, is_glued = f->rule == SHELL_RULE_PRINTF && strncmp(word, "-v", 2) == 0;
    f->dash_v = 0;
    if (is_name || is_glued)
        check_variable(w, word + (is_name ? 0 : 2));
    if (f->operands || is_name)
        return;
    if (!walk_one_of(word[0], "-+") || strcmp(word, "--") == 0 || strcmp(word, "-") == 0) {
        f->operands = 1;
        return;
    }
    size_t last = strlen(word) - 1;
    f->dash_v = word[last] == (f->rule == SHELL_RULE_SET ? 'A' : 'v');
    f->options |= f->rule == SHELL_RULE_PRINT && strchr(word, 'P');
}

static void end_argument(walk *w, walk_frame *f)
{
    if (f->rule == SHELL_RULE_PRINTF || f->rule == SHELL_RULE_PRINT || f->rule == SHELL_RULE_SET) {
        end_option_or_operand(w, f);
        return;
    }
    char word[16];
    plain_word(w, f, word);
    f->dash_v = strcmp(word, "-v") == 0 || strcmp(word, "-R") == 0 || is_expanded(w, f);
    if (f->rule == SHELL_RULE_EXPORT && walk_is_subscript(w, f))
        walk_lost(w, "a subscript");
    if ((f->rule == SHELL_RULE_EXPORT || f->rule == SHELL_RULE_DECLARE) &&
        walk_one_of(w->flat[f->word], "-+"))
        end_option(w, f);
    if (f->rule == SHELL_RULE_TEST && w->family == SHELL_KSH && is_number_comparison(w, f))
        note_comparison(w, f);
}

/* print and set name no variables elsewhere. */
static shell_rule rule_of(const walk *w, const char *command)
{
    shell_rule rule = shell_rule_of(command);
    int only_there = rule == SHELL_RULE_PRINT || rule == SHELL_RULE_SET;
    return only_there && w->family != SHELL_KSH && w->family != SHELL_ZSH ? SHELL_RULE_NONE : rule;
}

static void end_command_name(walk *w, walk_frame *f)
{
    char name[16];
    plain_word(w, f, name);
    if (f->modified && (walk_one_of(name[0], "-+") || is_expanded(w, f))) {
        if (strchr(name, 'a') && (w->family == SHELL_KSH || w->family == SHELL_ZSH))
            walk_lost(w, "'exec -a'");
        return;
    }
    f->rule = rule_of(w, name);
    f->modified = f->rule == SHELL_RULE_MODIFIER;
    f->pos = f->modified ? POS_UNSURE : is_expanded(w, f) || is_pattern(w, f) ? POS_COMMAND : POS_ARG;
    f->value = 0;
}

/* A reserved word that opens or closes something; 0 when the word is none. */
static int reserved_word(walk *w, walk_frame *f)
{
    if (!f->plain)
        return 0;
    shell_reserved r = shell_reserved_word(w->flat + f->word, w->i - f->word);
    if (r == SHELL_NOT_RESERVED)
        return 0;
    if (f->pos == POS_COMMAND || (r == SHELL_ZSH_LOOP && w->family != SHELL_ZSH))
        return 0;
    if (r == SHELL_COPROC || r == SHELL_ZSH_LOOP) {
        walk_lost(w, "'coproc', 'repeat' or 'foreach'");
        return 1;
    }
    if (f->pos == POS_UNSURE && r != SHELL_BEGINS && r != SHELL_TIME) {
        walk_lost(w, "a reserved word in an unusual place");
        return 1;
    }
    walk_begin_command(f);
    switch (r) {
    case SHELL_CASE:
        walk_push(w, WALK_CASE);
        break;
    case SHELL_ESAC:
        if (f->kind == WALK_CASE)
            end_case(w);
        else
            walk_lost(w, "'esac' without 'case'");
        break;
    case SHELL_COND:
        if (w->family == SHELL_SH)
            walk_lost(w, "'[['");
        else
            walk_push(w, WALK_COND);
        break;
    case SHELL_FOR:
        f->pos = POS_FOR_NAME;
        break;
    case SHELL_FUNCTION:
        f->pos = POS_FUNCTION_NAME;
        break;
    case SHELL_TIME:
        f->modified = 1;
        break;
    default:
        break;
    }
    return 1;
}

static void end_first_word(walk *w, walk_frame *f)
{
    if (reserved_word(w, f))
        return;
    if (walk_is_subscript(w, f) && !walk_is_closed(w, f))
        walk_lost(w, "a subscript");
    else if (walk_is_assignment(w, f) || walk_is_subscript(w, f))
        f->pos = POS_UNSURE;
    else
        end_command_name(w, f);
}

static void end_loop_name(walk *w, walk_frame *f)
{
    char name[16];
    plain_word(w, f, name);
    check_variable(w, name);
    f->pos = POS_FOR_IN;
}

static void end_command_word(walk *w, walk_frame *f)
{
    switch (f->pos) {
    case POS_KEYWORD:
    case POS_UNSURE:
    case POS_COMMAND:
        end_first_word(w, f);
        break;
    case POS_ARG:
        end_argument(w, f);
        break;
    case POS_FOR_NAME:
        end_loop_name(w, f);
        break;
    case POS_FOR_IN:
        f->pos = walk_word_is(w, f, "do") || walk_word_is(w, f, "{") ? POS_KEYWORD : POS_ARG;
        break;
    case POS_FUNCTION_NAME:
        f->pos = POS_KEYWORD;
        break;
    }
}

/* 1 when the word at hand is the descriptor of the redirection that follows: 2> or {fd}> */
static int is_descriptor(const walk *w, const walk_frame *f)
{
    if (!walk_one_of(walk_peek(w, 0), "<>") || !f->plain)
        return 0;
    size_t i = f->word;
    while (i < w->i && w->flat[i] >= '0' && w->flat[i] <= '9')
        i++;
    return i == w->i || (w->flat[f->word] == '{' && w->flat[w->i - 1] == '}');
}

/* The word at hand ends at w->i. */
void walk_end_word(walk *w)
{
    walk_frame *f = walk_top(w);
    if (is_descriptor(w, f)) {
        f->in_word = 0;
        return;
    }
    if (f->redirect) {
        f->redirect = 0;
        if (f->pos == POS_KEYWORD)
            f->pos = POS_UNSURE;
    } else if (walk_is_commands(f)) {
        end_command_word(w, f);
    } else if (f->kind == WALK_CASE) {
        end_case_word(w, f);
    } else if (walk_context_of(w)->kind == WALK_COND) {
        end_condition_word(w, f);
    } else if (f->kind == WALK_ARRAY && w->flat[f->word] == '[' && !walk_is_closed(w, f)) {
        walk_lost(w, "a subscript");
    }
    f->in_word = 0;
}
