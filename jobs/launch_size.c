/* Words and environment against the limits of execve(2). */
#include "launch_size.h"
#include <deja/cleanup.h>
#include <string.h>
#include <unistd.h>

/* MAX_ARG_STRLEN of linux/binfmts.h: 32 pages, its NUL included. */
#define WORD_PAGES 32

/* What the kernel needs besides: the file's name, the auxiliary vector. */
#define SPARE 4096

static size_t measure(const char *const *words, size_t *ret_longest)
{
    size_t all = 0;
    for (size_t i = 0; words && words[i]; i++) {
        size_t len = strlen(words[i]) + 1;
        *ret_longest = len > *ret_longest ? len : *ret_longest;
        all += len + sizeof *words;
    }
    return all;
}

/* The first gathered list among the words. */
static const template_expr *find_list(const job *j)
{
    for (size_t i = 0; i < j->def->word_count; i++) {
        const template_text *t = j->def->words[i].template;
        batch_name name;
        for (size_t k = 0; k < t->count; k++)
            if (t->parts[k].expr && batch_name_of(j->batch, j->def, t->parts[k].expr, &name) == 0 &&
                name.is_list && (name.kind == BATCH_NAME_NEED_OUTPUT || name.kind == BATCH_NAME_NEED_OUTPUTS))
                return t->parts[k].expr;
    }
    return NULL;
}

static int fail(const job *j, size_t size, size_t limit, const char *what, deja_error *err)
{
    const template_expr *e = find_list(j);
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    for (size_t i = 0; e && i < e->count; i++)
        deja_buffer_addf(&name, "%s%s", i ? "." : "", e->names[i]);
    if (name.failed || !e)
        return deja_fail(err, DEJA_ELIMIT, "%s of %zu bytes is more than the kernel takes (%zu)", what, size,
                         limit);
    return deja_fail(
        err, DEJA_ELIMIT,
        "%s of %zu bytes is more than the kernel takes (%zu): '${{ %s.list }}' is a file with these names, "
        "one a line",
        what, size, limit, name.data);
}

int launch_check_size(const job *j, const char *const *argv, const char *const *env, deja_error *err)
{
    size_t longest = 0, longest_env = 0;
    size_t words = measure(argv, &longest), all = words + measure(env, &longest_env) + SPARE;
    long page = sysconf(_SC_PAGESIZE), most = sysconf(_SC_ARG_MAX);
    size_t word_limit = WORD_PAGES * (size_t)(page > 0 ? page : 4096);
    if (longest > word_limit)
        return fail(j, longest, word_limit, j->shell ? "the text" : "a word", err);
    if (longest_env > word_limit)
        return deja_fail(err, DEJA_ELIMIT, "a variable of %zu bytes is more than the kernel takes (%zu)",
                         longest_env, word_limit);
    if (most > 0 && all > (size_t)most)
        return fail(j, words, (size_t)most, "a command", err);
    return 0;
}
