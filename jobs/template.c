/*
 * Parsing and rendering of texts with `${{ expressions }}`, and the attributes of paths.
 */
#include "template.h"
#include <string.h>

const char *const template_attributes[] = {"name", "stem", "ext", "dir", NULL};

/* What the parser appends to: growing arrays, copied into the arena at the end. */
typedef struct parser {
    const char *text;
    size_t len;
    deja_arena *arena;
    template_part *parts;
    size_t count, cap;
    const char **names; /* of the expression at hand */
    size_t name_count, name_cap;
    size_t expr_count;
    size_t fault; /* offset of the error */
    int failed;   /* out of memory */
} parser;

static int starts(const parser *p, size_t at, const char *with)
{
    size_t n = strlen(with);
    return p->len - at >= n && memcmp(p->text + at, with, n) == 0;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int is_name(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9') || c == '-';
}

static void add_part(parser *p, size_t offset, size_t len, const template_expr *expr)
{
    if (len == 0 || p->failed)
        return;
    template_part *grown = deja_grow(p->parts, p->count, &p->cap, sizeof *grown);
    if (!grown) {
        p->failed = 1;
        return;
    }
    p->parts = grown;
    p->parts[p->count++] = (template_part){.offset = offset, .len = len, .expr = expr};
}

static void add_name(parser *p, size_t offset, size_t len)
{
    const char **grown = deja_grow(p->names, p->name_count, &p->name_cap, sizeof *grown);
    if (grown)
        p->names = grown;
    char *name = grown ? deja_arena_dup(p->arena, p->text + offset, len) : NULL;
    if (!name) {
        p->failed = 1;
        return;
    }
    p->names[p->name_count++] = name;
}

static const template_expr *make_expr(parser *p, size_t offset, size_t end)
{
    template_expr *e = deja_arena_alloc(p->arena, sizeof *e);
    const char **names = deja_arena_alloc(p->arena, p->name_count * sizeof *names);
    if (!e || !names || p->failed) {
        p->failed = 1;
        return NULL;
    }
    memcpy(names, p->names, p->name_count * sizeof *names);
    *e = (template_expr){.names = names, .count = p->name_count, .offset = offset, .len = end - offset};
    return e;
}

static size_t skip_blanks(const parser *p, size_t at)
{
    while (at < p->len && is_blank(p->text[at]))
        at++;
    return at;
}

static int fault_at(parser *p, size_t offset, deja_error *err, const char *what)
{
    p->fault = offset;
    return deja_fail(err, DEJA_ESYNTAX, "%s", what);
}

/* One name of the path at *at, which moves behind it. */
static int parse_name(parser *p, size_t open, size_t *at, deja_error *err)
{
    size_t begin = *at;
    if (begin >= p->len)
        return fault_at(p, open, err, "'${{' without '}}' ('$${{' writes a literal '${{')");
    if (!is_name_start(p->text[begin]))
        return fault_at(p, begin, err,
                        starts(p, begin, "}}") ? "a name is missing before '}}'"
                                               : "a name must begin with a letter or '_'");
    while (*at < p->len && is_name(p->text[*at]))
        ++*at;
    add_name(p, begin, *at - begin);
    return 0;
}

/* The expression whose `${{` is at *at, which moves behind its `}}`. */
static int parse_expr(parser *p, size_t *at, deja_error *err)
{
    size_t open = *at, i = skip_blanks(p, open + 3);
    p->name_count = 0;
    for (;;) {
        int code = parse_name(p, open, &i, err);
        if (code)
            return code;
        if (i >= p->len || p->text[i] != '.')
            break;
        i++;
    }
    i = skip_blanks(p, i);
    if (i >= p->len)
        return fault_at(p, open, err, "'${{' without '}}' ('$${{' writes a literal '${{')");
    if (!starts(p, i, "}}"))
        return fault_at(p, i, err, "expected '.' or '}}' after a name");
    *at = i + 2;
    add_part(p, open, *at - open, make_expr(p, open, *at));
    p->expr_count++;
    return 0;
}

static int parse_all(parser *p, deja_error *err)
{
    size_t literal = 0, i = 0;
    while (i < p->len) {
        const char *dollar = memchr(p->text + i, '$', p->len - i);
        if (!dollar)
            break;
        i = (size_t)(dollar - p->text);
        if (starts(p, i, "$${{")) {
            add_part(p, literal, i - literal, NULL);
            literal = i + 1;
            i += 4;
        } else if (starts(p, i, "${{")) {
            add_part(p, literal, i - literal, NULL);
            int code = parse_expr(p, &i, err);
            if (code)
                return code;
            literal = i;
        } else {
            i++;
        }
    }
    add_part(p, literal, p->len - literal, NULL);
    return p->failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
}

static int finish(parser *p, template_text *ret, deja_error *err)
{
    char *source = deja_arena_dup(p->arena, p->text, p->len);
    template_part *parts = deja_arena_alloc(p->arena, (p->count + 1) * sizeof *parts);
    if (!source || !parts)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (p->count)
        memcpy(parts, p->parts, p->count * sizeof *parts);
    *ret = (template_text){
        .source = source, .len = p->len, .parts = parts, .count = p->count, .expr_count = p->expr_count};
    return 0;
}

static int add_word(template_words *w, const char *data, size_t len, deja_arena *arena, deja_error *err)
{
    const char **grown = deja_grow(w->words, w->count, &w->cap, sizeof *grown);
    if (grown)
        w->words = grown;
    const char *word = grown ? deja_arena_dup(arena, data, len) : NULL;
    if (!word)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    w->words[w->count++] = word;
    return 0;
}

static size_t trim_slashes(const char *s, size_t len)
{
    while (len > 1 && s[len - 1] == '/')
        len--;
    return len;
}

/* Where the last component of a trimmed path begins. */
static size_t name_start(const char *s, size_t len)
{
    size_t i = len;
    while (i > 0 && s[i - 1] != '/')
        i--;
    return i < len ? i : 0; /* "/" is its own name */
}

/* Where the extension of a name begins, its length when it has none. Leading dots are no extension. */
static size_t ext_start(const char *name, size_t len)
{
    size_t first = 0;
    while (first < len && name[first] == '.')
        first++;
    for (size_t i = len; i > first; i--)
        if (name[i - 1] == '.')
            return i - 1;
    return len;
}

static void path_dir(const char *value, size_t name, const char **ret, size_t *ret_len)
{
    *ret = name ? value : ".";
    *ret_len = name ? trim_slashes(value, name) : 1;
}

int template_parse(template_text *ret, const char *text, size_t len, deja_arena *arena, size_t *ret_offset,
                   deja_error *err)
{
    parser p = {.text = text, .len = len, .arena = arena};
    const char *nul = len ? memchr(text, 0, len) : NULL;
    int code = nul ? fault_at(&p, (size_t)(nul - text), err, "a NUL byte") : parse_all(&p, err);
    if (!code)
        code = finish(&p, ret, err);
    if (code && ret_offset)
        *ret_offset = p.fault;
    deja_free(p.parts);
    deja_free(p.names);
    return code;
}

const template_expr *template_only(const template_text *t)
{
    return t->count == 1 && t->parts[0].len == t->len ? t->parts[0].expr : NULL;
}

int template_value_of(const template_text *t, const template_part *part, template_resolve resolve,
                      void *context, template_value *ret, deja_error *err)
{
    *ret = (template_value){0};
    int code = resolve(context, part->expr, ret, err);
    if (code || ret->is_list)
        return code;
    if (ret->len && memchr(ret->data, 0, ret->len))
        return deja_fail(err, DEJA_EINVAL, "the value of '%.*s' holds a NUL byte", (int)part->len,
                         t->source + part->offset);
    return 0;
}

int template_list_refused(const template_text *t, const template_part *part, deja_error *err)
{
    return deja_fail(err, DEJA_ETYPE, "'%.*s' is a list: it must stand alone, as a word by itself",
                     (int)part->len, t->source + part->offset);
}

int template_render(const template_text *t, template_resolve resolve, void *context, deja_buffer *ret,
                    size_t *ret_offset, deja_error *err)
{
    for (size_t i = 0; i < t->count; i++) {
        const template_part *part = &t->parts[i];
        if (!part->expr) {
            deja_buffer_add(ret, t->source + part->offset, part->len);
            continue;
        }
        template_value value;
        int code = template_value_of(t, part, resolve, context, &value, err);
        if (!code && value.is_list)
            code = template_list_refused(t, part, err);
        if (code) {
            if (ret_offset)
                *ret_offset = part->offset;
            return code;
        }
        deja_buffer_add(ret, value.data, value.len);
    }
    return ret->failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
}

int template_render_words(const template_text *t, template_resolve resolve, void *context,
                          template_words *words, deja_arena *arena, size_t *ret_offset, deja_error *err)
{
    const template_expr *only = template_only(t);
    template_value value = {0};
    int code = only ? resolve(context, only, &value, err) : 0;
    if (code && ret_offset)
        *ret_offset = only->offset;
    if (code)
        return code;
    if (value.is_list) {
        for (size_t i = 0; i < value.count && !code; i++)
            code = add_word(words, value.items[i], strlen(value.items[i]), arena, err);
        return code;
    }
    deja_buffer b = {0};
    code = template_render(t, resolve, context, &b, ret_offset, err);
    if (!code)
        code = add_word(words, deja_buffer_string(&b), b.len, arena, err);
    deja_buffer_done(&b);
    return code;
}

void template_words_done(template_words *words)
{
    deja_free(words->words);
    *words = (template_words){0};
}

int template_attribute(const char *value, size_t len, const char *attribute, const char **ret,
                       size_t *ret_len)
{
    if (len == 0)
        value = "";
    size_t end = trim_slashes(value, len);
    size_t name = end ? name_start(value, end) : 0;
    size_t ext = name + ext_start(value + name, end - name);
    if (strcmp(attribute, "name") == 0) {
        *ret = value + name;
        *ret_len = end - name;
    } else if (strcmp(attribute, "stem") == 0) {
        *ret = value + name;
        *ret_len = ext - name;
    } else if (strcmp(attribute, "ext") == 0) {
        *ret = value + ext;
        *ret_len = end - ext;
    } else if (strcmp(attribute, "dir") == 0) {
        if (end == 1 && value[0] == '/') {
            *ret = "/";
            *ret_len = 1;
        } else {
            path_dir(value, name, ret, ret_len);
        }
    } else {
        return DEJA_ENOTFOUND;
    }
    return 0;
}
