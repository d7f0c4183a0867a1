/*
 * Shell text: which shells quote as we do, and the rendering of values by where they stand.
 */
#include "shell.h"
#include "shell_walk.h"
#include <string.h>

typedef struct known_shell {
    const char *name;
    shell_family family;
} known_shell;

static const known_shell known_shells[] = {
    {"ash", SHELL_SH},   {"bash", SHELL_BASH},  {"dash", SHELL_SH}, {"ksh", SHELL_KSH},
    {"mksh", SHELL_KSH}, {"rbash", SHELL_BASH}, {"sh", SHELL_SH},   {"zsh", SHELL_ZSH},
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static shell_family family_of(const char *const *shell, size_t count)
{
    if (count == 0)
        return SHELL_NONE;
    const char *name = base_name(shell[0]);
    if (strcmp(name, "busybox") == 0)
        return count > 1 && (strcmp(shell[1], "sh") == 0 || strcmp(shell[1], "ash") == 0) ? SHELL_SH
                                                                                          : SHELL_NONE;
    for (size_t k = 0; k < sizeof known_shells / sizeof *known_shells; k++)
        if (strcmp(known_shells[k].name, name) == 0)
            return known_shells[k].family;
    return SHELL_NONE;
}

/* The first expression of a text for an interpreter whose quoting is not ours. */
static int refuse_values(const template_text *t, const char *shell, size_t *ret_offset, deja_error *err)
{
    for (size_t k = 0; k < t->count; k++)
        if (t->parts[k].expr) {
            if (ret_offset)
                *ret_offset = t->parts[k].offset;
            return deja_fail(
                err, DEJA_EINVAL,
                "how '%s' quotes is not known, so no value can be put into its text; pass it in 'env', or "
                "write 'run' as a list",
                shell);
        }
    return 0;
}

/* 1 when `value` means itself inside "..." in every shell and locale (a multibyte locale may have \ as second
 * byte). */
static int is_harmless(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c < ' ' || c >= 0x7f || strchr("\\$`\"!", c))
            return 0;
    }
    return 1;
}

static void escape_single(deja_buffer *b, const char *value, size_t len)
{
    const char *end = value + len;
    while (value < end) {
        const char *quote = memchr(value, '\'', (size_t)(end - value));
        deja_buffer_add(b, value, (size_t)((quote ? quote : end) - value));
        if (!quote)
            break;
        deja_buffer_add(b, "'\\''", 4);
        value = quote + 1;
    }
}

static void render_scalar(deja_buffer *b, shell_place place, const template_value *v)
{
    if (place == SHELL_SINGLE && v->len) {
        escape_single(b, v->data, v->len);
    } else if (place == SHELL_DOUBLE && is_harmless(v->data, v->len)) {
        deja_buffer_add(b, v->data, v->len);
    } else if (place == SHELL_DOUBLE || place == SHELL_DOUBLE_NAME) {
        deja_buffer_add_char(b, '"');
        shell_quote(b, v->data, v->len);
        deja_buffer_add_char(b, '"');
    } else if (place != SHELL_SINGLE) {
        shell_quote(b, v->data, v->len);
    }
}

static void render_list(deja_buffer *b, const template_value *v)
{
    for (size_t i = 0; i < v->count; i++) {
        if (i)
            deja_buffer_add_char(b, ' ');
        shell_quote(b, v->items[i], strlen(v->items[i]));
    }
}

static int render_part(const shell_text *s, size_t k, template_resolve resolve, void *context,
                       deja_buffer *ret, deja_error *err)
{
    const template_part *part = &s->text.parts[k];
    shell_place place = (shell_place)s->places[k];
    if (!part->expr || place == SHELL_COMMENT) {
        deja_buffer_add(ret, s->text.source + part->offset, part->len);
        return 0;
    }
    template_value value;
    int code = template_value_of(&s->text, part, resolve, context, &value, err);
    if (code)
        return code;
    if (!value.is_list)
        render_scalar(ret, place, &value);
    else if (place == SHELL_WORD)
        render_list(ret, &value);
    else
        return template_list_refused(&s->text, part, err);
    return 0;
}

int shell_is_posix(const char *const *shell, size_t shell_count)
{
    return family_of(shell, shell_count) != SHELL_NONE;
}

int shell_parse_places(shell_text *ret, const char *const *shell, size_t shell_count, deja_arena *arena,
                       size_t *ret_offset, deja_error *err)
{
    unsigned char *places = deja_arena_alloc(arena, ret->text.count + 1);
    if (!places)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    memset(places, 0, ret->text.count + 1);
    ret->places = places;
    shell_family family = family_of(shell, shell_count);
    if (family == SHELL_NONE)
        return refuse_values(&ret->text, shell_count ? base_name(shell[0]) : "", ret_offset, err);
    return shell_walk(&ret->text, family, places, &ret->has_pipe, ret_offset, err);
}

int shell_parse(shell_text *ret, const char *text, size_t len, const char *const *shell, size_t shell_count,
                deja_arena *arena, size_t *ret_offset, deja_error *err)
{
    shell_text s = {0};
    int code = template_parse(&s.text, text, len, arena, ret_offset, err);
    if (!code)
        code = shell_parse_places(&s, shell, shell_count, arena, ret_offset, err);
    if (!code)
        *ret = s;
    return code;
}

int shell_render(const shell_text *s, template_resolve resolve, void *context, deja_buffer *ret,
                 size_t *ret_offset, deja_error *err)
{
    for (size_t k = 0; k < s->text.count; k++) {
        int code = render_part(s, k, resolve, context, ret, err);
        if (code) {
            if (ret_offset)
                *ret_offset = s->text.parts[k].offset;
            return code;
        }
    }
    return ret->failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
}

void shell_quote(deja_buffer *b, const char *value, size_t len)
{
    deja_buffer_add_char(b, '\'');
    if (len)
        escape_single(b, value, len);
    deja_buffer_add_char(b, '\'');
}

int shell_has_pipe(const char *text, size_t len)
{
    static const char *const bash[] = {"bash"};
    deja_arena arena = {0};
    shell_text s;
    deja_error err;
    int code = shell_parse(&s, text, len, bash, 1, &arena, NULL, &err);
    int found = !code && s.has_pipe;
    deja_arena_done(&arena);
    return found;
}
