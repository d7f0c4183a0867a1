/* Which jobs of a batch are to run, see selection.h. */
#include "selection.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

static int fail_unknown(const batch *b, const char *word, deja_error *err)
{
    DEJA_AUTO_FREE const char **names = deja_calloc(b->job_count + 1u, sizeof *names);
    if (!names)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < b->job_count; i++)
        names[i] = b->jobs[i].name;
    const char *near = deja_text_nearest(word, names, b->job_count);
    if (near)
        return deja_fail(err, DEJA_EINVAL, "no job '%s' in the batch, did you mean '%s'?", word, near);
    return deja_fail(err, DEJA_EINVAL, "no job '%s' in the batch", word);
}

static const batch_job *find(const batch *b, const char *word, deja_error *err)
{
    const batch_job *job = batch_find(b, word, strlen(word));
    if (job)
        return job;
    size_t name = strcspn(word, "[");
    if (word[name] && batch_find(b, word, name))
        deja_fail(err, DEJA_EINVAL,
                  "'%s': single instances of a job cannot be chosen; '%.*s' runs all of them", word,
                  (int)name, word);
    else
        fail_unknown(b, word, err);
    return NULL;
}

/* Adds what `selected` needs, link by link, on a stack of job numbers. */
static void add_needed(const batch *b, uint8_t *selected, uint32_t *stack, size_t depth)
{
    while (depth > 0) {
        const batch_job *job = &b->jobs[stack[--depth]];
        for (size_t i = 0; i < job->need_count; i++) {
            uint32_t needed = job->needs[i].job;
            if (selected[needed])
                continue;
            selected[needed] = 1;
            stack[depth++] = needed;
        }
    }
}

int select_jobs(uint8_t **ret, const batch *b, const char *const *words, size_t count, deja_error *err)
{
    *ret = NULL;
    if (!count)
        return 0;
    DEJA_AUTO_FREE uint8_t *selected = deja_calloc(b->job_count + 1u, 1);
    DEJA_AUTO_FREE uint32_t *stack =
        deja_calloc(b->job_count + 1u, sizeof *stack); /* each job enters it once */
    if (!selected || !stack)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    size_t depth = 0;
    for (size_t i = 0; i < count; i++) {
        const batch_job *job = find(b, words[i], err);
        if (!job)
            return DEJA_EINVAL;
        if (!selected[job->number])
            stack[depth++] = job->number;
        selected[job->number] = 1;
    }
    add_needed(b, selected, stack, depth);
    *ret = deja_take(selected);
    return 0;
}
