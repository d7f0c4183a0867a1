/* batch.h: what a batch file says, and what is said of one that is wrong. */
#include "batch_fixture.h"

#include "failing_alloc.h"
#include <deja/cleanup.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static batch_job *job_of(const batch *b, const char *name)
{
    const batch_job *job = batch_find(b, name, strlen(name));
    assert_non_null(job);
    return &b->jobs[job->number];
}

static const char *source_of(const batch_text *t)
{
    return t->template->source;
}

/* The values of an axis, joined by blanks, in static memory. */
static const char *values(const batch_job *job, size_t axis)
{
    static char text[4096];
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (uint32_t i = 0; i < job->matrix->axes[axis].count; i++) {
        deja_buffer_add_string(&b, i ? " " : "");
        matrix_value(&job->matrix->axes[axis], i, &b);
    }
    snprintf(text, sizeof text, "%s", deja_buffer_string(&b));
    return text;
}

static const char *shell_of(const batch_job *job)
{
    static char text[4096];
    text[0] = '\0';
    for (size_t i = 0; job->shell[i]; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", job->shell[i]);
    return text;
}

static void test_batch__reads_every_word(void **state)
{
    (void)state;
    batch *b = load("version: 1\n"
                    "jobs:\n"
                    "  all:\n"
                    "    matrix: {n: [1, 2]}\n"
                    "    run: ./a ${{ n }}\n"
                    "    shell: sh\n"
                    "    inputs: [a.c, '*.h', sub/]\n"
                    "    outputs: {out: 'o${{ n }}', log: /tmp/l}\n"
                    "    env: {A: 1, B: 'x ${{ n }}'}\n"
                    "    clean-env: true\n"
                    "    secret: [B, C]\n"
                    "    cwd: sub\n"
                    "    stdin: in.txt\n"
                    "    version: 1.0\n"
                    "    scope: mine\n"
                    "    ok-status: [0, 0x10]\n"
                    "    cache: false\n"
                    "    keep: record\n"
                    "    keep-failed: true\n");
    const batch_job *j = job_of(b, "all");
    assert_int_equal(j->run, BATCH_SHELL_TEXT);
    assert_string_equal(source_of(&j->words[0]), "./a ${{ n }}");
    assert_ptr_equal(j->words[0].template, &j->text->text);
    assert_string_equal(shell_of(j), "sh -e -c");
    assert_int_equal(j->input_count, 3);
    assert_string_equal(source_of(&j->inputs[1]), "*.h");
    assert_int_equal(j->output_count, 2);
    assert_string_equal(j->outputs[0].name, "out");
    assert_string_equal(source_of(&j->outputs[1].path), "/tmp/l");
    assert_int_equal(j->env_count, 3);
    assert_true(j->env[0].set && !j->env[0].secret && strcmp(j->env[0].name, "A") == 0);
    assert_true(j->env[1].set && j->env[1].secret && strcmp(source_of(&j->env[1].value), "x ${{ n }}") == 0);
    assert_true(!j->env[2].set && j->env[2].secret && strcmp(j->env[2].name, "C") == 0);
    assert_true(j->clean_env);
    assert_string_equal(source_of(j->cwd), "sub");
    assert_string_equal(source_of(j->stdin_path), "in.txt");
    assert_string_equal(j->version, "1.0");
    assert_string_equal(j->scope, "mine");
    assert_int_equal(j->ok_count, 2);
    assert_int_equal(j->ok_status[1], 16);
    assert_false(j->cache);
    assert_true(j->keep_record && j->keep_failed);
    assert_int_equal(j->at.line, 3);
    batch_free(b);
}

static void test_batch__has_plain_defaults(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs: {a: {run: [make, \"\", 1.50, ~]}, b: {run: make}}\n");
    const batch_job *a = &b->jobs[0];
    assert_int_equal(a->run, BATCH_ARGV);
    assert_null(a->shell);
    assert_int_equal(a->word_count, 4);
    assert_string_equal(source_of(&a->words[1]), "");
    assert_string_equal(source_of(&a->words[2]), "1.50");
    assert_string_equal(source_of(&a->words[3]), "~");
    assert_true(a->cache && !a->keep_record && !a->keep_failed && !a->clean_env && !a->needed);
    assert_int_equal(a->ok_count, 1);
    assert_int_equal(a->ok_status[0], 0);
    assert_null(a->cwd);
    assert_null(a->stdin_path);
    assert_null(a->version);
    assert_true(a->expanded && a->matrix->count == 0);
    assert_string_equal(shell_of(&b->jobs[1]), "bash -euo pipefail -c");
    assert_int_equal(b->jobs[1].number, 1);
    assert_int_equal(b->warning_count, 0);
    assert_null(batch_find(b, "c", 1));
    batch_free(b);
}

static void test_batch__defaults_are_replaced_and_env_is_added(void **state)
{
    (void)state;
    batch *b =
        load("version: 1\n"
             "defaults: {shell: sh, cwd: d, env: {A: 1, B: 2}, secret: [B], cache: false, version: 1}\n"
             "jobs:\n"
             "  a: {run: x}\n"
             "  b: {run: x, shell: bash, cwd: e, env: [A, C], cache: true, version: 2}\n"
             "  c: {run: x, secret: [A]}\n");
    const batch_job *a = job_of(b, "a"), *j = job_of(b, "b"), *c = job_of(b, "c");
    assert_string_equal(shell_of(a), "sh -e -c");
    assert_int_equal(a->env_count, 2);
    assert_true(a->env[1].secret && !a->env[0].secret && !a->cache);
    assert_string_equal(shell_of(j), "bash -euo pipefail -c");
    assert_string_equal(source_of(j->cwd), "e");
    assert_int_equal(j->env_count, 3);
    assert_false(j->env[0].set);
    assert_true(j->env[1].set && j->env[1].secret && j->cache);
    assert_string_equal(j->env[2].name, "C");
    assert_string_equal(j->version, "2");
    assert_true(c->env[0].secret && c->env[0].set);
    assert_false(a->env[0].secret);
    batch_free(b);
}

static void test_batch__knows_secrets_by_their_names(void **state)
{
    (void)state;
    assert_true(batch_secret_name("GITHUB_TOKEN"));
    assert_true(batch_secret_name("my_secret_thing"));
    assert_true(batch_secret_name("DbPassWord"));
    assert_true(batch_secret_name("AWS_ACCESS_KEY_ID"));
    assert_false(batch_secret_name("HOME"));
    batch *b = load("version: 1\njobs: {a: {run: x, env: [HOME, API_KEY]}}\n");
    assert_true(!b->jobs[0].env[0].secret && b->jobs[0].env[1].secret);
    batch_free(b);
}

static void expect_shell(const char *word, const char *words)
{
    char text[256];
    snprintf(text, sizeof text, "version: 1\njobs: {a: {run: x, shell: %s}}\n", word);
    batch *b = load(text);
    assert_string_equal(shell_of(&b->jobs[0]), words);
    batch_free(b);
}

static void test_batch__knows_shells(void **state)
{
    (void)state;
    expect_shell("bash", "bash -euo pipefail -c");
    expect_shell("/bin/bash", "/bin/bash -euo pipefail -c");
    expect_shell("sh", "sh -e -c");
    expect_shell("zsh", "zsh -e -c");
    expect_shell("python3", "python3 -c");
    expect_shell("perl", "perl -e");
    expect_shell("[env, bash, -c]", "env bash -c");
}

static void test_batch__computes_matrices(void **state)
{
    (void)state;
    batch *b = load("version: 1\n"
                    "jobs:\n"
                    "  a:\n"
                    "    run: x\n"
                    "    matrix:\n"
                    "      list: [1.50, 0x10, \"$${{ x }}\", null]\n"
                    "      up: {range: [1, 3]}\n"
                    "      step: {range: [0, 10, 4]}\n"
                    "      lin: {linspace: [1, 2, 3]}\n");
    const batch_job *j = &b->jobs[0];
    uint32_t count;
    assert_int_equal(matrix_count(j->matrix, &count, NULL), 0);
    assert_int_equal(count, 4 * 3 * 3 * 3);
    assert_string_equal(values(j, 0), "1.50 0x10 ${{ x }} null");
    assert_string_equal(values(j, 1), "1 2 3");
    assert_string_equal(values(j, 2), "0 4 8");
    assert_string_equal(values(j, 3), "1 1.5 2");
    assert_false(j->matrix_reads);
    batch_free(b);
}

static void test_batch__expands_globs_and_lines(void **state)
{
    (void)state;
    assert_int_equal(mkdir("data", 0700), 0);
    write_file("data/b.txt", "");
    write_file("data/a.txt", "");
    write_file("data/a.md", "");
    write_file("list", "two words\n\n ${{ x }}\nlast");
    batch *b = load("version: 1\n"
                    "jobs:\n"
                    "  a:\n"
                    "    run: x\n"
                    "    matrix:\n"
                    "      one: {glob: 'data/*.txt'}\n"
                    "      many: {glob: ['data/*.txt', 'data/a.*']}\n"
                    "      lines: {lines: list}\n"
                    "      none: {glob: 'x/*', allow-empty: true}\n");
    batch_job *j = &b->jobs[0];
    deja_error err;
    assert_true(j->matrix_reads && !j->matrix_waits && !j->expanded);
    assert_string_equal(j->matrix->axes[1].name, "many");
    assert_int_equal(batch_expand(b, j, &err), 0);
    assert_string_equal(values(j, 0), "data/a.txt data/b.txt");
    assert_string_equal(values(j, 1), "data/a.md data/a.txt data/b.txt");
    assert_string_equal(values(j, 2), "two words  ${{ x }} last");
    assert_string_equal(values(j, 3), "");
    assert_true(j->expanded);
    /* Once: what comes later does not change the run. */
    write_file("data/c.txt", "");
    assert_int_equal(batch_expand(b, j, &err), 0);
    assert_string_equal(values(j, 0), "data/a.txt data/b.txt");
    batch_free(b);
}

static void expect_expand_failure(const char *axis, const char *message)
{
    char text[512];
    snprintf(text, sizeof text, "version: 1\njobs: {a: {run: x, matrix: {n: %s}}}\n", axis);
    batch *b = load(text);
    deja_error err;
    assert_true(batch_expand(b, &b->jobs[0], &err) < 0);
    if (!strstr(err.text, message) || strncmp(err.text, "deja.yaml:2:", 12) != 0)
        fail_msg("got: %s", err.text);
    assert_true(batch_expand(b, &b->jobs[0], NULL) < 0);
    batch_free(b);
}

static void test_batch__says_where_a_matrix_has_no_values(void **state)
{
    (void)state;
    int fd = open("nul", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "a\0b\n", 4), 4);
    assert_int_equal(close(fd), 0);
    write_file("empty", "\n\n");
    expect_expand_failure("{glob: '*.c'}", "no file matches '*.c'");
    expect_expand_failure("{glob: ['*.c', '*.d']}", "no file matches any of these patterns");
    expect_expand_failure("{lines: missing}", "missing");
    expect_expand_failure("{lines: nul}", "NUL");
    expect_expand_failure("{lines: empty}", "'empty' has no lines");
}

static void test_batch__links_needs(void **state)
{
    (void)state;
    batch *b = load("version: 1\n"
                    "jobs:\n"
                    "  last: {needs: {a: order, b: }, run: x, matrix: {f: {glob: '*'}}}\n"
                    "  b: {needs: [a], run: x}\n"
                    "  a: {run: x}\n"
                    "  c: {needs: b, run: x}\n");
    const batch_job *last = &b->jobs[0];
    assert_int_equal(last->need_count, 2);
    assert_int_equal(last->needs[0].job, 2);
    assert_true(last->needs[0].order_only);
    assert_int_equal(last->needs[1].job, 1);
    assert_false(last->needs[1].order_only);
    assert_int_equal(last->needs[1].at.column, 28);
    assert_true(last->matrix_waits);
    assert_true(b->jobs[1].needed && b->jobs[2].needed);
    assert_false(b->jobs[3].needed);
    batch_free(b);
    b = load("version: 1\njobs:\n  a: {run: x}\n  b: {needs: {a: order}, run: x}\n");
    assert_false(b->jobs[0].needed);
    batch_free(b);
}

static batch_name name_of(const batch *b, const char *text)
{
    const batch_job *job = batch_find(b, "table", 5);
    DEJA_AUTO_ARENA deja_arena arena = {0};
    template_text t;
    batch_name name = {.index = 99};
    assert_int_equal(template_parse(&t, text, strlen(text), &arena, NULL, NULL), 0);
    if (batch_name_of(b, job, template_only(&t), &name))
        name.index = 1000;
    return name;
}

static void test_batch__tells_what_names_stand_for(void **state)
{
    (void)state;
    batch *b = load("version: 1\n"
                    "jobs:\n"
                    "  one: {run: x, outputs: {o: one.o}}\n"
                    "  many: {run: x, matrix: {k: [1, 2]}, outputs: {p: 'p${{ k }}', q: 'q${{ k }}'}}\n"
                    "  other: {run: x, outputs: [y]}\n"
                    "  table:\n"
                    "    needs: [one, many]\n"
                    "    run: x\n"
                    "    matrix: {n: [1], m: [a/b.c]}\n"
                    "    outputs: {out: 'o${{ n }}${{ m.stem }}'}\n");
    batch_name n = name_of(b, "${{ m.dir.name }}");
    assert_true(n.kind == BATCH_NAME_AXIS && n.index == 1 && !n.is_list && n.attributes == 1);
    n = name_of(b, "${{ out.ext }}");
    assert_true(n.kind == BATCH_NAME_OUTPUT && n.index == 0 && !n.is_list && n.attributes == 1);
    n = name_of(b, "${{ outputs }}");
    assert_true(n.kind == BATCH_NAME_OUTPUTS && n.is_list);
    n = name_of(b, "${{ inputs }}");
    assert_true(n.kind == BATCH_NAME_INPUTS && n.is_list);
    n = name_of(b, "${{ many.outputs }}");
    assert_true(n.kind == BATCH_NAME_NEED_OUTPUTS && n.is_list && n.job == 1);
    n = name_of(b, "${{ many.outputs.q }}");
    assert_true(n.kind == BATCH_NAME_NEED_OUTPUT && n.is_list && n.job == 1 && n.index == 1);
    n = name_of(b, "${{ one.outputs.o.stem }}");
    assert_true(n.kind == BATCH_NAME_NEED_OUTPUT && !n.is_list && n.job == 0 && n.attributes == 3);
    static const char *const unknown[] = {
        "${{ x }}",   "${{ n.x }}",   "${{ outputs.name }}",        "${{ other.outputs }}",
        "${{ one }}", "${{ one.o }}", "${{ many.outputs.q.stem }}", "${{ table.outputs }}"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_int_equal(name_of(b, unknown[i]).index, 1000);
    batch_free(b);
}

static void test_batch__does_not_look_into_comments_of_a_text(void **state)
{
    (void)state;
    batch *b = load("version: 1\njobs:\n  a:\n    run: |\n      make # ${{ whatever }}\n");
    batch_free(b);
}

static void test_batch__refuses_a_newer_version_politely(void **state)
{
    (void)state;
    static const char text[] = "version: 7\nnew-things: {}\njobs: {a: {run: x, new: y}}\n";
    batch *b;
    deja_error err;
    assert_true(batch_load_text(&b, "deja.yaml", text, strlen(text), "/", &err) < 0);
    assert_non_null(strstr(err.text, "this deja knows only version 1"));
}

static void test_batch__loads_a_file_and_knows_its_folder(void **state)
{
    batch *b;
    deja_error err;
    char folder[4200];
    assert_int_equal(mkdir("sub", 0700), 0);
    write_file("sub/x.yaml", "version: 1\njobs: {a: {run: x}}\n");
    assert_int_equal(batch_load(&b, "./sub/../sub/x.yaml", &err), 0);
    snprintf(folder, sizeof folder, "%s/sub", (const char *)*state);
    assert_string_equal(b->folder, folder);
    assert_string_equal(b->source.path, "./sub/../sub/x.yaml");
    assert_true(faccessat(b->folder_fd, "x.yaml", R_OK, 0) == 0);
    assert_true(fcntl(b->folder_fd, F_GETFD) & FD_CLOEXEC);
    batch_free(b);
}

static void expect_no_file(const char *path, int code, const char *message)
{
    batch *b = NULL;
    deja_error err;
    assert_int_equal(batch_load(&b, path, &err), code);
    assert_null(b);
    if (!strstr(err.text, message))
        fail_msg("got: %s", err.text);
    assert_int_equal(batch_load(&b, path, NULL), code);
}

static void test_batch__says_what_to_do_without_a_file(void **state)
{
    (void)state;
    expect_no_file("deja.yaml", DEJA_ENOTFOUND, "no batch file 'deja.yaml': -f FILE names another one");
    assert_int_equal(mkdir("sub", 0700), 0);
    expect_no_file("sub", DEJA_ETYPE, "'sub' is a folder");
    write_file("deja.yml", "version: 1\n");
    write_file("sub/bacth.yaml", "version: 1\n");
    expect_no_file("deja.yaml", DEJA_ENOTFOUND, "did you mean 'deja.yml'?");
    expect_no_file("sub/batch.yaml", DEJA_ENOTFOUND, "did you mean 'sub/bacth.yaml'?");
    assert_int_equal(truncate("deja.yml", 64 * 1024 * 1024 + 1), 0);
    expect_no_file("deja.yml", DEJA_ELIMIT, "more than 64 MB");
}

static void test_batch__reads_standard_input(void **state)
{
    batch *b;
    deja_error err;
    write_file("x", "version: 1\njobs: {a: {run: x, inptus: []}}\n");
    write_file("y", "version: 1\njobs: {a: {run: x}}\n");
    int saved = dup(STDIN_FILENO);
    assert_true(saved >= 0);
    int fd = open("x", O_RDONLY | O_CLOEXEC);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    assert_true(batch_load(&b, "-", &err) < 0);
    assert_int_equal(strncmp(err.text, "<stdin>:2:20: unknown word 'inptus'", 35), 0);
    fd = open("y", O_RDONLY | O_CLOEXEC);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    assert_int_equal(batch_load(&b, "-", &err), 0);
    assert_string_equal(b->folder, (const char *)*state);
    batch_free(b);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void test_batch__makes_a_batch_of_a_command(void **state)
{
    const char *folder = *state;
    static const char *const argv[] = {"/usr/bin/sort", "${{ x }}", "", NULL};
    static const char *const inputs[] = {"a[1].txt", "d/", NULL};
    static const char *const outputs[] = {"o*", "../up", NULL};
    static const char *const env[] = {"HOME", "A_TOKEN", "HOME", NULL};
    batch_command c = {
        .argv = argv, .inputs = inputs, .outputs = outputs, .env = env, .stdin_path = "in", .version = "3"};
    batch *b;
    deja_error err;
    assert_int_equal(batch_from_command(&b, folder, &c, &err), 0);
    const batch_job *j = &b->jobs[0];
    assert_string_equal(j->name, "sort");
    assert_ptr_equal(batch_find(b, "sort", 4), j);
    assert_int_equal(j->run, BATCH_ARGV);
    assert_int_equal(j->word_count, 3);
    assert_int_equal(j->words[1].template->expr_count, 0);
    assert_string_equal(source_of(&j->words[1]), "${{ x }}");
    assert_int_equal(j->words[2].template->count, 0);
    assert_string_equal(source_of(&j->inputs[0]), "a\\[1].txt");
    assert_string_equal(source_of(&j->inputs[1]), "d/");
    assert_string_equal(source_of(&j->outputs[0].path), "o*");
    assert_int_equal(source_of(&j->outputs[1].path)[0], '/');
    assert_int_equal(j->env_count, 2);
    assert_true(j->env[1].secret && !j->env[0].set);
    assert_string_equal(source_of(j->stdin_path), "in");
    assert_string_equal(j->version, "3");
    assert_true(b->absolute_keys && j->cache && j->expanded);
    assert_string_equal(b->folder, folder);
    batch_free(b);
    c.anywhere = 1;
    assert_int_equal(batch_from_command(&b, folder, &c, &err), 0);
    assert_false(b->absolute_keys);
    batch_free(b);
}

static void refuse_command(batch_command c, const char *message)
{
    batch *b;
    deja_error err;
    assert_true(batch_from_command(&b, "/", &c, &err) < 0);
    if (!strstr(err.text, message))
        fail_msg("got: %s", err.text);
}

static void test_batch__refuses_unfit_commands(void **state)
{
    (void)state;
    const char *const none[] = {NULL}, *const empty[] = {"", NULL}, *const make[] = {"make", NULL};
    const char *const folder[] = {"out/", NULL}, *const wrong[] = {"A=b", NULL},
                      *const same[] = {"./a", NULL};
    const char *const other[] = {"x/../a", NULL}, *const here[] = {".", NULL};
    refuse_command((batch_command){.argv = none}, "no command is given");
    refuse_command((batch_command){.argv = empty}, "no command is given");
    refuse_command((batch_command){.argv = make, .outputs = folder}, "the output 'out/' is a folder");
    refuse_command((batch_command){.argv = make, .outputs = empty}, "the path of an output is empty");
    refuse_command((batch_command){.argv = make, .outputs = here}, "is the working folder itself");
    refuse_command((batch_command){.argv = make, .inputs = empty}, "the path of an input is empty");
    refuse_command((batch_command){.argv = make, .env = wrong}, "'A=b' cannot name an environment variable");
    refuse_command((batch_command){.argv = make, .inputs = same, .outputs = other}, "is also an input");
    refuse_command((batch_command){.argv = make, .outputs = other, .stdin_path = "a"}, "is also an input");
}

static void test_batch__survives_every_failed_allocation(void **state)
{
    (void)state;
    static const char text[] =
        "version: 1\n"
        "defaults: {env: {A: 1}, shell: sh}\n"
        "jobs:\n"
        "  a: {run: 'x ${{ n }} | y', matrix: {n: [1, 2], m: {range: [1, 3]}, g: {glob: ['/dev/nul*', "
        "'/dev/null']}}, outputs: {o: '${{ n }}'}}\n"
        "  b: {run: ['${{ a.outputs }}', z], needs: a, secret: [B], stdin: x, inputs: ['*.c', y]}\n";
    long n = 0;
    int code = DEJA_ENOMEM;
    while (code) {
        batch *b = NULL;
        deja_error err;
        failing_alloc_at(++n);
        code = batch_load_text(&b, "deja.yaml", text, strlen(text), "/", &err);
        if (!code)
            code = batch_expand(b, &b->jobs[0], &err);
        int failed = failing_alloc_hits > 0;
        failing_alloc_at(0);
        if (failed ? code != DEJA_ENOMEM && code != 0 : code != 0)
            fail_msg("allocation %ld: %s", n, err.text);
        batch_free(b);
        if (failed && code == 0)
            code = 1; /* one that can be done without; go on */
    }
    assert_true(n > 20);
}

/* A file of the source tree, `path` seen from this one. */
static const char *in_sources(const char *path)
{
    static char text[4096];
    const char *slash = strrchr(TEST_FILE, '/');
    snprintf(text, sizeof text, "%.*s/%s", (int)(slash - TEST_FILE), TEST_FILE, path);
    return text;
}

static void test_batch__loads_every_example_of_its_reference(void **state)
{
    (void)state;
    const char *text = read_file(in_sources("../../../jobs/BATCH.md"));
    char folder[4096];
    int count = 0;
    assert_non_null(text);
    assert_non_null(getcwd(folder, sizeof folder));
    write_file("common.yaml", "version: 1\njobs: {measure: {run: x}}\n");
    assert_int_equal(mkdir("tools", 0700), 0);
    write_file("tools/build.yaml", "version: 1\ninclude: [../common.yaml]\n");
    for (const char *begin; (begin = strstr(text, "```yaml\n")) != NULL; count++) {
        begin += strlen("```yaml\n");
        const char *end = strstr(begin, "```");
        batch *b = NULL;
        deja_error err;
        assert_non_null(end);
        if (batch_load_text(&b, "BATCH.md", begin, (size_t)(end - begin), folder, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(b->warning_count, 0);
        batch_free(b);
        text = end + 3;
    }
    assert_true(count >= 8);
}

static void test_batch__of_a_command_survives_every_failed_allocation(void **state)
{
    (void)state;
    const char *const argv[] = {"/bin/make", "x", NULL}, *const paths[] = {"a*", "b/", NULL},
                      *const outputs[] = {"o", "../p", NULL};
    batch_command c = {.argv = argv,
                       .inputs = paths,
                       .outputs = outputs,
                       .env = argv + 1,
                       .stdin_path = "i",
                       .version = "1",
                       .scope = "s"};
    int code = DEJA_ENOMEM;
    for (long n = 1; code; n++) {
        batch *b = NULL;
        failing_alloc_at(n);
        code = batch_from_command(&b, "/tmp", &c, NULL);
        failing_alloc_at(0);
        assert_true(code == 0 || code == DEJA_ENOMEM);
        batch_free(b);
    }
}

static int is_batch(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return dot && strcmp(dot, ".yaml") == 0;
}

/* The message of a batch: of its error, of an expansion that fails, or its warnings. */
static void message_of(const char *path, deja_buffer *ret)
{
    batch *b = NULL;
    deja_error err;
    int code = batch_load(&b, path, &err);
    for (uint32_t i = 0; !code && i < b->job_count; i++)
        code = batch_expand(b, &b->jobs[i], &err);
    if (code)
        deja_buffer_addf(ret, "%s\n", err.text);
    for (size_t i = 0; !code && i < b->warning_count; i++)
        deja_buffer_addf(ret, "%s\n", b->warnings[i]);
    batch_free(b);
}

/*
 * tests/golden/batch-errors/NAME.yaml and the message that it gets, NAME.expected. DEJA_GOLDEN=write makes
 * the messages anew: read each of them then.
 */
static void test_batch__says_what_is_wrong(void **state)
{
    (void)state;
    const char *mode = getenv("DEJA_GOLDEN");
    assert_int_equal(chdir(in_sources("../../golden/batch-errors")), 0);
    struct dirent **entries;
    int count = scandir(".", &entries, is_batch, alphasort), wrong = 0;
    for (int i = 0; i < count; i++) {
        DEJA_AUTO_BUFFER deja_buffer got = {0};
        char expected[512];
        message_of(entries[i]->d_name, &got);
        snprintf(expected, sizeof expected, "%.*s.expected", (int)strlen(entries[i]->d_name) - 5,
                 entries[i]->d_name);
        if (mode && strcmp(mode, "write") == 0)
            write_file(expected, deja_buffer_string(&got));
        const char *text = read_file(expected);
        if (!got.len || !text || strcmp(text, deja_buffer_string(&got)) != 0) {
            print_error("%s: expected\n%s\ngot\n%s\n", entries[i]->d_name, text ? text : "(no file)",
                        deja_buffer_string(&got));
            wrong++;
        }
        free(entries[i]);
    }
    free(entries);
    assert_true(count > 150);
    assert_int_equal(wrong, 0);
}

#define in_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scratch(test_batch__reads_every_word),
        in_scratch(test_batch__has_plain_defaults),
        in_scratch(test_batch__defaults_are_replaced_and_env_is_added),
        in_scratch(test_batch__knows_secrets_by_their_names),
        in_scratch(test_batch__knows_shells),
        in_scratch(test_batch__computes_matrices),
        in_scratch(test_batch__expands_globs_and_lines),
        in_scratch(test_batch__says_where_a_matrix_has_no_values),
        in_scratch(test_batch__links_needs),
        in_scratch(test_batch__tells_what_names_stand_for),
        in_scratch(test_batch__does_not_look_into_comments_of_a_text),
        in_scratch(test_batch__refuses_a_newer_version_politely),
        in_scratch(test_batch__loads_a_file_and_knows_its_folder),
        in_scratch(test_batch__says_what_to_do_without_a_file),
        in_scratch(test_batch__reads_standard_input),
        in_scratch(test_batch__makes_a_batch_of_a_command),
        in_scratch(test_batch__refuses_unfit_commands),
        in_scratch(test_batch__survives_every_failed_allocation),
        cmocka_unit_test(test_batch__of_a_command_survives_every_failed_allocation),
        in_scratch(test_batch__loads_every_example_of_its_reference),
        cmocka_unit_test(test_batch__says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
