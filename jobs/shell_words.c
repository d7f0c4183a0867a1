/*
 * The words of a text that needs no shell.
 */
#include "shell.h"
#include "shell_reserved.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

typedef enum word_end {
    WORD_NONE,     /* no word, or one that only a shell understands */
    WORD_PLAIN,    /* ended by a blank or the end of the text */
    WORD_OPERATOR, /* ended by an operator */
} word_end;

static int one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

/* Bytes that bash uses as marks inside its own words. */
static int is_mark(char c)
{
    return c == '\001' || c == '\177';
}

/* '...' or "..." at *s, appended without its quotes. 0 when a shell would act upon something in it. */
static int quoted_piece(const char **s, deja_buffer *word)
{
    char quote = *(*s)++;
    for (; **s != quote; ++*s) {
        if (!**s || is_mark(**s) || (quote == '"' && one_of(**s, "$`\\!")))
            return 0;
        deja_buffer_add_char(word, **s);
    }
    ++*s;
    return 1;
}

/* 1 when unquoted `c` means itself after `before` (0 at the start of a word). */
static int is_literal(char c, char before)
{
    if (is_mark(c) || one_of(c, "$`\\*?[]{}!^\n"))
        return 0;
    if (!before && one_of(c, "#=%"))
        return 0;
    return c != '~' || (before && !one_of(before, "=:'\""));
}

/* The word at *s, which moves behind it. */
static word_end next_word(const char **s, deja_buffer *word)
{
    char before = 0;
    while (**s && !one_of(**s, " \t\n")) {
        if (one_of(**s, ";&|<>()"))
            return before ? WORD_OPERATOR : WORD_NONE;
        char c = **s;
        if (c == '\'' || c == '"') {
            if (!quoted_piece(s, word))
                return WORD_NONE;
        } else if (is_literal(c, before)) {
            deja_buffer_add_char(word, c);
            ++*s;
        } else {
            return WORD_NONE;
        }
        before = c;
    }
    return before ? WORD_PLAIN : WORD_NONE;
}

/* 1 for a word that names a program when it is the first: no assignment, no descriptor of a redirection, no
 * builtin. */
static int is_program(const char *word, size_t len)
{
    return len && !strchr(word, '=') && !shell_is_builtin(word) && deja_text_is_utf8(word, len);
}

static int is_number(const char *word)
{
    return word[strspn(word, "0123456789")] == 0;
}

/* Adds `word` to the array of words. */
static int add_word(char ***words, size_t *count, size_t *cap, const deja_buffer *word, deja_arena *arena)
{
    char **grown = deja_grow(*words, *count, cap, sizeof *grown);
    if (grown)
        *words = grown;
    char *copy = grown ? deja_arena_dup(arena, deja_buffer_string(word), word->len) : NULL;
    if (!copy) {
        arena->failed = 1;
        return 0;
    }
    (*words)[(*count)++] = copy;
    return 1;
}

static char **finish(char **words, size_t count, deja_arena *arena)
{
    char **ret = count ? deja_arena_alloc(arena, (count + 1) * sizeof *ret) : NULL;
    if (!ret)
        return NULL;
    memcpy(ret, words, count * sizeof *ret);
    ret[count] = NULL;
    return ret;
}

char **shell_words(const char *text, deja_arena *arena)
{
    DEJA_AUTO_FREE char **words = NULL;
    size_t count = 0, cap = 0;
    DEJA_AUTO_BUFFER deja_buffer word = {0};
    const char *s = text + strspn(text, " \t\n");
    const char *end = s + strlen(s);
    while (end > s && one_of(end[-1], " \t\n"))
        end--;
    if (!deja_text_is_utf8(s, (size_t)(end - s)))
        return NULL;
    while (s < end) {
        deja_buffer_clear(&word);
        if (next_word(&s, &word) != WORD_PLAIN ||
            (count == 0 && !is_program(deja_buffer_string(&word), word.len)))
            return NULL;
        if (word.failed) {
            arena->failed = 1;
            return NULL;
        }
        if (!add_word(&words, &count, &cap, &word, arena))
            return NULL;
        s += strspn(s, " \t");
        if (*s == '\n' && s < end)
            return NULL;
    }
    return finish(words, count, arena);
}

/* Blanks, lines without a command, comments. */
static void skip_empty(const char **s)
{
    for (*s += strspn(*s, " \t\n"); **s == '#'; *s += strspn(*s, " \t\n"))
        *s += strcspn(*s, "\n");
}

/* The length of "NAME=" or "NAME+=", 0 for anything else. */
static size_t assigned_name(const char *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t len = one_of(*s, letters) ? 1 : 0;
    while (len && (one_of(s[len], letters) || one_of(s[len], "0123456789")))
        len++;
    len += len && s[len] == '+' && s[len + 1] == '=';
    return len && s[len] == '=' ? len + 1 : 0;
}

/* "..." at *s; *s stays inside where it cannot be told where it ends. */
static int skip_double(const char **s)
{
    for (++*s; **s != '"'; ++*s) {
        if (**s == '\\' && (*s)[1])
            ++*s;
        else if (!**s || **s == '`' || strncmp(*s, "$(", 2) == 0)
            return 0;
    }
    ++*s;
    return 1;
}

/* What is assigned, up to a blank or an operator. 0 when commands are executed in it, or it is an array. */
static int skip_value(const char **s)
{
    for (; **s && !one_of(**s, " \t\n;&|<>()"); ++*s) {
        if (**s == '`' || strncmp(*s, "$(", 2) == 0 || strncmp(*s, "${", 2) == 0)
            return 0;
        if (**s == '\\' && (*s)[1]) {
            ++*s;
        } else if (**s == '"' || **s == '\'') {
            size_t len = **s == '\'' ? strcspn(*s + 1, "'") : 0;
            if (**s == '\'')
                *s += 1 + len;
            else if (skip_double(s))
                --*s;
            if (!one_of(**s, "'\""))
                return 0;
        }
    }
    return **s != '(';
}

/* All in front of the first command: comments, and assignments, for it or for the text. 0 when it cannot be
 * told where that begins. `ret_path` is set when PATH is assigned: a word is then looked for elsewhere. */
static int skip_to_command(const char **s, int *ret_path)
{
    for (;;) {
        skip_empty(s);
        size_t name = assigned_name(*s);
        if (!name)
            return 1;
        *ret_path |= strncmp(*s, "PATH=", 5) == 0 || strncmp(*s, "PATH+=", 6) == 0;
        *s += name;
        if (!skip_value(s))
            return 0;
        *s += strspn(*s, " \t");
        if (*s[0] == ';' && (*s)[1] != ';')
            ++*s;
        else if (one_of(**s, ";&|<>()"))
            return 0;
    }
}

/* The program into `word`: 1, or 0 when there is none that could be told. *s stops where that is decided. */
static int find_program(const char **s, deja_buffer *word)
{
    int has_path = 0;
    word_end how = skip_to_command(s, &has_path) ? next_word(s, word) : WORD_NONE;
    if (how == WORD_PLAIN && strcmp(deja_buffer_string(word), "exec") == 0) {
        deja_buffer_clear(word);
        *s += strspn(*s, " \t");
        how = **s == '-' ? WORD_NONE : next_word(s, word);
    }
    const char *found = deja_buffer_string(word);
    if (how == WORD_NONE || !is_program(found, word->len) || **s == '(')
        return 0;
    if (how == WORD_OPERATOR && is_number(found) && one_of(**s, "<>"))
        return 0;
    return !has_path || strchr(found, '/');
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
