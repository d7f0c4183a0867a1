#ifndef SHELL_PIECE_H
#define SHELL_PIECE_H
/*
 * The bytes of words that mean themselves to a shell.
 */
#include "shell_reserved.h"
#include <deja/text.h>
#include <string.h>

static inline int shell_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

/* Bytes that bash uses as marks inside its own words. */
static inline int shell_is_mark(char c)
{
    return c == '\001' || c == '\177';
}

/* 1 when unquoted `c` means itself after `before` (0 at the start of a word). */
static inline int shell_is_literal(char c, char before)
{
    if (shell_is_mark(c) || shell_one_of(c, "$`\\*?[]{}!^\n"))
        return 0;
    if (!before && shell_one_of(c, "#=%"))
        return 0;
    return c != '~' || (before && !shell_one_of(before, "=:'\""));
}

/* 1 for a word that names a program when it is the first: no assignment, no builtin. */
static inline int shell_is_program(const char *word, size_t len)
{
    return len && !strchr(word, '=') && !shell_is_builtin(word) && deja_text_is_utf8(word, len);
}

#endif
