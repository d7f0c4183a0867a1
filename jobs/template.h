#ifndef TEMPLATE_H
#define TEMPLATE_H
/*
 * Texts that hold expressions: `${{ name }}`, `${{ name.stem }}`, `${{ job.outputs.out }}`. A text is parsed
 * once per definition and rendered once per job. Blanks inside the braces are free; a name is
 * [A-Za-z_][A-Za-z0-9_-]*, names are joined by dots. `$${{` writes a literal `${{` (the leftmost match
 * counts: `$$${{ x }}` is `$` and a literal `${{ x }}`). What a value holds is never expanded again.
 * Resolving names is the caller's.
 */
#include <deja/buffer.h>
#include <deja/memory.h>

typedef struct template_expr {
    const char *const *names; /* the dotted path, NUL-terminated names */
    size_t count;             /* of names, at least 1 */
    size_t offset, len;       /* the bytes of the source from `${{` to `}}` */
} template_expr;

/* Literal parts are slices of the source; the first `$` of `$${{` is in no part. */
typedef struct template_part {
    size_t offset, len;        /* in the source */
    const template_expr *expr; /* NULL for a literal */
} template_part;

typedef struct template_text {
    const char *source; /* NUL-terminated copy */
    size_t len;
    const template_part *parts; /* no empty literals; two literals may be neighbours */
    size_t count;
    size_t expr_count;
} template_text;

/* What an expression stands for: a scalar, or a list of NUL-terminated items. */
typedef struct template_value {
    const char *data; /* scalar */
    size_t len;
    const char *const *items; /* list */
    size_t count;
    int is_list;
} template_value;

/* Finds the value of `e`. What `ret` points to must live until the next call of the resolver. Negative code
 * on failure. */
typedef int (*template_resolve)(void *context, const template_expr *e, template_value *ret, deja_error *err);

/*
 * Parses `text`; everything lives in `arena`. DEJA_ESYNTAX with the byte offset of the fault in `*ret_offset`
 * (NULL allowed) when an expression is unterminated, empty or badly spelled; a NUL byte in the text too. The
 * error text has no position in it.
 */
int template_parse(template_text *ret, const char *text, size_t len, deja_arena *arena, size_t *ret_offset,
                   deja_error *err);

/* The expression, when the whole text is exactly one (and nothing else), else NULL. */
const template_expr *template_only(const template_text *t);

/* The value of an expression part; a scalar with a NUL byte in it is DEJA_EINVAL. For those who render in
 * their own way. */
int template_value_of(const template_text *t, const template_part *part, template_resolve resolve,
                      void *context, template_value *ret, deja_error *err);

/* The error of a list in a place that takes a scalar: DEJA_ETYPE. */
int template_list_refused(const template_text *t, const template_part *part, deja_error *err);

/*
 * Appends the text with its values verbatim: paths, elements of an argv, values of environment variables. A
 * list is DEJA_ETYPE, a NUL in a value DEJA_EINVAL. On failure `*ret_offset` (NULL allowed) is the offset of
 * the expression at fault.
 */
int template_render(const template_text *t, template_resolve resolve, void *context, deja_buffer *ret,
                    size_t *ret_offset, deja_error *err);

/*
 * The same for a place that takes several words (an element of an argv, an entry of `inputs`): a text that is
 * only one expression and has a list becomes the items of the list, perhaps none; any other text one word.
 * Words are appended to `words`, memory from `arena` (the array itself is grown with deja_grow: free it with
 * template_words_done).
 */
typedef struct template_words {
    const char **words; /* NUL-terminated words; not NULL-terminated itself */
    size_t count, cap;
} template_words;
int template_render_words(const template_text *t, template_resolve resolve, void *context,
                          template_words *words, deja_arena *arena, size_t *ret_offset, deja_error *err);
void template_words_done(template_words *words);

/*
 * An attribute of a path, a slice of it (or of static memory). Trailing slashes do not count; stem + ext is
 * always name; attributes chain: `.dir.name`. 0, or DEJA_ENOTFOUND for an attribute of another name.
 *
 *     name  the last component                    "a/b.tar.gz" -> "b.tar.gz"    "/" -> "/"    "" -> ""
 *     stem  name without its last extension       "b.tar"    ".bashrc" -> ".bashrc"    "a." -> "a"
 *     ext   from the last dot on, with the dot    ".gz"      ".bashrc" -> ""           "a." -> "."
 *     dir   before the last component             "a"        "b" -> "."    "/b" -> "/"    "/" -> "/"
 */
int template_attribute(const char *value, size_t len, const char *attribute, const char **ret,
                       size_t *ret_len);

/* The names of the attributes, for suggestions. Ends with NULL. */
extern const char *const template_attributes[];

#endif
