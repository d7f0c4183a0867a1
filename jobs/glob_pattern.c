/*
 * Patterns split into components, and the sets of their states.
 */
#include "glob_pattern.h"
#include "glob.h"
#include "glob_match.h"
#include <deja/cleanup.h>
#include <string.h>

static int no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "out of memory");
}

/* Adds the components that come after a `**`, which may be no folder at all. */
static glob_states closure(const glob_pattern *p, glob_states states)
{
    for (size_t k = 0; k < p->count; k++)
        if ((states >> k & 1) && p->components[k].any_depth)
            states |= UINT64_C(2) << k;
    return states;
}

static int matches(const glob_component *c, const char *name)
{
    return c->literal ? strcmp(c->literal, name) == 0 : glob_match_name(c->text, c->len, name, strlen(name));
}

static int add_component(glob_pattern *p, const char *text, size_t len, deja_arena *arena, deja_error *err)
{
    int any_depth = len == 2 && memcmp(text, "**", 2) == 0;
    if (any_depth && p->count && p->components[p->count - 1].any_depth)
        return 0;
    if (p->count == GLOB_COMPONENTS)
        return deja_fail(err, DEJA_ELIMIT, "a pattern with more than %d components", GLOB_COMPONENTS);
    glob_component *c = &p->components[p->count];
    char *copy = deja_arena_dup(arena, text, len);
    if (!copy)
        return no_memory(err);
    *c = (glob_component){.text = copy, .len = len, .any_depth = any_depth};
    p->count++;
    if (glob_is_pattern(copy))
        return 0;
    DEJA_AUTO_BUFFER deja_buffer plain = {0};
    glob_unescape(&plain, copy);
    c->literal = deja_arena_dup(arena, deja_buffer_string(&plain), plain.len);
    return c->literal && !plain.failed ? 0 : no_memory(err);
}

static int add_prefix(deja_buffer *prefix, const char *one, deja_error *err)
{
    if (prefix->len && prefix->data[prefix->len - 1] != '/')
        deja_buffer_add_char(prefix, '/');
    glob_unescape(prefix, one);
    return prefix->failed ? no_memory(err) : 0;
}

int glob_pattern_split(glob_pattern *ret, const char *text, deja_buffer *prefix, deja_arena *arena,
                       deja_error *err)
{
    const char *s = text;
    int code = 0;
    *ret = (glob_pattern){0};
    if (*s == '/')
        deja_buffer_add_char(prefix, '/');
    for (s += strspn(s, "/"); !code && *s; s += strspn(s, "/")) {
        size_t len = strcspn(s, "/");
        DEJA_AUTO_FREE char *one = deja_dup(s, len);
        if (!one)
            return no_memory(err);
        code = ret->count == 0 && !glob_is_pattern(one) ? add_prefix(prefix, one, err)
                                                        : add_component(ret, s, len, arena, err);
        s += len;
    }
    ret->want_folders = s > text && s[-1] == '/';
    if (!code && ret->count && ret->components[ret->count - 1].any_depth && !ret->want_folders)
        code = add_component(ret, "*", 1, arena, err);
    return code;
}

glob_states glob_pattern_begin(const glob_pattern *p)
{
    return closure(p, 1);
}

glob_states glob_pattern_next(const glob_pattern *p, glob_states states, const char *name, int is_folder)
{
    glob_states next = 0;
    for (size_t k = 0; k < p->count; k++) {
        if (!(states >> k & 1))
            continue;
        if (!p->components[k].any_depth)
            next |= matches(&p->components[k], name) ? UINT64_C(2) << k : 0;
        else if (is_folder && name[0] != '.')
            next |= UINT64_C(1) << k;
    }
    return closure(p, next);
}

glob_states glob_pattern_inside(const glob_pattern *p, glob_states states)
{
    return states & ((UINT64_C(1) << p->count) - 1);
}

int glob_pattern_is_end(const glob_pattern *p, glob_states states)
{
    return states >> p->count & 1;
}

int glob_pattern_must_read(const glob_pattern *p, glob_states states)
{
    for (size_t k = 0; k < p->count; k++)
        if ((states >> k & 1) && !p->components[k].literal)
            return 1;
    return 0;
}
