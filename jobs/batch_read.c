/*
 * Reading single values of a batch file.
 */
#include "batch_read.h"
#include "glob.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <stdio.h>
#include <string.h>

static const char *const reserved[] = {"inputs", "outputs", "needs", NULL};

int read_no_memory(batch_reader *r)
{
    return deja_fail(r->err, DEJA_ENOMEM, "out of memory");
}

void *read_alloc(batch_reader *r, size_t count, size_t size)
{
    size_t bytes;
    void *p = __builtin_mul_overflow(count, size, &bytes) ? NULL : deja_arena_alloc(&r->b->arena, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

const char *read_keep(batch_reader *r, const yaml_node *n)
{
    return deja_arena_dup(&r->b->arena, n->text, n->len);
}

const char *read_found(char found[READ_FOUND], const yaml_node *n)
{
    char word[SOURCE_WORD];
    int flag;
    double number;
    if (n->kind != YAML_SCALAR)
        snprintf(found, READ_FOUND, "%s", n->kind == YAML_LIST ? "a list" : "a map");
    else if (n->plain && n->len == 0)
        snprintf(found, READ_FOUND, "nothing");
    else if (yaml_is_null(n) || yaml_bool(n, &flag))
        snprintf(found, READ_FOUND, "%s", n->text);
    else if (yaml_double(n, &number))
        snprintf(found, READ_FOUND, "the number %s", source_word(word, n->text, n->len));
    else
        snprintf(found, READ_FOUND, "the text '%s'", source_word(word, n->text, n->len));
    return found;
}

int read_expected(batch_reader *r, const yaml_node *n, const char *what)
{
    char found[READ_FOUND];
    yaml_node room;
    return source_fail(&r->b->source, n->mark, r->err, "expected %s, found %s", what,
                       read_found(found, read_var(r, n, &room)));
}

int read_scalar(batch_reader *r, const yaml_node *n, const char *what)
{
    return n->kind == YAML_SCALAR && !yaml_is_null(n) ? 0 : read_expected(r, n, what);
}

int read_text(batch_reader *r, const yaml_node *n, const char *what, batch_text *ret)
{
    int code = read_scalar(r, n, what);
    if (code)
        return code;
    template_text *t = read_alloc(r, 1, sizeof *t);
    if (!t)
        return read_no_memory(r);
    size_t offset = 0;
    deja_error problem;
    code = template_parse(t, n->text, n->len, &r->b->arena, &offset, &problem);
    if (code == DEJA_ENOMEM)
        return read_no_memory(r);
    if (code)
        return source_fail(&r->b->source, source_mark_in(&r->b->source, n->mark, n->text, offset), r->err,
                           "%s", problem.text);
    *ret = (batch_text){.template = t, .at = n->mark};
    return 0;
}

static int add_var(batch_reader *r, const yaml_node *n, const template_part *part, int escape, deja_buffer *b)
{
    const char *value;
    size_t len;
    mark at = source_mark_in(&r->b->source, n->mark, n->text, part->offset);
    if (!r->b->vars)
        return source_fail(&r->b->source, at, r->err, "no expression can stand here");
    if (read_var_value(r, part->expr, &value, &len))
        return source_fail(&r->b->source, at, r->err,
                           "only variables of the batch can stand here (and .name, .stem, "
                           ".ext, .dir of them)");
    if (escape)
        glob_escape(b, value, len);
    else
        deja_buffer_add(b, value, len);
    return 0;
}

static int read_constant(batch_reader *r, const yaml_node *n, const char *what, int escape, const char **ret)
{
    batch_text text;
    int code = read_text(r, n, what, &text);
    if (code)
        return code;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (size_t i = 0; i < text.template->count && !code; i++) {
        const template_part *part = &text.template->parts[i];
        if (part->expr)
            code = add_var(r, n, part, escape, &b);
        else
            deja_buffer_add(&b, text.template->source + part->offset, part->len);
    }
    if (code)
        return code;
    *ret = b.failed ? NULL : deja_arena_dup(&r->b->arena, b.data, b.len);
    return *ret ? 0 : read_no_memory(r);
}

int read_literal(batch_reader *r, const yaml_node *n, const char *what, const char **ret)
{
    return read_constant(r, n, what, 0, ret);
}

int read_pattern(batch_reader *r, const yaml_node *n, const char *what, const char **ret)
{
    return read_constant(r, n, what, 1, ret);
}

int read_flag(batch_reader *r, const yaml_node *n, int *ret)
{
    yaml_node room;
    n = read_var(r, n, &room);
    if (yaml_bool(n, ret))
        return 0;
    if (n->kind == YAML_SCALAR && (strcmp(n->text, "true") == 0 || strcmp(n->text, "false") == 0))
        return source_fail(&r->b->source, n->mark, r->err, "expected %s without quotes", n->text);
    return read_expected(r, n, "true or false");
}

int read_texts(batch_reader *r, const yaml_node *n, const char *list, const char *item, batch_text **ret,
               size_t *ret_count)
{
    char word[SOURCE_WORD];
    if (n->kind == YAML_SCALAR && !yaml_is_null(n))
        return source_fail(&r->b->source, n->mark, r->err, "expected %s, found a text: write [%s]", list,
                           source_word(word, n->text, n->len));
    if (n->kind != YAML_LIST)
        return read_expected(r, n, list);
    batch_text *texts = read_alloc(r, n->count, sizeof *texts);
    if (!texts)
        return read_no_memory(r);
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++)
        code = read_text(r, n->pairs[i].value, item, &texts[i]);
    *ret = texts;
    *ret_count = n->count;
    return code;
}

static size_t count_words(const char *const *words)
{
    size_t n = 0;
    while (words[n])
        n++;
    return n;
}

static int unknown_word(batch_reader *r, const yaml_node *key, const char *place, const char *const *words)
{
    char word[SOURCE_WORD];
    source_word(word, key->text, key->len);
    const char *near = deja_text_nearest(key->text, words, count_words(words));
    if (near)
        return source_fail(&r->b->source, key->mark, r->err, "unknown word '%s' in %s, did you mean '%s'?",
                           word, place, near);
    DEJA_AUTO_BUFFER deja_buffer all = {0};
    for (size_t i = 0; words[i]; i++)
        deja_buffer_addf(&all, "%s%s", i ? ", " : "", words[i]);
    return source_fail(&r->b->source, key->mark, r->err, "unknown word '%s' in %s; expected one of: %s", word,
                       place, deja_buffer_string(&all));
}

int read_check_words(batch_reader *r, const yaml_node *map, const char *place, const char *const *words)
{
    for (size_t i = 0; i < map->count; i++) {
        const yaml_node *key = map->pairs[i].key;
        size_t w = 0;
        while (words[w] && strcmp(words[w], key->text) != 0)
            w++;
        if (!words[w])
            return unknown_word(r, key, place, words);
    }
    return 0;
}

const char *read_hint(char hint[READ_HINT], const char *word, const char *const *words, size_t count)
{
    char cut[SOURCE_WORD];
    const char *near = deja_text_nearest(word, words, count);
    hint[0] = '\0';
    if (near)
        snprintf(hint, READ_HINT, ", did you mean '%s'?", source_word(cut, near, strlen(near)));
    return hint;
}

static int is_name(const char *s)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789-";
    return *s && strspn(s, letters) == strlen(s) && *s != '-' && !(*s >= '0' && *s <= '9');
}

int read_name(batch_reader *r, const yaml_node *n, const char *what)
{
    char word[SOURCE_WORD];
    source_word(word, n->text, n->len);
    if (!is_name(n->text))
        return source_fail(
            &r->b->source, n->mark, r->err,
            "'%s' cannot name %s: a name has letters, digits, '_' and '-', and begins with a letter or '_'",
            word, what);
    for (size_t i = 0; reserved[i]; i++)
        if (strcmp(n->text, reserved[i]) == 0)
            return source_fail(&r->b->source, n->mark, r->err,
                               "'%s' cannot name %s: it has a meaning in expressions", word, what);
    return 0;
}

int read_warn(batch_reader *r, mark at, const char *text)
{
    deja_error e;
    batch *b = r->b;
    const char **grown = deja_grow((void *)b->warnings, b->warning_count, &r->warning_cap, sizeof *grown);
    if (!grown)
        return read_no_memory(r);
    b->warnings = grown;
    source_fail(&b->source, at, &e, "warning: %s", text);
    grown[b->warning_count] = deja_arena_dup(&b->arena, e.text, strlen(e.text));
    if (!grown[b->warning_count])
        return read_no_memory(r);
    b->warning_count++;
    return 0;
}
