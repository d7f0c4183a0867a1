/*
 * Parsing of replacement strings, and what they stand for.
 */
#include "replacement.h"
#include <deja/cleanup.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The part of a path that stands for it. */
typedef enum form {
    FORM_WHOLE,
    FORM_NO_EXT,
    FORM_NAME,
    FORM_DIR,
    FORM_STEM,
} form;

typedef struct replacement {
    template_expr expr; /* first: what the template knows of it */
    int position;       /* 1, 2, ...; -1, -2, ... from the end; 0: all */
    int is_number;      /* {#} */
    int is_word;        /* it stands alone: a list may be many words, or none */
    form form;
} replacement;

/* The longest number of an argument in a replacement string. */
enum { DIGITS_MOST = 6 };

typedef struct parser {
    const replacement_syntax *syntax;
    const char *text;
    deja_arena *arena;
    template_part *parts;
    size_t count, cap, exprs;
    int failed; /* out of memory */
} parser;

static const replacement *of_expr(const template_expr *e)
{
    return (const replacement *)(const void *)e;
}

static void add_part(parser *p, size_t offset, size_t len, const template_expr *expr)
{
    if (len == 0 || p->failed)
        return;
    template_part *parts = deja_grow(p->parts, p->count, &p->cap, sizeof *parts);
    p->failed = !parts;
    if (!parts)
        return;
    p->parts = parts;
    parts[p->count++] = (template_part){.offset = offset, .len = len, .expr = expr};
}

static void add_replacement(parser *p, size_t offset, size_t len, const replacement *found)
{
    replacement *r = deja_arena_alloc(p->arena, sizeof *r);
    const char **names = deja_arena_alloc(p->arena, sizeof *names);
    char *name = deja_arena_dup(p->arena, p->text + offset, len);
    if (!r || !names || !name) {
        p->failed = 1;
        return;
    }
    *r = *found;
    names[0] = name;
    r->expr = (template_expr){.names = names, .count = 1, .offset = offset, .len = len};
    p->exprs++;
    add_part(p, offset, len, &r->expr);
}

/* What stands in front of the form at the end of `text`. */
static size_t cut_form(const char *text, size_t len, form *ret)
{
    static const struct {
        const char *suffix;
        form form;
    } forms[] = {{"/.", FORM_STEM}, {"//", FORM_DIR}, {"/", FORM_NAME}, {".", FORM_NO_EXT}};
    *ret = FORM_WHOLE;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t n = strlen(forms[i].suffix);
        if (len >= n && memcmp(text + len - n, forms[i].suffix, n) == 0) {
            *ret = forms[i].form;
            return len - n;
        }
    }
    return len;
}

/* A number that is not 0; 0 for anything else. */
static int number_of(const char *text, size_t len)
{
    int sign = len > 0 && text[0] == '-' ? -1 : 1, n = 0;
    size_t i = sign < 0;
    if (len == i || len - i > DIGITS_MOST || text[i] == '0')
        return 0;
    for (; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        n = 10 * n + (text[i] - '0');
    }
    return sign * n;
}

static int position_of(const replacement_syntax *s, const char *text, size_t len)
{
    for (size_t i = 0; i < s->name_count; i++)
        if (strlen(s->names[i]) == len && memcmp(s->names[i], text, len) == 0)
            return (int)i + 1;
    return number_of(text, len);
}

/* The inside of braces: 1 when it is a replacement string. */
static int read_inside(const replacement_syntax *s, const char *text, size_t len, replacement *ret)
{
    *ret = (replacement){0};
    if (len == 1 && text[0] == '#')
        return ret->is_number = 1;
    if (s->only_number)
        return 0;
    ret->position = position_of(s, text, len); /* a name may end as a form does */
    if (ret->position || len == 0)
        return 1;
    size_t rest = cut_form(text, len, &ret->form);
    if (rest == len)
        return 0;
    ret->position = position_of(s, text, rest);
    return rest == 0 || ret->position != 0;
}

/* A replacement string at the begin of `text`: its length, or 0. */
static size_t match(const replacement_syntax *s, const char *text, replacement *ret)
{
    if (s->all) {
        size_t len = strlen(s->all);
        *ret = (replacement){0};
        return strncmp(text, s->all, len) == 0 ? len : 0;
    }
    const char *end = text[0] == '{' ? strchr(text, '}') : NULL;
    if (!end || !read_inside(s, text + 1, (size_t)(end - text) - 1, ret))
        return 0;
    return (size_t)(end - text) + 1;
}

static int check_position(const parser *p, size_t at, size_t len, int position, deja_error *err)
{
    size_t n = position < 0 ? (size_t)-position : (size_t)position;
    size_t most = p->syntax->most;
    if (most == 0 || n <= most)
        return 0;
    return deja_fail(err, DEJA_EINVAL,
                     "'%.*s' in '%s', but a job has only %zu argument%s; '-I %%' makes %% the only "
                     "replacement string",
                     (int)len, p->text + at, p->text, most, most == 1 ? "" : "s");
}

static int parse_all(parser *p, deja_error *err)
{
    size_t literal = 0, i = 0;
    while (p->text[i]) {
        replacement found;
        int is_shells = p->syntax->is_shell && i > 0 && p->text[i - 1] == '$';
        size_t len = is_shells ? 0 : match(p->syntax, p->text + i, &found);
        if (len == 0) {
            i++;
            continue;
        }
        int code = check_position(p, i, len, found.position, err);
        if (code)
            return code;
        add_part(p, literal, i - literal, NULL);
        add_replacement(p, i, len, &found);
        literal = i += len;
    }
    add_part(p, literal, i - literal, NULL);
    return 0;
}

static int finish(parser *p, template_text *ret, deja_error *err)
{
    size_t len = strlen(p->text);
    char *source = deja_arena_dup(p->arena, p->text, len);
    template_part *parts = deja_arena_alloc(p->arena, (p->count + 1) * sizeof *parts);
    if (!source || !parts || p->failed)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (p->count)
        memcpy(parts, p->parts, p->count * sizeof *parts);
    *ret = (template_text){
        .source = source, .len = len, .parts = parts, .count = p->count, .expr_count = p->exprs};
    return 0;
}

int replacement_parse(template_text *ret, const char *text, const replacement_syntax *syntax,
                      deja_arena *arena, deja_error *err)
{
    parser p = {.syntax = syntax, .text = text, .arena = arena};
    int code = parse_all(&p, err);
    if (!code)
        code = finish(&p, ret, err);
    deja_free(p.parts);
    return code;
}

int replacement_place(const template_text *t, const replacement_syntax *syntax, const unsigned char *places,
                      deja_error *err)
{
    for (size_t i = 0; i < t->count; i++) {
        replacement *r = (replacement *)(void *)t->parts[i].expr;
        if (!r)
            continue;
        r->is_word = places ? places[i] == SHELL_WORD : t->count == 1;
        int is_many = !r->is_number && r->position == 0 && syntax->most != 1;
        if (is_many && !r->is_word && !(places && places[i] == SHELL_COMMENT))
            return deja_fail(err, DEJA_EINVAL,
                             "'%s' in '%s' stands for several arguments: it must be a word by itself",
                             r->expr.names[0], t->source);
    }
    return 0;
}

int replacement_has_all(const template_text *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->parts[i].expr && !of_expr(t->parts[i].expr)->is_number &&
            of_expr(t->parts[i].expr)->position == 0)
            return 1;
    return 0;
}

/* Up to its extension. */
static const char *without_ext(const char *value, deja_arena *arena)
{
    const char *ext;
    size_t len;
    template_attribute(value, strlen(value), "ext", &ext, &len);
    return len ? deja_arena_dup(arena, value, (size_t)(ext - value)) : value;
}

static const char *attribute(const char *value, const char *name, deja_arena *arena)
{
    const char *part;
    size_t len;
    template_attribute(value, strlen(value), name, &part, &len);
    return deja_arena_dup(arena, part, len);
}

static const char *apply(form f, const char *value, deja_arena *arena)
{
    switch (f) {
    case FORM_NO_EXT:
        return without_ext(value, arena);
    case FORM_NAME:
        return attribute(value, "name", arena);
    case FORM_DIR:
        return attribute(value, "dir", arena);
    case FORM_STEM:
        return attribute(value, "stem", arena);
    default:
        return value;
    }
}

static int set_all(const feed_row *row, form f, deja_arena *arena, template_value *ret)
{
    const char **items = row->values;
    if (f != FORM_WHOLE)
        items = deja_arena_alloc(arena, ((size_t)row->count + 1) * sizeof *items);
    for (uint32_t i = 0; items && f != FORM_WHOLE && i < row->count; i++)
        items[i] = apply(f, row->values[i], arena);
    *ret = (template_value){.items = items, .count = row->count, .is_list = 1};
    return !arena->failed;
}

/* The place of an argument in the row, or its count: there is none. */
static uint32_t place_of(const feed_row *row, int position)
{
    int64_t at = position > 0 ? position - 1 : (int64_t)row->count + position;
    return at >= 0 && at < row->count ? (uint32_t)at : row->count;
}

int replacement_resolve(const feed_row *row, const template_expr *e, deja_arena *arena, template_value *ret,
                        deja_error *err)
{
    const replacement *r = of_expr(e);
    const char *value;
    if (r->is_number) {
        char number[16];
        int len = snprintf(number, sizeof number, "%" PRIu32, row->index + 1);
        value = deja_arena_dup(arena, number, (size_t)len);
    } else if (r->position == 0 && row->count != 1) {
        return set_all(row, r->form, arena, ret) ? 0 : deja_fail(err, DEJA_ENOMEM, "out of memory");
    } else {
        uint32_t at = r->position ? place_of(row, r->position) : 0;
        if (at == row->count && r->is_word) {
            *ret = (template_value){.is_list = 1};
            return 0;
        }
        value = at == row->count ? "" : apply(r->form, row->values[at], arena);
    }
    if (!value)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    *ret = (template_value){.data = value, .len = strlen(value)};
    return 0;
}
