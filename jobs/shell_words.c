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

char *shell_first_word(const char *text, deja_arena *arena)
{
    DEJA_AUTO_BUFFER deja_buffer word = {0};
    const char *s = text + strspn(text, " \t\n");
    word_end how = next_word(&s, &word);
    const char *found = deja_buffer_string(&word);
    if (how == WORD_NONE || !is_program(found, word.len) || *s == '(')
        return NULL;
    if (how == WORD_OPERATOR && is_number(found) && one_of(*s, "<>"))
        return NULL;
    if (word.failed)
        arena->failed = 1;
    return word.failed ? NULL : deja_arena_dup(arena, found, word.len);
}
