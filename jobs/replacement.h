#ifndef REPLACEMENT_H
#define REPLACEMENT_H
/*
 * Replacement strings, the expressions of `deja map`: `{}` stands for all arguments of a job, `{1}` for the
 * first, `{-1}` for the last, `{name}` for the one that a header calls so, `{#}` for the number of the job.
 * Behind a dot and slashes each has a part of a path, as an attribute in a batch:
 *
 *     {.} without its extension     {/} the name     {//} the folder     {/.} the name without its extension
 *
 * and {1.} {1/} {1//} {1/.} of one argument. What else stands in braces is text. A text is parsed into the
 * form of template.h, so that words, paths and shell texts are rendered as those of a batch are.
 */
#include "feed.h"
#include "shell.h"
#include "template.h"

typedef struct replacement_syntax {
    const char *all;          /* what stands for `{}`, alone and without any other form; NULL: all of them */
    int only_number;          /* `{#}` alone: there are no arguments */
    int is_shell;             /* shell text: what stands behind a `$` is the shell's */
    const char *const *names; /* of the first `name_count` arguments */
    size_t name_count;
    size_t most; /* so many arguments a job can have; 0: any number */
} replacement_syntax;

/* Parses `text` (NUL-terminated, copied); all memory from `arena`. DEJA_EINVAL for a number above `most`. To
 * be followed by replacement_place. */
int replacement_parse(template_text *ret, const char *text, const replacement_syntax *syntax,
                      deja_arena *arena, deja_error *err);

/*
 * Tells which parts of the text become words by themselves: `places` has a shell_place of each; NULL: a text
 * that is one replacement string does. DEJA_EINVAL where several arguments would be glued to other text.
 */
int replacement_place(const template_text *t, const replacement_syntax *syntax, const unsigned char *places,
                      deja_error *err);

/* 1 when the text has one that stands for all arguments. */
int replacement_has_all(const template_text *t);

/* What an expression of such a text stands for in job `row`: a text or, of several arguments or none, a list.
 * An argument that the job does not have is no word, and glued to text nothing. Memory from `arena`. */
int replacement_resolve(const feed_row *row, const template_expr *e, deja_arena *arena, template_value *ret,
                        deja_error *err);

#endif
