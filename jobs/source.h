#ifndef SOURCE_H
#define SOURCE_H
/*
 * A source text and messages about places in it: "FILE:LINE:COLUMN: what is wrong", then the line itself with
 * a caret.
 */
#include <deja/error.h>
#include <stddef.h>
#include <stdint.h>

typedef struct source {
    const char *path; /* as the user gave it, for messages */
    const char *text;
    size_t len;
    uint32_t file; /* of a text of several files: 0 the first, k: others[k - 1] of that */
    const struct source *const *others; /* of the first file; marks say which one they are in */
} source;

typedef struct mark {
    uint32_t line;   /* 1 is the first; 0: no place */
    uint32_t column; /* 1 is the first, in characters (not bytes) */
    uint32_t offset; /* bytes from the start of the text */
    uint32_t file;   /* which file, see source */
} mark;

/*
 * DEJA_ESYNTAX (without a path, and so without a place, DEJA_EINVAL; DEJA_ENOMEM when memory ran out) with
 * the text deja.yaml:12:7: unknown word 'outptus', did you mean 'outputs'? 12 |       outptus: [a.txt] | ^
 * Control characters of the line are escaped, long lines are cut around the caret.
 */
int source_fail(const source *s, mark at, deja_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The file that a mark stands in. */
const source *source_at(const source *s, mark at);

/* "in line 3", or "in 'x.yaml', line 3" where that is another file than that of `from`. Returns `text`. */
#define SOURCE_PLACE 256
const char *source_place(char text[SOURCE_PLACE], const source *s, mark at, mark from);

/* The mark of the byte `offset`. */
mark source_mark(const source *s, size_t offset);

/*
 * Where byte `offset` of a scalar's value stands in the source, the scalar beginning at `at`: exact for the
 * n-th "${{" of the value (found by counting them), else `at`.
 */
mark source_mark_in(const source *s, mark at, const char *value, size_t offset);

#define SOURCE_WORD 64 /* bytes of a word in a message, its NUL included */

/* A word of the source for a message: cut on a UTF-8 boundary with "..." where it is long. Returns `word`. */
const char *source_word(char word[SOURCE_WORD], const char *text, size_t len);

#endif
