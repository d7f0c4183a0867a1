/* Sorted by the hash of the base; looked up by bisection. */
#include "listings.h"
#include "glob.h"
#include "outputs.h"
#include <stdlib.h>
#include <string.h>

/* Most patterns are the same for all instances of a job, which has a few. */
#define LATEST 8

/* What is looked for. */
typedef struct question {
    const char *path;
    uint32_t maker;
    int64_t reader;
    int (*found)(void *context, const listing *of, const char *path, uint32_t maker, deja_error *err);
    void *context;
} question;

/* The length of the folder that all it means lies in, without the slash. */
static size_t base_length(const job_input *in)
{
    if (in->folder)
        return strcmp(in->path, ".") == 0 || strcmp(in->path, "/") == 0 ? 0 : strlen(in->path);
    size_t len = glob_base(in->path);
    return len > 0 ? len - 1 : 0;
}

static int is_added(const listings *l, uint32_t reader, const job_input *in, int in_matrix)
{
    size_t first = l->count > LATEST ? l->count - LATEST : 0;
    for (size_t i = l->count; i-- > first;) {
        const listing *of = &l->items[i];
        if (of->reader == reader && of->in_matrix == in_matrix && of->input.folder == in->folder &&
            strcmp(of->input.path, in->path) == 0)
            return 1;
    }
    return 0;
}

int listings_add(listings *l, uint32_t reader, const job_input *in, int in_matrix)
{
    if (is_added(l, reader, in, in_matrix))
        return 0;
    listing *more = deja_grow(l->items, l->count, &l->cap, sizeof *more);
    const char *path = deja_arena_dup(&l->arena, in->path, strlen(in->path));
    l->items = more ? more : l->items;
    if (!more || !path)
        return DEJA_ENOMEM;
    listing *of = &more[l->count++];
    *of = (listing){.base = deja_hash64(in->path, base_length(in)),
                    .reader = reader,
                    .in_matrix = in_matrix,
                    .input = *in};
    of->input.path = path;
    l->has_absolute |= path[0] == '/';
    return 0;
}

static int compare(const void *a, const void *b)
{
    const listing *x = a, *y = b;
    if (x->base != y->base)
        return x->base < y->base ? -1 : 1;
    return x->reader < y->reader ? -1 : x->reader > y->reader;
}

void listings_sort(listings *l)
{
    if (l->sorted != l->count)
        qsort(l->items, l->count, sizeof *l->items, compare);
    l->sorted = l->count;
}

int listings_has(const listings *l, uint32_t reader)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].reader == reader)
            return 1;
    return 0;
}

/* The first one that waits at a folder. */
static size_t first_at(const listings *l, uint64_t base)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->items[middle].base < base)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int find_at(listings *l, const question *q, uint64_t base, deja_error *err)
{
    for (size_t i = first_at(l, base); i < l->count && l->items[i].base == base; i++) {
        listing *of = &l->items[i];
        if (of->found == q->maker + 1 || (q->reader >= 0 && of->reader != q->reader) ||
            !outputs_match(&of->input, q->path))
            continue;
        of->found = q->maker + 1;
        int status = q->found(q->context, of, q->path, q->maker, err);
        if (status < 0)
            return status;
    }
    return 0;
}

int listings_find(listings *l, const char *path, uint32_t maker, int64_t reader,
                  int (*found)(void *context, const listing *of, const char *path, uint32_t maker,
                               deja_error *err),
                  void *context, deja_error *err)
{
    question q = {.path = path, .maker = maker, .reader = reader, .found = found, .context = context};
    size_t len = strlen(path);
    for (int status = 0; l->count > 0 && len > 0;) {
        while (len > 0 && path[len - 1] != '/')
            len--;
        len -= len > 0;
        status = find_at(l, &q, deja_hash64(path, len), err);
        if (status < 0)
            return status;
    }
    return 0;
}

void listings_done(listings *l)
{
    deja_free(l->items);
    deja_arena_done(&l->arena);
    *l = (listings){0};
}
