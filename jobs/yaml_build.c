/*
 * From events to a tree. An alias shares the node that it names; what it would be when written out is
 * counted, so that a few lines cannot stand for millions of nodes.
 */
#include "yaml_build.h"
#include <string.h>

#define ANCHOR_BYTES 256 /* of an anchor's name */
#define MANY_KEYS    16  /* from here on keys are compared through a table */

static int no_memory(yaml_build *b)
{
    return deja_fail(b->err, DEJA_ENOMEM, "out of memory");
}

static const yaml_node *find_few(const yaml_frame *f, const yaml_node *key)
{
    for (size_t i = 0; i < f->node->count; i++)
        if (f->pairs[i].key->len == key->len && memcmp(f->pairs[i].key->text, key->text, key->len) == 0)
            return f->pairs[i].key;
    return NULL;
}

/* A key of the map with the same text. */
static int find_key(yaml_build *b, yaml_frame *f, const yaml_node *key, const yaml_node **ret)
{
    *ret = NULL;
    if (f->node->count < MANY_KEYS) {
        *ret = find_few(f, key);
        return 0;
    }
    for (size_t i = f->seen.count; i < f->node->count; i++)
        if (name_table_put(&f->seen, f->pairs[i].key->text, f->pairs[i].key->len, (uint32_t)i))
            return no_memory(b);
    const uint32_t *found = name_table_get(&f->seen, key->text, key->len);
    if (found)
        *ret = f->pairs[*found].key;
    return 0;
}

static int check_key(yaml_build *b, yaml_frame *f, const yaml_node *key)
{
    char word[SOURCE_WORD];
    const yaml_node *other;
    if (key->plain && strcmp(key->text, "<<") == 0)
        return source_fail(b->src, key->mark, b->err,
                           "merge keys ('<<') are not supported: jobs share words by 'defaults'");
    if (key->plain && key->len == 0)
        return source_fail(b->src, key->mark, b->err, "expected a word before ':'");
    int code = find_key(b, f, key, &other);
    if (code || !other)
        return code;
    return source_fail(b->src, key->mark, b->err,
                       "'%s' stands here for the second time, after line %u column %u",
                       source_word(word, key->text, key->len), other->mark.line, other->mark.column);
}

/* Puts a node where it belongs: the root, a key, a value, an item. */
static int attach(yaml_build *b, yaml_node *n, size_t expanded, unsigned height)
{
    if (b->depth == 0) {
        b->root = n;
        return 0;
    }
    yaml_frame *f = &b->frames[b->depth - 1];
    f->expanded += expanded;
    f->height = height + 1 > f->height ? height + 1 : f->height;
    if (f->node->kind == YAML_MAP && !f->key) {
        if (n->kind != YAML_SCALAR)
            return source_fail(b->src, n->mark, b->err, "expected a word before ':', found a %s",
                               n->kind == YAML_LIST ? "list" : "map");
        f->key = n;
        return check_key(b, f, n);
    }
    yaml_pair *grown = deja_grow(f->pairs, f->node->count, &f->cap, sizeof *grown);
    if (!grown)
        return no_memory(b);
    f->pairs = grown;
    f->pairs[f->node->count++] = (yaml_pair){.key = f->key, .value = n};
    f->key = NULL;
    return 0;
}

/* Registers the anchor of a node; its number + 1 in *ret, 0 when it has none. */
static int add_anchor(yaml_build *b, const char *name, yaml_node *n, size_t *ret)
{
    *ret = 0;
    if (!name)
        return 0;
    size_t len = strlen(name);
    if (len > ANCHOR_BYTES)
        return source_fail(b->src, n->mark, b->err, "the name of an anchor has more than %d bytes",
                           ANCHOR_BYTES);
    yaml_anchor *grown = deja_grow(b->anchors, b->anchor_count, &b->anchor_cap, sizeof *grown);
    if (grown)
        b->anchors = grown;
    char *kept = grown ? deja_arena_dup(b->arena, name, len) : NULL;
    if (!kept || name_table_put(&b->anchor_names, kept, len, (uint32_t)b->anchor_count))
        return no_memory(b);
    b->anchors[b->anchor_count++] = (yaml_anchor){.node = n};
    *ret = b->anchor_count;
    return 0;
}

static void complete_anchor(yaml_build *b, size_t number, size_t expanded, unsigned height)
{
    if (!number)
        return;
    yaml_anchor *a = &b->anchors[number - 1];
    a->expanded = expanded;
    a->height = height;
    a->complete = 1;
}

/* A node, and for a scalar its text right behind it. */
static int new_node(yaml_build *b, yaml_kind kind, const yaml_mention *m, yaml_node **ret)
{
    if (++b->nodes > YAML_NODES)
        return source_fail(b->src, m->at, b->err, "more than %d values in one file", YAML_NODES);
    yaml_node *n = deja_arena_alloc(b->arena, sizeof *n + (kind == YAML_SCALAR ? m->len + 1 : 0));
    if (!n)
        return no_memory(b);
    *n = (yaml_node){.kind = kind, .mark = m->at};
    if (kind == YAML_SCALAR) {
        char *copy = (char *)(n + 1);
        memcpy(copy, m->text, m->len);
        copy[m->len] = '\0';
        n->text = copy;
        n->len = m->len;
        n->plain = m->plain;
    }
    *ret = n;
    return 0;
}

int yaml_build_scalar(yaml_build *b, const yaml_mention *m)
{
    yaml_node *n;
    size_t number;
    if (m->len > YAML_TEXT_BYTES)
        return source_fail(b->src, m->at, b->err, "a text of more than 1 MB");
    if (m->len && memchr(m->text, 0, m->len))
        return source_fail(b->src, m->at, b->err,
                           "a NUL character (\\0) in a text: no program could be given it");
    int code = new_node(b, YAML_SCALAR, m, &n);
    if (!code)
        code = add_anchor(b, m->anchor, n, &number);
    if (code)
        return code;
    complete_anchor(b, number, 1, 0);
    return attach(b, n, 1, 0);
}

int yaml_build_begin(yaml_build *b, yaml_kind kind, const yaml_mention *m)
{
    yaml_node *n;
    if (b->depth == YAML_DEPTH)
        return source_fail(b->src, m->at, b->err, "more than %d levels of nesting", YAML_DEPTH);
    int code = new_node(b, kind, m, &n);
    yaml_frame *f = &b->frames[b->depth];
    if (!code)
        code = add_anchor(b, m->anchor, n, &f->anchor);
    if (code)
        return code;
    f->node = n;
    f->key = NULL;
    f->expanded = 1;
    f->height = 0;
    name_table_clear(&f->seen);
    b->depth++;
    return 0;
}

int yaml_build_end(yaml_build *b)
{
    yaml_frame *f = &b->frames[--b->depth];
    yaml_node *n = f->node;
    if (n->count) {
        n->pairs = deja_arena_alloc(b->arena, n->count * sizeof *n->pairs);
        if (!n->pairs)
            return no_memory(b);
        memcpy(n->pairs, f->pairs, n->count * sizeof *n->pairs);
    }
    complete_anchor(b, f->anchor, f->expanded, f->height);
    return attach(b, n, f->expanded, f->height);
}

int yaml_build_alias(yaml_build *b, const yaml_mention *m)
{
    char word[SOURCE_WORD];
    source_word(word, m->anchor, strlen(m->anchor));
    const uint32_t *number = name_table_get(&b->anchor_names, m->anchor, strlen(m->anchor));
    if (!number)
        return source_fail(b->src, m->at, b->err,
                           "no anchor '&%s' stands before: text that begins with '*' needs quotes", word);
    const yaml_anchor *a = &b->anchors[*number];
    if (!a->complete)
        return source_fail(b->src, m->at, b->err, "'*%s' stands inside the value that it names", word);
    b->alias_nodes += a->expanded;
    if (b->alias_nodes > YAML_ALIAS_NODES)
        return source_fail(b->src, m->at, b->err, "aliases make more than %d values", YAML_ALIAS_NODES);
    if (b->depth + a->height + (a->node->kind != YAML_SCALAR) > YAML_DEPTH)
        return source_fail(b->src, m->at, b->err, "more than %d levels of nesting", YAML_DEPTH);
    return attach(b, a->node, a->expanded, a->height);
}

void yaml_build_done(yaml_build *b)
{
    for (unsigned i = 0; i < YAML_DEPTH; i++) {
        deja_free(b->frames[i].pairs);
        name_table_done(&b->frames[i].seen);
    }
    deja_free(b->anchors);
    name_table_done(&b->anchor_names);
}
