/*
 * The words inputs, outputs, stdin and cwd, and what can be said of paths before a job is rendered: of those
 * without expressions.
 */
#include "batch_read.h"
#include "glob.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <string.h>

/* The path of a text without expressions, normalised, relative to the folder of the batch when inside it;
 * else NULL. */
static int literal_path(batch_reader *r, const batch_text *t, int pattern, const char **ret)
{
    *ret = NULL;
    if (t->template->expr_count)
        return 0;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    DEJA_AUTO_BUFFER deja_buffer plain = {0};
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    for (size_t i = 0; i < t->template->count; i++)
        deja_buffer_add(&text, t->template->source + t->template->parts[i].offset, t->template->parts[i].len);
    if (pattern && !glob_is_pattern(deja_buffer_string(&text)))
        glob_unescape(&plain, deja_buffer_string(&text));
    else
        deja_buffer_add(&plain, text.data, text.len);
    deja_path_join(&path, r->b->folder, deja_buffer_string(&plain));
    if (text.failed || plain.failed || path.failed)
        return read_no_memory(r);
    const char *inside = deja_path_inside(r->b->folder, deja_buffer_string(&path));
    *ret = deja_arena_dup(&r->b->arena, inside, strlen(inside));
    return *ret ? 0 : read_no_memory(r);
}

static int check_empty(batch_reader *r, const batch_text *t, const char *what)
{
    return t->template->len ? 0 : source_fail(&r->b->source, t->at, r->err, "%s is empty", what);
}

int batch_read_path(batch_reader *r, const yaml_node *n, const char *what, const batch_text **ret)
{
    batch_text *text = read_alloc(r, 1, sizeof *text);
    if (!text)
        return read_no_memory(r);
    int code = read_text(r, n, what, text);
    *ret = text;
    return code ? code : check_empty(r, text, what);
}

int batch_read_inputs(batch_reader *r, const yaml_node *n, batch_job *job)
{
    int code = read_texts(r, n, "a list of paths", "a path", &job->inputs, &job->input_count);
    for (size_t i = 0; i < job->input_count && !code; i++)
        code = check_empty(r, &job->inputs[i], "a path");
    return code;
}

/* An output's path as it is written: what holds for every job. */
static int check_output(batch_reader *r, const batch_text *t)
{
    char word[SOURCE_WORD];
    const template_text *text = t->template;
    source_word(word, text->source, text->len);
    int code = check_empty(r, t, "a path");
    if (!code && text->source[text->len - 1] == '/')
        code = source_fail(&r->b->source, t->at, r->err, "the output '%s' is a folder: name the files in it",
                           word);
    const char *path = NULL;
    if (!code)
        code = literal_path(r, t, 0, &path);
    if (code || !path)
        return code;
    if (path[0] == '/' && text->source[0] != '/')
        return source_fail(&r->b->source, t->at, r->err,
                           "the output '%s' is outside the folder of the batch: if that is meant, write it "
                           "as an absolute path",
                           word);
    if (strcmp(path, ".") == 0)
        return source_fail(&r->b->source, t->at, r->err, "the output '%s' is the folder of the batch itself",
                           word);
    if (strcmp(path, ".deja") == 0 || strncmp(path, ".deja/", 6) == 0)
        return source_fail(&r->b->source, t->at, r->err,
                           "the output '%s' is in the folder where deja keeps its own files", word);
    return 0;
}

static int read_output(batch_reader *r, const yaml_node *name, const yaml_node *path, batch_output *ret)
{
    ret->name = "";
    int code = name ? read_name(r, name, "an output") : 0;
    if (!code && name && !(ret->name = read_keep(r, name)))
        code = read_no_memory(r);
    if (!code)
        code = read_text(r, path, "a path", &ret->path);
    ret->at = name ? name->mark : path->mark;
    return code ? code : check_output(r, &ret->path);
}

int batch_read_outputs(batch_reader *r, const yaml_node *n, batch_job *job)
{
    static const char what[] = "a list of paths or a map from names to paths";
    char word[SOURCE_WORD];
    if (n->kind == YAML_SCALAR && !yaml_is_null(n))
        return source_fail(&r->b->source, n->mark, r->err, "expected %s, found a text: write [%s]", what,
                           source_word(word, n->text, n->len));
    if (n->kind == YAML_SCALAR)
        return read_expected(r, n, what);
    job->outputs = read_alloc(r, n->count, sizeof *job->outputs);
    if (!job->outputs)
        return read_no_memory(r);
    job->output_count = n->count;
    int code = 0;
    for (size_t i = 0; i < n->count && !code; i++)
        code = read_output(r, n->pairs[i].key, n->pairs[i].value, &job->outputs[i]);
    return code;
}

int batch_read_depfile(batch_reader *r, const yaml_node *n, batch_job *job)
{
    batch_output *outputs = read_alloc(r, job->output_count + 1, sizeof *outputs);
    if (!outputs)
        return read_no_memory(r);
    if (job->output_count)
        memcpy(outputs, job->outputs, job->output_count * sizeof *outputs);
    batch_output *last = &outputs[job->output_count++];
    job->outputs = outputs;
    job->depfile = 1;
    last->name = "";
    last->at = n->mark;
    int code = read_text(r, n, "the path of a file in which the job says what it read", &last->path);
    return code ? code : check_output(r, &last->path);
}

/* 1 when the input takes in the output: as the same path, by its pattern, or as a folder around it. */
static int takes_in(const char *input, int folder, const char *output)
{
    size_t len = strlen(input);
    if (folder)
        return strcmp(input, ".") == 0 ? output[0] != '/'
                                       : strncmp(input, output, len) == 0 && output[len] == '/';
    return strcmp(input, output) == 0 || (glob_is_pattern(input) && glob_match(input, output));
}

static int check_pair(batch_reader *r, const batch_text *input, const char *input_path,
                      const batch_text *output, const char *output_path)
{
    char word[SOURCE_WORD];
    const template_text *in = input->template, *out = output->template;
    int folder = in->len && in->source[in->len - 1] == '/';
    int same = in->expr_count && in->len == out->len && memcmp(in->source, out->source, in->len) == 0;
    if (!same && (!input_path || !output_path || !takes_in(input_path, folder, output_path)))
        return 0;
    source_word(word, out->source, out->len);
    if (!input->at.line)
        return source_fail(&r->b->source, output->at, r->err, "the output '%s' is also an input", word);
    return source_fail(&r->b->source, output->at, r->err, "the output '%s' is also an input, in line %u",
                       word, input->at.line);
}

/* The output would be removed before the job runs. */
static int check_batch_file(batch_reader *r, const batch_text *output, const char *path)
{
    const char *file = r->b->source.path, *slash = strrchr(file, '/');
    if (!path || !*file || strcmp(path, slash ? slash + 1 : file) != 0)
        return 0;
    return source_fail(&r->b->source, output->at, r->err, "this output is the batch file itself");
}

/* Only as long as the lists are short: plan_open looks at all rendered paths anyway. */
#define MOST_PAIRS 100000

int batch_check_paths(batch_reader *r, const batch_job *job)
{
    size_t inputs = job->input_count;
    if (!job->output_count || (inputs + 1 + job->output_count) * job->output_count > MOST_PAIRS)
        return 0;
    const char **paths = read_alloc(r, inputs + 1 + job->output_count, sizeof *paths);
    if (!paths)
        return read_no_memory(r);
    int code = 0;
    for (size_t i = 0; i < inputs && !code; i++)
        code = literal_path(r, &job->inputs[i], 1, &paths[i]);
    if (!code && job->stdin_path)
        code = literal_path(r, job->stdin_path, 0, &paths[inputs]);
    const char **outputs = paths + inputs + 1;
    for (size_t o = 0; o < job->output_count && !code; o++) {
        const batch_text *output = &job->outputs[o].path;
        code = literal_path(r, output, 0, &outputs[o]);
        if (!code)
            code = check_batch_file(r, output, outputs[o]);
        for (size_t i = 0; i < inputs && !code; i++)
            code = check_pair(r, &job->inputs[i], paths[i], output, outputs[o]);
        if (!code && job->stdin_path)
            code = check_pair(r, job->stdin_path, paths[inputs], output, outputs[o]);
        for (size_t i = 0; i < o && !code; i++)
            if (outputs[i] && outputs[o] && strcmp(outputs[i], outputs[o]) == 0)
                code = source_fail(&r->b->source, output->at, r->err,
                                   "the output '%s' stands here for the second time, after line %u",
                                   outputs[o], job->outputs[i].path.at.line);
    }
    return code;
}
