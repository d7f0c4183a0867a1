/* The options of a command, see args.h. */
#include "args.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

enum {
    WIDTH = 80,        /* columns of a help text */
    MOST_OPTIONS = 64, /* of one command, for suggestions */
    HELP_AT = 26,      /* column at which the texts of options begin */
};

static const args_option help_option = {ARGS_HELP, 'h', "help", NULL, "Show this help."};

static const args_option *by_name(const args_command *c, const char *name, size_t len)
{
    for (const args_option *o = c->options; o->id; o++)
        if (o->name && strlen(o->name) == len && !memcmp(o->name, name, len))
            return o;
    return len == 4 && !memcmp(name, "help", 4) ? &help_option : NULL;
}

static const args_option *by_letter(const args_command *c, char letter)
{
    for (const args_option *o = c->options; o->id; o++)
        if (o->letter == letter)
            return o;
    return letter == 'h' ? &help_option : NULL;
}

static int fail_unknown(const args *a, const char *name, size_t len, deja_error *err)
{
    const char *names[MOST_OPTIONS];
    size_t n = 0;
    for (const args_option *o = a->command->options; o->id && n < MOST_OPTIONS - 1; o++)
        if (o->name)
            names[n++] = o->name;
    names[n++] = "help";
    DEJA_AUTO_FREE char *word = deja_dup(name, len);
    const char *near = word ? deja_text_nearest(word, names, n) : NULL;
    if (near)
        return deja_fail(err, DEJA_EINVAL, "unknown option '--%.*s', did you mean '--%s'?", (int)len, name,
                         near);
    return deja_fail(err, DEJA_EINVAL, "unknown option '--%.*s'", (int)len, name);
}

/* The argument of an option whose spelling so far has none: the next word, whatever it is. */
static int take_argument(args *a, const args_option *o, const char *spelling, size_t len, deja_error *err)
{
    a->value = a->argv[a->at];
    if (!a->value)
        return deja_fail(err, DEJA_EINVAL, "option '%.*s' needs an argument: %s", (int)len, spelling,
                         o->argument);
    a->at++;
    return o->id;
}

static int is_optional(const args_option *o)
{
    return o->argument && o->argument[0] == '[';
}

static int next_long(args *a, deja_error *err)
{
    const char *spelling = a->argv[a->at++];
    const char *name = spelling + 2;
    size_t len = strcspn(name, "=");
    const args_option *o = by_name(a->command, name, len);
    if (!o)
        return fail_unknown(a, name, len, err);
    if (!o->argument) {
        if (name[len])
            return deja_fail(err, DEJA_EINVAL, "option '--%s' takes no argument", o->name);
        return o->id;
    }
    if (!name[len] && is_optional(o))
        return o->id;
    if (!name[len])
        return take_argument(a, o, spelling, len + 2, err);
    a->value = name + len + 1;
    return o->id;
}

static int next_short(args *a, deja_error *err)
{
    char spelling[3] = {'-', *a->cluster++, 0};
    const args_option *o = by_letter(a->command, spelling[1]);
    const char *rest = *a->cluster ? a->cluster : NULL;
    a->cluster = rest;
    if (!o)
        return deja_fail(err, DEJA_EINVAL, "unknown option '%s'", spelling);
    if (!o->argument)
        return o->id;
    a->cluster = NULL;
    if (!rest)
        return take_argument(a, o, spelling, 2, err);
    a->value = rest;
    return o->id;
}

void args_begin(args *a, const args_command *command, char *const *argv)
{
    *a = (args){.command = command, .argv = argv};
}

int args_next(args *a, deja_error *err)
{
    a->value = NULL;
    if (a->cluster)
        return next_short(a, err);
    const char *word = a->argv[a->at];
    if (!word)
        return ARGS_END;
    if (!a->ended && !strcmp(word, "--")) {
        a->ended = 1;
        a->at++;
        return args_next(a, err);
    }
    if (!a->ended && word[0] == '-' && word[1] == '-')
        return next_long(a, err);
    if (!a->ended && word[0] == '-' && word[1]) {
        a->cluster = word + 1;
        a->at++;
        return next_short(a, err);
    }
    if (a->command->first_word_ends)
        a->ended = 1;
    a->value = word;
    a->at++;
    return ARGS_WORD;
}

int args_number(const args *a, const char *what, int64_t least, int64_t most, int64_t *ret, deja_error *err)
{
    if (deja_text_int(a->value, ret) || *ret < least || *ret > most)
        return deja_fail(err, DEJA_EINVAL, "%s takes a whole number from %lld to %lld, not '%s'", what,
                         (long long)least, (long long)most, a->value);
    return 0;
}

static void spaces(deja_buffer *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        deja_buffer_add_char(b, ' ');
}

void args_fill(deja_buffer *b, const char *text, size_t indent, size_t at)
{
    size_t column = at;
    int empty = 1; /* no word in this line yet */
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, " \n");
        size_t columns = deja_text_columns(p, len);
        if (!empty && column + 1 + columns > WIDTH) {
            deja_buffer_add_char(b, '\n');
            column = 0;
            empty = 1;
        }
        if (empty && column < indent) {
            spaces(b, indent - column);
            column = indent;
        }
        if (!empty) {
            deja_buffer_add_char(b, ' ');
            column++;
        }
        deja_buffer_add(b, p, len);
        column += columns;
        empty = 0;
        p += len + strspn(p + len, " \n");
    }
    deja_buffer_add_char(b, '\n');
}

static void add_paragraphs(deja_buffer *b, const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t len = end ? (size_t)(end - text) : strlen(text);
        DEJA_AUTO_FREE char *paragraph = deja_dup(text, len);
        deja_buffer_add_char(b, '\n');
        if (!paragraph) {
            b->failed = 1;
            return;
        }
        if (paragraph[0] == ' ') {
            deja_buffer_add(b, paragraph, len);
            deja_buffer_add_char(b, '\n');
        } else {
            args_fill(b, paragraph, 0, 0);
        }
        text += len + (end ? 2 : 0);
    }
}

static void add_option(deja_buffer *b, const args_option *o)
{
    size_t start = b->len;
    if (o->letter)
        deja_buffer_addf(b, "  -%c%s", o->letter, o->name ? ", " : "");
    else
        deja_buffer_add_string(b, "      ");
    if (o->name)
        deja_buffer_addf(b, "--%s", o->name);
    if (o->argument)
        deja_buffer_addf(b, "%s%s", is_optional(o) ? "" : " ", o->argument);
    size_t at = b->len - start;
    if (at + 2 > HELP_AT) {
        deja_buffer_add_char(b, '\n');
        at = 0;
    }
    args_fill(b, o->help, HELP_AT, at);
}

void args_help_environment(deja_buffer *b, const args_variable *list)
{
    if (!list)
        return;
    deja_buffer_add_string(b, "\nEnvironment:\n");
    for (; list->name; list++) {
        deja_buffer_addf(b, "  %s", list->name);
        args_fill(b, list->help, HELP_AT, 2 + strlen(list->name));
    }
}

static void add_examples(deja_buffer *b, const args_example *e)
{
    if (!e || !e->command)
        return;
    deja_buffer_add_string(b, "\nExamples:\n");
    for (; e->command; e++) {
        deja_buffer_addf(b, "  %s\n", e->command);
        args_fill(b, e->does, 6, 0);
    }
}

void args_help(deja_buffer *b, const args_command *c)
{
    deja_buffer_addf(b, "Usage: deja %s%s%s\n", c->name, *c->usage ? " " : "", c->usage);
    add_paragraphs(b, c->about);
    deja_buffer_add_string(b, "\nOptions:\n");
    for (const args_option *o = c->options; o->id; o++)
        add_option(b, o);
    add_option(b, &help_option);
    args_help_environment(b, c->environment);
    add_examples(b, c->examples);
}
