/* Sorted by the hash of the plain text; a path is looked up by those of its beginnings that are as long as
 * some plain text. */
#include "listings.h"
#include "glob.h"
#include "outputs.h"
#include <stdlib.h>
#include <string.h>

/* Most patterns are the same for all instances of a job, which has a few. */
#define LATEST 64

/* What is looked for. */
typedef struct question {
    const char *path;
    uint32_t maker;
    int64_t reader;
    int (*found)(void *context, const listing *of, const char *path, uint32_t maker, deja_error *err);
    void *context;
} question;

/* The length of the text that all paths begin with that it means, without a slash at its end. */
static size_t plain_length(const job_input *in)
{
    if (in->folder)
        return strcmp(in->path, ".") == 0 || strcmp(in->path, "/") == 0 ? 0 : strlen(in->path);
    size_t len = strcspn(in->path, "*?[\\");
    return len > 0 && in->path[len - 1] == '/' ? len - 1 : len;
}

static int is_added(const listings *l, uint64_t hash, uint32_t reader, const job_input *in, int in_matrix)
{
    size_t first = l->count > LATEST ? l->count - LATEST : 0;
    for (size_t i = l->count; i-- > first;) {
        const listing *of = &l->items[i];
        if (of->hash == hash && of->reader == reader && of->in_matrix == in_matrix &&
            of->input.folder == in->folder && strcmp(of->input.path, in->path) == 0)
            return 1;
    }
    return 0;
}

static int note_length(listings *l, size_t len)
{
    for (size_t i = 0; i < l->length_count; i++)
        if (l->lengths[i] == len)
            return 0;
    size_t *more = deja_grow(l->lengths, l->length_count, &l->length_cap, sizeof *more);
    if (!more)
        return DEJA_ENOMEM;
    l->lengths = more;
    more[l->length_count++] = len;
    return 0;
}

int listings_add(listings *l, uint32_t reader, const job_input *in, int in_matrix)
{
    size_t len = plain_length(in);
    uint64_t hash = deja_hash64(in->path, len);
    if (is_added(l, hash, reader, in, in_matrix))
        return 0;
    listing *more = deja_grow(l->items, l->count, &l->cap, sizeof *more);
    const char *path = deja_arena_dup(&l->arena, in->path, strlen(in->path));
    l->items = more ? more : l->items;
    if (!more || !path || note_length(l, len) < 0)
        return DEJA_ENOMEM;
    listing *of = &more[l->count++];
    *of = (listing){.hash = hash, .reader = reader, .in_matrix = in_matrix, .input = *in};
    of->input.path = path;
    l->has_absolute |= path[0] == '/';
    return 0;
}

static int compare(const void *a, const void *b)
{
    const listing *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
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

static size_t first_at(const listings *l, uint64_t hash)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->items[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int find_at(listings *l, const question *q, uint64_t hash, deja_error *err)
{
    for (size_t i = first_at(l, hash); i < l->count && l->items[i].hash == hash; i++) {
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
    int status = 0;
    for (size_t i = 0; status == 0 && i < l->length_count; i++)
        if (l->lengths[i] <= len)
            status = find_at(l, &q, deja_hash64(path, l->lengths[i]), err);
    return status;
}

void listings_done(listings *l)
{
    deja_free(l->items);
    deja_free(l->lengths);
    deja_arena_done(&l->arena);
    *l = (listings){0};
}
