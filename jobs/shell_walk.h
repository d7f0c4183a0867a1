#ifndef SHELL_WALK_H
#define SHELL_WALK_H
/*
 * The walk over a shell text that finds out where its expressions stand. It follows quoting, nesting,
 * comments, here-documents and as much grammar as decides where those begin and end (reserved words, case
 * patterns, [[ ]], arrays). It need not understand all of the language: where it cannot be certain it says
 * so, and expressions from there on are refused.
 */
#include "shell.h"

/* Shells that quote alike and differ in what they have besides. */
typedef enum shell_family {
    SHELL_NONE, /* not a shell of this kind */
    SHELL_SH,   /* sh, dash, ash, busybox: sh may be any of them, or bash */
    SHELL_BASH,
    SHELL_KSH,
    SHELL_ZSH,
} shell_family;

/*
 * Writes the shell_place of each expression into places[index of its part], and into `*ret_pipe` whether a
 * pipe was seen. Errors as shell_parse.
 */
int shell_walk(const template_text *t, shell_family family, unsigned char *places, int *ret_pipe,
               size_t *ret_offset, deja_error *err);

#endif
