/*
 * The words of a text that needs no shell.
 */
#include "shell.h"
#include "shell_piece.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

typedef enum word_end {
    WORD_NONE,  /* no word, one that only a shell understands, or one in front of an operator */
    WORD_PLAIN, /* ended by a blank or the end of the text */
} word_end;

/* '...' or "..." at *s, appended without its quotes. 0 when a shell would act upon something in it. */
static int quoted_piece(const char **s, deja_buffer *word)
{
    char quote = *(*s)++;
    for (; **s != quote; ++*s) {
        if (!**s || shell_is_mark(**s) || (quote == '"' && shell_one_of(**s, "$`\\!")))
            return 0;
        deja_buffer_add_char(word, **s);
    }
    ++*s;
    return 1;
}

/* The word at *s, which moves behind it. */
static word_end next_word(const char **s, deja_buffer *word)
{
    char before = 0;
    while (**s && !shell_one_of(**s, " \t\n")) {
        if (shell_one_of(**s, ";&|<>()"))
            return WORD_NONE;
        char c = **s;
        if (c == '\'' || c == '"') {
            if (!quoted_piece(s, word))
                return WORD_NONE;
        } else if (shell_is_literal(c, before)) {
            deja_buffer_add_char(word, c);
            ++*s;
        } else {
            return WORD_NONE;
        }
        before = c;
    }
    return before ? WORD_PLAIN : WORD_NONE;
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
    while (end > s && shell_one_of(end[-1], " \t\n"))
        end--;
    if (!deja_text_is_utf8(s, (size_t)(end - s)))
        return NULL;
    while (s < end) {
        deja_buffer_clear(&word);
        if (next_word(&s, &word) != WORD_PLAIN ||
            (count == 0 && !shell_is_program(deja_buffer_string(&word), word.len)))
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
