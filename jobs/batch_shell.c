/*
 * The words shell and run.
 */
#include "batch_read.h"
#include <deja/text.h>
#include <string.h>

#define SHELL_WORDS 4 /* most words that a shell of the table has behind its name */

/* What stands between the name of a shell and the text. */
typedef struct known_shell {
    const char *name;
    int is_ours; /* it does with plain words what shell_words expects: execute them */
    const char *words[SHELL_WORDS];
} known_shell;

/* bash alone is sure to know pipefail: without it `fails | gzip > out` succeeds, and its broken result would
 * be kept. */
static const known_shell shells[] = {
    {"bash", 1, {"-euo", "pipefail", "-c"}},
    {"sh", 1, {"-e", "-c"}},
    {"dash", 1, {"-e", "-c"}},
    {"ash", 1, {"-e", "-c"}},
    {"ksh", 0, {"-e", "-c"}},
    {"mksh", 0, {"-e", "-c"}},
    {"zsh", 0, {"-e", "-c"}},
    {"fish", 0, {"-c"}},
    {"python", 0, {"-c"}},
    {"python3", 0, {"-c"}},
    {"perl", 0, {"-e"}},
    {"ruby", 0, {"-e"}},
    {"node", 0, {"-e"}},
    {"lua", 0, {"-e"}},
    {"luajit", 0, {"-e"}},
    {"Rscript", 0, {"-e"}},
};

static const known_shell *find_shell(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(shells[i].name, name) == 0)
            return &shells[i];
    return NULL;
}

static int unknown_shell(batch_reader *r, const yaml_node *n)
{
    char word[SOURCE_WORD], hint[READ_HINT];
    const char *names[sizeof shells / sizeof *shells];
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        names[i] = shells[i].name;
    source_word(word, n->text, n->len);
    if (strpbrk(n->text, " \t\n"))
        return source_fail(
            &r->b->source, n->mark, r->err,
            "a shell of several words is a list, as in [bash, -e, -c]; the text of 'run' comes behind it");
    read_hint(hint, n->text, names, sizeof names / sizeof *names);
    return source_fail(&r->b->source, n->mark, r->err, "unknown shell '%s'%s%s", word,
                       *hint ? hint : ": write it as a list, as in", *hint ? "" : " [program, -c]");
}

/*
 * `name` and the words of `known` behind it. A path is taken for what it is: perhaps a wrapper that does more
 * than the shell whose name it has.
 */
static int make_shell(batch_reader *r, const char *name, const known_shell *known, batch_job *job)
{
    const char **words = read_alloc(r, SHELL_WORDS + 2, sizeof *words);
    if (!words)
        return read_no_memory(r);
    words[0] = name;
    for (size_t i = 0; i < SHELL_WORDS && known->words[i]; i++)
        words[i + 1] = known->words[i];
    job->shell = words;
    job->is_direct = known->is_ours && !strchr(name, '/');
    return 0;
}

static int read_shell_list(batch_reader *r, const yaml_node *n, batch_job *job)
{
    const char **words = read_alloc(r, n->count + 1, sizeof *words);
    if (!words)
        return read_no_memory(r);
    int code =
        n->count ? 0 : source_fail(&r->b->source, n->mark, r->err, "the list of the shell's words is empty");
    for (size_t i = 0; i < n->count && !code; i++)
        code = read_literal(r, n->pairs[i].value, "a word of the shell", &words[i]);
    if (!code && !*words[0])
        code = source_fail(&r->b->source, n->pairs[0].value->mark, r->err, "the name of the shell is empty");
    job->shell = words;
    job->is_direct = 0;
    return code;
}

int batch_read_shell(batch_reader *r, const yaml_node *n, batch_job *job)
{
    if (n->kind == YAML_LIST)
        return read_shell_list(r, n, job);
    const char *name;
    int code = read_literal(r, n, "a shell", &name);
    if (code)
        return code;
    const known_shell *known = find_shell(name);
    return known ? make_shell(r, name, known, job) : unknown_shell(r, n);
}

static size_t count_words(const char *const *words)
{
    size_t n = 0;
    while (words[n])
        n++;
    return n;
}

static int has_pipefail(const batch_job *job, const char *text)
{
    for (size_t i = 0; job->shell[i]; i++)
        if (strstr(job->shell[i], "pipefail"))
            return 1;
    return strstr(text, "pipefail") != NULL;
}

static int warn_of_pipe(batch_reader *r, const yaml_node *n, const batch_job *job)
{
    if (!shell_is_posix(job->shell, count_words(job->shell)) || !shell_has_pipe(n->text, n->len) ||
        has_pipefail(job, n->text))
        return 0;
    return read_warn(r, n->mark,
                     "a failure in front of a pipe goes unnoticed in this shell: 'shell: bash' notices it");
}

static int read_run_text(batch_reader *r, const yaml_node *n, batch_job *job)
{
    if (n->text[strspn(n->text, " \t\r\n")] == '\0')
        return source_fail(&r->b->source, n->mark, r->err, "'run' is empty");
    shell_text *text = read_alloc(r, 1, sizeof *text);
    job->words = read_alloc(r, 1, sizeof *job->words);
    if (!text || !job->words)
        return read_no_memory(r);
    size_t offset = 0;
    deja_error problem;
    int code = shell_parse(text, n->text, n->len, job->shell, count_words(job->shell), &r->b->arena, &offset,
                           &problem);
    if (code == DEJA_ENOMEM)
        return read_no_memory(r);
    if (code)
        return source_fail(&r->b->source, source_mark_in(&r->b->source, n->mark, n->text, offset), r->err,
                           "%s", problem.text);
    job->run = BATCH_SHELL_TEXT;
    job->text = text;
    job->words[0] = (batch_text){.template = &text->text, .at = n->mark};
    job->word_count = 1;
    return warn_of_pipe(r, n, job);
}

/* A word of an argv keeps its spelling, whatever YAML takes it for; only nothing at all is no word. */
static int read_argv(batch_reader *r, const yaml_node *n, batch_job *job)
{
    if (n->count == 0)
        return source_fail(&r->b->source, n->mark, r->err,
                           "'run' is an empty list: expected a program and its arguments");
    job->words = read_alloc(r, n->count, sizeof *job->words);
    if (!job->words)
        return read_no_memory(r);
    for (size_t i = 0; i < n->count; i++) {
        yaml_node word = *n->pairs[i].value;
        if (word.kind == YAML_SCALAR && word.len)
            word.plain = 0;
        int code = read_text(r, &word, "a word of the command", &job->words[i]);
        if (code)
            return code;
    }
    if (n->pairs[0].value->len == 0)
        return source_fail(&r->b->source, n->pairs[0].value->mark, r->err,
                           "the first word of 'run', the program, is empty");
    job->run = BATCH_ARGV;
    job->word_count = n->count;
    job->shell = NULL;
    return 0;
}

int batch_read_run(batch_reader *r, const yaml_node *n, batch_job *job)
{
    if (n->kind == YAML_LIST)
        return read_argv(r, n, job);
    if (n->kind == YAML_SCALAR && n->plain && n->len == 0)
        return source_fail(&r->b->source, n->mark, r->err,
                           "'run' is empty: expected a command, as text or as a list of words");
    int code = read_scalar(r, n, "a command, as text or as a list of words");
    return code ? code : read_run_text(r, n, job);
}

int batch_job_defaults(batch_reader *r, batch_job *ret)
{
    static const int success[] = {0};
    *ret = (batch_job){.cache = 1, .ok_status = success, .ok_count = 1};
    return make_shell(r, "bash", find_shell("bash"), ret);
}
