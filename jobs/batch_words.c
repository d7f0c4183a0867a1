/*
 * The command of a batch without file: words, or a text for the shell. With a feed replacement strings stand
 * in them; where none does, the arguments follow.
 */
#include "batch_read.h"
#include "replacement.h"
#include "shell_reserved.h"
#include <deja/cleanup.h>
#include <string.h>

static size_t count_list(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

/* A text that stands for itself. */
int batch_command_literal(batch_reader *r, const char *text, batch_text *ret)
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
int batch_command_word(batch_reader *r, const batch_command *c, const char *text, batch_text *ret)
{
    if (!c->feed)
        return batch_command_literal(r, text, ret);
    template_text *t = read_alloc(r, 1, sizeof *t);
    *ret = (batch_text){.template = t};
    if (!t)
        return read_no_memory(r);
    int code = replacement_parse(t, text, c->syntax, &r->b->arena, r->err);
    return code ? code : replacement_place(t, c->syntax, NULL, r->err);
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
    return batch_command_word(r, c, c->syntax->all ? c->syntax->all : "{}", &job->words[job->word_count++]);
}

/* `bash -c 'rm {}'`: what an argument holds would be executed. */
static int check_inner_shell(batch_reader *r, const batch_command *c, const batch_job *job)
{
    size_t i = 1;
    if (!c->feed || !shell_is_posix(c->argv, count_list(c->argv)))
        return 0;
    while (i < job->word_count && c->argv[i] && c->argv[i][0] == '-' && !strchr(c->argv[i], 'c'))
        i++;
    const template_text *text = i + 1 < job->word_count ? job->words[i + 1].template : NULL;
    if (!text || !c->argv[i] || c->argv[i][0] != '-' || text->expr_count == 0 || text->count == 1)
        return 0;
    return deja_fail(
        r->err, DEJA_EINVAL,
        "'%s %s' would execute what arguments hold: leave it out, a single word is a text for the "
        "shell in which they are quoted",
        c->argv[0], c->argv[i]);
}

static int set_words(batch_reader *r, const batch_command *c, batch_job *job)
{
    job->word_count = count_list(c->argv);
    if (!job->word_count || !*c->argv[0])
        return deja_fail(r->err, DEJA_EINVAL, "no command is given");
    job->words = read_alloc(r, job->word_count + 1, sizeof *job->words);
    int code = job->words ? 0 : read_no_memory(r);
    for (size_t i = 0; i < job->word_count && !code; i++)
        code = batch_command_word(r, c, c->argv[i], &job->words[i]);
    if (!code)
        code = append_arguments(r, c, job);
    if (!code)
        code = check_inner_shell(r, c, job);
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

/* An argument that stands nowhere else was meant to be used. */
static int check_comment(batch_reader *r, const shell_text *text)
{
    size_t used = 0;
    for (size_t i = 0; i < text->text.count; i++)
        used += text->text.parts[i].expr && text->places[i] != SHELL_COMMENT;
    return used || !text->text.expr_count
               ? 0
               : deja_fail(r->err, DEJA_EINVAL,
                           "the arguments stand in a comment: say with {} where they belong");
}

/* By the program that it begins with, a builtin of the shell too. */
static int name_text(batch_reader *r, const char *text, batch_job *job)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
    const char *word = text + strspn(text, " \t\r\n");
    size_t len = strspn(word, plain);
    char *copy = deja_arena_dup(&r->b->arena, word, len);
    if (!copy)
        return read_no_memory(r);
    if (len > 0 && (!word[len] || strchr(" \t\r\n;", word[len])) &&
        shell_reserved_word(word, len) == SHELL_NOT_RESERVED)
        return set_name(r, copy, job);
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
        code = check_comment(r, text);
    if (!code)
        code = replacement_place(&text->text, c->syntax, text->places, r->err);
    job->run = BATCH_SHELL_TEXT;
    job->text = text;
    job->words[0] = (batch_text){.template = &text->text};
    job->word_count = 1;
    return code ? code : name_text(r, c->argv[0], job);
}

int batch_command_words(batch_reader *r, const batch_command *c, batch_job *job)
{
    return c->is_shell ? set_text(r, c, job) : set_words(r, c, job);
}
