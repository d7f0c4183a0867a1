#ifndef SHELL_H
#define SHELL_H
/*
 * Shell text with expressions. Once per definition the text is walked by the rules of POSIX shell quoting
 * (POSIX.1-2017, XCU 2.2, 2.3, and the additions of bash) to know where each expression stands: bare, in
 * double quotes or in single quotes. Where that cannot be told for certain the expression is refused.
 * Rendering then only inserts: a value can neither end the place that it stands in nor be expanded there.
 * What a command does with its words is its own affair: `bash -c "${{ x }}"` and `ssh host "${{ x }}"` run
 * them; only builtins that evaluate (eval, let, trap, declare, read, [[ -eq ]], ...) are known and refused.
 */
#include "template.h"

typedef enum shell_place {
    SHELL_BARE, /* glued to text: a scalar, as one single-quoted piece */
    SHELL_WORD, /* bare and a word by itself: a scalar, or the items of a list, quoted and joined by blanks */
    SHELL_DOUBLE,      /* in "...": as it is when harmless there, else "'...'" (closed, single-quoted, opened
                          again) */
    SHELL_DOUBLE_NAME, /* in "..." directly after $name: always "'...'", to keep the value out of the name */
    SHELL_SINGLE,      /* in '...': ' becomes '\'' */
    SHELL_COMMENT,     /* in a comment: the expression stays as it is written */
} shell_place;

typedef struct shell_text {
    template_text text;
    const unsigned char *places; /* shell_place of each part of text.parts; meaningless for literals */
    int has_pipe;                /* it has a pipe operator (| or |&) */
} shell_text;

/* 1 for a shell that quotes as POSIX says: bash, sh, dash, ash, zsh, ksh, mksh, busybox sh (by the last
 * component of shell[0]). */
int shell_is_posix(const char *const *shell, size_t shell_count);

/*
 * Parses `text` for the shell whose words are `shell` (say {"bash", "-euo", "pipefail", "-c"}); memory from
 * `arena`. DEJA_ESYNTAX for a malformed expression, DEJA_EINVAL for one that stands where no value can be put
 * safely; `*ret_offset` (NULL allowed) is then its offset in the text. For a shell that is not POSIX every
 * expression is refused; text without one is always fine.
 */
int shell_parse(shell_text *ret, const char *text, size_t len, const char *const *shell, size_t shell_count,
                deja_arena *arena, size_t *ret_offset, deja_error *err);

/* The same for a text that is parsed already, into ret->text. */
int shell_parse_places(shell_text *ret, const char *const *shell, size_t shell_count, deja_arena *arena,
                       size_t *ret_offset, deja_error *err);

/* Appends the text with its values. DEJA_ETYPE for a list that is not a word by itself, DEJA_EINVAL for a NUL
 * in a value. */
int shell_render(const shell_text *s, template_resolve resolve, void *context, deja_buffer *ret,
                 size_t *ret_offset, deja_error *err);

/* Appends `value` as one single-quoted word. */
void shell_quote(deja_buffer *b, const char *value, size_t len);

/*
 * The words of a rendered text that needs no shell: plain words, '...' and "..." without anything that a
 * shell would act upon, and a first word that is no reserved word or builtin of bash or sh. NULL when it
 * needs one (or memory ran out: arena->failed). The array ends with NULL; all memory from `arena`. Two things
 * are left to the caller: an exported shell function of that name (BASH_FUNC_name%% in the environment), and
 * a program that execve(2) refuses with ENOEXEC, which a shell would read.
 */
char **shell_words(const char *text, deja_arena *arena);

/*
 * The program of a rendered text: the first word of its first command where that is plain (quotes are fine),
 * also when the rest needs a shell. Comments, assignments and redirections in front of it are skipped,
 * whatever is expanded or executed in them, and `exec` with its options. NULL for an expansion, a reserved
 * word or a builtin; behind an array, a here-document, or one or a `case` inside of $( ); for a word without
 * a slash behind an assignment of PATH.
 */
char *shell_first_word(const char *text, deja_arena *arena);

/* 1 when that is the same for all texts that begin with `text`. */
int shell_first_word_ends(const char *text);

/* 1 when the text, rendered or not, has a pipe operator (| or |&, not ||) outside quotes and comments. Only a
 * hint depends on it. */
int shell_has_pipe(const char *text, size_t len);

#endif
