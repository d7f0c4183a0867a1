/*
 * A batch of one command, without a file. Its texts are literal: nothing in them is an expression, no path a
 * pattern.
 */
#include "batch_read.h"
#include "glob.h"
#include "replacement.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>

static size_t count_list(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

/* A text that stands for itself. */
static int literal(batch_reader *r, const char *text, batch_text *ret)
{
    size_t len = strlen(text);
    template_text *t = read_alloc(r, 1, sizeof *t);
    template_part *part = read_alloc(r, 1, sizeof *part);
    char *copy = deja_arena_dup(&r->b->arena, text, len);
    if (!t || !part || !copy)
        return read_no_memory(r);
    *part = (template_part){.len = len};
    *t = (template_text){.source = copy, .len = len, .parts = part, .count = len > 0};
    *ret = (batch_text){.template = t};
    return 0;
}

/* The same; with a feed replacement strings are expressions. */
static int read_word(batch_reader *r, const batch_command *c, const char *text, batch_text *ret)
{
    if (!c->feed)
        return literal(r, text, ret);
    template_text *t = read_alloc(r, 1, sizeof *t);
    *ret = (batch_text){.template = t};
    if (!t)
        return read_no_memory(r);
    int code = replacement_parse(t, text, c->syntax, &r->b->arena, r->err);
    return code ? code : replacement_place(t, c->syntax, NULL, r->err);
}

static int check_path(batch_reader *r, const char *path, const char *what)
{
    return *path ? 0 : deja_fail(r->err, DEJA_EINVAL, "the path of an %s is empty", what);
}

static int set_name(batch_reader *r, const char *program, batch_job *job)
{
    const char *slash = strrchr(program, '/');
    const char *name = slash && slash[1] ? slash + 1 : program;
    job->name = deja_arena_dup(&r->b->arena, name, strlen(name));
    return job->name ? 0 : read_no_memory(r);
}

/* Where no replacement string stands in the command, the arguments follow it. */
static int append_arguments(batch_reader *r, const batch_command *c, batch_job *job)
{
    size_t replaced = 0;
    for (size_t i = 0; i < job->word_count; i++)
        replaced += job->words[i].template->expr_count;
    if (!c->feed || replaced || c->syntax->only_number)
        return 0;
    return read_word(r, c, c->syntax->all ? c->syntax->all : "{}", &job->words[job->word_count++]);
}

static int set_words(batch_reader *r, const batch_command *c, batch_job *job)
{
    job->word_count = count_list(c->argv);
    if (!job->word_count || !*c->argv[0])
        return deja_fail(r->err, DEJA_EINVAL, "no command is given");
    job->words = read_alloc(r, job->word_count + 1, sizeof *job->words);
    int code = job->words ? 0 : read_no_memory(r);
    for (size_t i = 0; i < job->word_count && !code; i++)
        code = read_word(r, c, c->argv[i], &job->words[i]);
    if (!code)
        code = append_arguments(r, c, job);
    job->run = BATCH_ARGV;
    job->shell = NULL;
    return code ? code : set_name(r, job->words[0].template->expr_count ? "map" : c->argv[0], job);
}

/* What would run it as a command of its own, were it put behind. */
static int check_append(batch_reader *r, const char *text, size_t len)
{
    if (len == 0)
        return deja_fail(r->err, DEJA_EINVAL, "no command is given");
    if (!strchr(";&|(", text[len - 1]))
        return 0;
    return deja_fail(r->err, DEJA_EINVAL, "the command ends with '%c': say with {} where arguments stand",
                     text[len - 1]);
}

/* The text as it is, or with a replacement string behind it. */
static int parse_text(batch_reader *r, const batch_command *c, const char *text, shell_text *ret)
{
    replacement_syntax syntax = *c->syntax;
    syntax.is_shell = 1;
    int code = replacement_parse(&ret->text, text, &syntax, &r->b->arena, r->err);
    if (code || ret->text.expr_count || syntax.only_number)
        return code;
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    code = check_append(r, text, len);
    if (code)
        return code;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add(&b, text, len);
    deja_buffer_addf(&b, " %s", syntax.all ? syntax.all : "{}");
    return b.failed ? read_no_memory(r)
                    : replacement_parse(&ret->text, b.data, &syntax, &r->b->arena, r->err);
}

static int name_text(batch_reader *r, const char *text, batch_job *job)
{
    const char *program = shell_first_word(text, &r->b->arena);
    return set_name(r, program && !strchr(program, '{') ? program : "map", job);
}

static int set_text(batch_reader *r, const batch_command *c, batch_job *job)
{
    shell_text *text = read_alloc(r, 1, sizeof *text);
    job->words = read_alloc(r, 1, sizeof *job->words);
    if (!text || !job->words)
        return read_no_memory(r);
    int code = parse_text(r, c, c->argv[0], text);
    if (!code)
        code = shell_parse_places(text, job->shell, count_list(job->shell), &r->b->arena, NULL, r->err);
    if (!code)
        code = replacement_place(&text->text, c->syntax, text->places, r->err);
    job->run = BATCH_SHELL_TEXT;
    job->text = text;
    job->words[0] = (batch_text){.template = &text->text};
    job->word_count = 1;
    return code ? code : name_text(r, c->argv[0], job);
}

static int set_inputs(batch_reader *r, const batch_command *c, batch_job *job)
{
    const char *const *paths = c->inputs;
    job->inputs = read_alloc(r, count_list(paths), sizeof *job->inputs);
    int code = job->inputs ? 0 : read_no_memory(r);
    for (; paths && paths[job->input_count] && !code; job->input_count++) {
        const char *path = paths[job->input_count];
        DEJA_AUTO_BUFFER deja_buffer escaped = {0};
        code = check_path(r, path, "input");
        glob_escape(&escaped, path, strlen(path));
        if (!code && escaped.failed)
            code = read_no_memory(r);
        if (!code)
            code = read_word(r, c, deja_buffer_string(&escaped), &job->inputs[job->input_count]);
    }
    return code;
}

/* A relative path that leads out of the folder is what the user typed: it is meant, and made absolute. */
static int set_output(batch_reader *r, const batch_command *c, const char *path, batch_output *ret)
{
    int code = check_path(r, path, "output");
    if (code)
        return code;
    if (path[strlen(path) - 1] == '/')
        return deja_fail(r->err, DEJA_EINVAL, "the output '%s' is a folder: name the files in it", path);
    ret->name = "";
    if (c->feed) {
        code = read_word(r, c, path, &ret->path);
        return code || c->syntax->most == 1 || !replacement_has_all(ret->path.template)
                   ? code
                   : deja_fail(r->err, DEJA_EINVAL, "the output '%s' would be several files: name each",
                               path);
    }
    DEJA_AUTO_BUFFER deja_buffer joined = {0};
    deja_path_join(&joined, r->b->folder, path);
    if (joined.failed)
        return read_no_memory(r);
    const char *inside = deja_path_inside(r->b->folder, deja_buffer_string(&joined));
    if (strcmp(inside, ".") == 0)
        return deja_fail(r->err, DEJA_EINVAL, "the output '%s' is the working folder itself", path);
    return literal(r, inside, &ret->path);
}

static int set_outputs(batch_reader *r, const batch_command *c, batch_job *job)
{
    const char *const *paths = c->outputs;
    job->outputs = read_alloc(r, count_list(paths), sizeof *job->outputs);
    int code = job->outputs ? 0 : read_no_memory(r);
    for (; paths && paths[job->output_count] && !code; job->output_count++)
        code = set_output(r, c, paths[job->output_count], &job->outputs[job->output_count]);
    return code;
}

static int set_env(batch_reader *r, const char *const *names, batch_job *job)
{
    job->env = read_alloc(r, count_list(names), sizeof *job->env);
    int code = job->env ? 0 : read_no_memory(r);
    for (size_t i = 0; names && names[i] && !code; i++) {
        size_t known = 0;
        while (known < job->env_count && strcmp(job->env[known].name, names[i]) != 0)
            known++;
        if (known < job->env_count)
            continue;
        if (!batch_env_name(names[i]))
            return deja_fail(r->err, DEJA_EINVAL, "'%s' cannot name an environment variable", names[i]);
        const char *name = deja_arena_dup(&r->b->arena, names[i], strlen(names[i]));
        if (!name)
            return read_no_memory(r);
        job->env[job->env_count++] = (batch_env){.name = name, .secret = batch_secret_name(name)};
    }
    return code;
}

static int set_label(batch_reader *r, const char *text, const char **ret)
{
    if (!text)
        return 0;
    *ret = deja_arena_dup(&r->b->arena, text, strlen(text));
    return *ret ? 0 : read_no_memory(r);
}

static int set_stdin(batch_reader *r, const char *path, batch_job *job)
{
    if (!path)
        return 0;
    batch_text *text = read_alloc(r, 1, sizeof *text);
    if (!text)
        return read_no_memory(r);
    int code = check_path(r, path, "input");
    job->stdin_path = text;
    return code ? code : literal(r, path, text);
}

static int set_job(batch_reader *r, const batch_command *command, batch_job *job)
{
    int code = batch_job_defaults(r, job);
    if (code)
        return code;
    job->feed = command->feed;
    job->cache = !command->no_cache;
    code = batch_read_matrix(r, NULL, NULL, job);
    if (!code)
        code = command->is_shell ? set_text(r, command, job) : set_words(r, command, job);
    if (!code)
        code = set_inputs(r, command, job);
    if (!code)
        code = set_outputs(r, command, job);
    if (!code)
        code = set_env(r, command->env, job);
    if (!code)
        code = set_stdin(r, command->stdin_path, job);
    if (!code)
        code = set_label(r, command->version, &job->version);
    return code ? code : set_label(r, command->scope, &job->scope);
}

int batch_from_command(batch **ret, const char *folder, const batch_command *command, deja_error *err)
{
    deja_error unused;
    batch_reader r = {.err = err ? err : &unused};
    int code = batch_new(&r, folder);
    if (!code) {
        r.b->source = (source){.path = "", .text = "", .len = 0};
        r.b->absolute_keys = !command->anywhere;
        r.b->jobs = read_alloc(&r, 1, sizeof *r.b->jobs);
        code = r.b->jobs ? 0 : read_no_memory(&r);
    }
    if (!code) {
        r.b->job_count = 1;
        code = set_job(&r, command, &r.b->jobs[0]);
    }
    if (!code)
        code = batch_check_paths(&r, &r.b->jobs[0]);
    if (!code && name_table_put(r.b->names, r.b->jobs[0].name, strlen(r.b->jobs[0].name), 0))
        code = read_no_memory(&r);
    if (code) {
        batch_free(r.b);
        return code;
    }
    *ret = r.b;
    return 0;
}
