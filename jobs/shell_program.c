/*
 * The program of a text: what is in front of the first command is passed over, by the rules of bash (its
 * manual, sections 3.1.2, 3.4 to 3.6; those of POSIX are the same as far as they go).
 */
#include "shell.h"
#include "shell_piece.h"
#include <deja/cleanup.h>

#define BLANKS    " \t"
#define OPERATORS ";&|<>()"

enum { DEPTH_MOST = 64 }; /* of quotes, braces and parentheses in each other */

/* What is open within a word. */
typedef enum nest_kind {
    NEST_DOUBLE, /* "..." */
    NEST_BRACES, /* ${...} */
    NEST_PARENS, /* $(...), and (...) in it */
    NEST_ARITH,  /* $((...)) */
    NEST_TERM,   /* (...) in that */
} nest_kind;

typedef struct nest {
    nest_kind open[DEPTH_MOST];
    int depth;
    char before; /* the byte in front, 0: what is in front is no blank and no op */
} nest;

static int is_open(const nest *n, nest_kind kind)
{
    return n->depth > 0 && n->open[n->depth - 1] == kind;
}

/* Commands, not arithmetic. */
static int is_commands(const nest *n)
{
    return is_open(n, NEST_PARENS);
}

static int open_kind(nest *n, nest_kind kind)
{
    if (n->depth == DEPTH_MOST)
        return 0;
    n->open[n->depth++] = kind;
    return 1;
}

/* Behind the next `end` that has no backslash in front, or at the end of the text. */
static void skip_to(const char **s, char end)
{
    while (**s && **s != end)
        *s += **s == '\\' && (*s)[1] ? 2 : 1;
    *s += **s == end;
}

/* A backslash with what it quotes, '...', $'...', `...`. 0 when none of them begins at *s. */
static int skip_quoted(const char **s, const nest *n)
{
    const char *at = *s;
    if (*at == '\\') {
        *s += at[1] ? 2 : 1;
    } else if (*at == '`') {
        ++*s;
        skip_to(s, '`');
    } else if (*at == '\'' && !is_open(n, NEST_DOUBLE)) {
        *s += 1 + strcspn(at + 1, "'");
        *s += **s == '\'';
    } else if (at[0] == '$' && at[1] == '\'' && !is_open(n, NEST_DOUBLE)) {
        *s += 2;
        skip_to(s, '\'');
    }
    return *s != at;
}

/* What opens at *s: -1 when there are too many, 0 when nothing does. */
static int skip_opening(const char **s, nest *n)
{
    int opened = 0;
    const char *at = *s;
    if (strncmp(at, "$((", 3) == 0)
        opened = open_kind(n, NEST_ARITH) ? 3 : -1;
    else if (strncmp(at, "$(", 2) == 0)
        opened = open_kind(n, NEST_PARENS) ? 2 : -1;
    else if (strncmp(at, "${", 2) == 0)
        opened = open_kind(n, NEST_BRACES) ? 2 : -1;
    else if (*at == '"' && !is_open(n, NEST_DOUBLE))
        opened = open_kind(n, NEST_DOUBLE) ? 1 : -1;
    else if (*at == '(' && is_commands(n))
        opened = open_kind(n, NEST_PARENS) ? 1 : -1;
    else if (*at == '(' && (is_open(n, NEST_ARITH) || is_open(n, NEST_TERM)))
        opened = open_kind(n, NEST_TERM) ? 1 : -1;
    *s += opened > 0 ? opened : 0;
    return opened;
}

/* What closes at *s; "$((" that ends with a single parenthesis were two of commands. 0 when nothing does. */
static int skip_closing(const char **s, nest *n)
{
    if (is_open(n, NEST_ARITH) && **s == ')') {
        int both = (*s)[1] == ')';
        if (both)
            n->depth--;
        else
            n->open[n->depth - 1] = NEST_PARENS;
        *s += both ? 2 : 1;
        return 1;
    }
    int closes = (**s == '"' && is_open(n, NEST_DOUBLE)) || (**s == '}' && is_open(n, NEST_BRACES)) ||
                 (**s == ')' && (is_commands(n) || is_open(n, NEST_TERM)));
    n->depth -= closes;
    *s += closes;
    return closes;
}

/* Among commands: a comment is passed over. -1 at what has an end of its own rules, a here-document or
 * `case`; 0 for anything else. */
static int skip_comment(const char **s, const nest *n)
{
    int begins = shell_one_of(n->before, BLANKS "\n" OPERATORS);
    if (!is_commands(n))
        return 0;
    if (strncmp(*s, "<<", 2) == 0 || (begins && strncmp(*s, "case", 4) == 0))
        return -1;
    if (!begins || **s != '#')
        return 0;
    *s += strcspn(*s, "\n");
    return 1;
}

/* Moves behind the word at *s, up to a blank or an op. 0 when it cannot be told where that is. */
static int skip_word(const char **s)
{
    nest n = {.before = 0};
    while (n.depth > 0 || !shell_one_of(**s, BLANKS "\n" OPERATORS)) {
        const char *at = *s;
        if (!*at)
            return n.depth == 0;
        int comment = skip_comment(s, &n);
        if (comment < 0)
            return 0;
        if (!comment && !skip_quoted(s, &n) && !skip_closing(s, &n)) {
            int opened = skip_opening(s, &n);
            if (opened < 0)
                return 0;
            *s += opened == 0;
        }
        n.before = (*s)[-1];
        if (n.before == ')' || n.before == '"' || at[0] == '\\')
            n.before = 0;
    }
    return 1;
}

/* Blanks and lines that go on; with `lines` also ends of lines, and comments. */
static void skip_gap(const char **s, int lines)
{
    for (;;) {
        *s += strspn(*s, lines ? BLANKS "\n" : BLANKS);
        if (strncmp(*s, "\\\n", 2) == 0)
            *s += 2;
        else if (lines && **s == '#')
            *s += strcspn(*s, "\n");
        else
            return;
    }
}

/* The length of "NAME=" or "NAME+=", 0 for anything else. */
static size_t assigned_name(const char *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t len = shell_one_of(*s, letters) ? 1 : 0;
    while (len && (shell_one_of(s[len], letters) || shell_one_of(s[len], "0123456789")))
        len++;
    len += len && s[len] == '+' && s[len + 1] == '=';
    return len && s[len] == '=' ? len + 1 : 0;
}

/* The length of the operator of a redirection with its descriptor; 0 for anything else, and for
 * here-documents. */
static size_t redirection(const char *s)
{
    static const char *const operators[] = {"<<<", "&>>", "&>", ">>", ">&", ">|", "<&", "<>", ">", "<"};
    size_t digits = strspn(s, "0123456789");
    if (strncmp(s + digits, "<<", 2) == 0 && s[digits + 2] != '<')
        return 0;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strncmp(s + digits, operators[i], strlen(operators[i])) == 0)
            return operators[i][0] == '&' && digits ? 0 : digits + strlen(operators[i]);
    return 0;
}

/* Assignments and redirections in front of a command, and commands that are nothing else. 0 when it cannot be
 * told where they end. `ret_path` is set when PATH is assigned: a word is then looked for elsewhere. */
static int skip_to_command(const char **s, int *ret_path)
{
    for (;;) {
        skip_gap(s, 1);
        size_t name = assigned_name(*s), op = name ? 0 : redirection(*s);
        if (!name && !op)
            return 1;
        *ret_path |= strncmp(*s, "PATH=", 5) == 0 || strncmp(*s, "PATH+=", 6) == 0;
        *s += name + op;
        if (op)
            skip_gap(s, 0);
        const char *begin = *s;
        if (!skip_word(s) || **s == '(' || (op && *s == begin))
            return 0;
        skip_gap(s, 0);
        if (**s == ';' && (*s)[1] != ';')
            ++*s;
        else if (shell_one_of(**s, OPERATORS) && !redirection(*s))
            return 0;
    }
}

/* '...' or "..." at *s, or with a $ in front, without its quotes. 0 when a shell would act upon something in
 * it. */
static int read_quoted(const char **s, deja_buffer *word)
{
    int dollar = **s == '$';
    *s += dollar;
    char quote = *(*s)++;
    for (; **s != quote; ++*s) {
        if (!**s || shell_is_mark(**s) || (quote == '"' && shell_one_of(**s, "$`\\!")) ||
            (dollar && **s == '\\'))
            return 0;
        deja_buffer_add_char(word, **s);
    }
    ++*s;
    return 1;
}

/* The word at *s, without its quotes. 0 when there is none, or a shell would act upon it. */
static int read_word(const char **s, deja_buffer *word)
{
    char before = 0;
    while (**s && !shell_one_of(**s, BLANKS "\n" OPERATORS)) {
        const char *at = *s;
        if (strncmp(at, "\\\n", 2) == 0) {
            *s += 2;
            continue;
        }
        if (shell_one_of(*at, "'\"") || (*at == '$' && shell_one_of(at[1], "'\""))) {
            if (!read_quoted(s, word))
                return 0;
        } else if (*at == '\\' && at[1] && !shell_is_mark(at[1])) {
            deja_buffer_add_char(word, at[1]);
            *s += 2;
        } else if (shell_is_literal(*at, before)) {
            deja_buffer_add_char(word, *at);
            ++*s;
        } else {
            *s += !at[1] && shell_one_of(*at, "\\$"); /* what follows decides */
            return 0;
        }
        before = (*s)[-1];
    }
    return before != 0;
}

/* The options of `exec`: -c, -l, -a NAME, and -- at their end. 0 for others. */
static int skip_exec_options(const char **s)
{
    DEJA_AUTO_BUFFER deja_buffer option = {0};
    for (skip_gap(s, 0); **s == '-'; skip_gap(s, 0)) {
        deja_buffer_clear(&option);
        if (!read_word(s, &option) || option.failed)
            return 0;
        const char *letters = option.data + 1, *name = strchr(letters, 'a');
        if (strcmp(letters, "-") == 0)
            break;
        if (!*letters || letters[strspn(letters, "cl")] != (name ? 'a' : '\0'))
            return 0;
        skip_gap(s, 0);
        if (name && !name[1] && !skip_word(s))
            return 0;
    }
    skip_gap(s, 0);
    return assigned_name(*s) == 0;
}

/* The program into `word`: 1, or 0 when there is none that could be told. *s stops where that is decided. */
static int find_program(const char **s, deja_buffer *word)
{
    int has_path = 0, plain = skip_to_command(s, &has_path) && read_word(s, word);
    while (plain && strcmp(deja_buffer_string(word), "exec") == 0 && **s != '(') {
        deja_buffer_clear(word);
        plain = skip_exec_options(s) && skip_to_command(s, &has_path) && read_word(s, word);
    }
    const char *found = deja_buffer_string(word), *next = *s;
    skip_gap(&next, 0);
    return plain && shell_is_program(found, word->len) && *next != '(' && (!has_path || strchr(found, '/'));
}

char *shell_first_word(const char *text, deja_arena *arena)
{
    DEJA_AUTO_BUFFER deja_buffer word = {0};
    int found = find_program(&text, &word);
    if (word.failed)
        arena->failed = 1;
    return !found || word.failed ? NULL : deja_arena_dup(arena, word.data, word.len);
}

int shell_first_word_ends(const char *text)
{
    DEJA_AUTO_BUFFER deja_buffer word = {0};
    find_program(&text, &word);
    return *text != '\0' && !word.failed;
}
