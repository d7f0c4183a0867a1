/* What differs between two keys, see difference.h. */
#include "difference.h"
#include <deja/memory.h>
#include <stdlib.h>
#include <string.h>

/* A field among those of its encoding. */
typedef struct item {
    deja_field field;
    int rank; /* fields of one rank are told together */
    int executable;
    int is_new; /* of the new encoding */
    uint32_t position;
} item;

/* The order in which people are told. Variables are of one rank, be they set, absent or secret. */
static int rank_of(deja_field_tag tag)
{
    static const uint8_t ranks[] = {
        [DEJA_FIELD_KIND] = 1,        [DEJA_FIELD_SCOPE] = 2,   [DEJA_FIELD_VERSION] = 3,
        [DEJA_FIELD_FUNCTION] = 4,    [DEJA_FIELD_LIBRARY] = 5, [DEJA_FIELD_BUILD] = 6,
        [DEJA_FIELD_PROGRAM] = 7,     [DEJA_FIELD_TEXT] = 8,    [DEJA_FIELD_WORD] = 9,
        [DEJA_FIELD_SHELL] = 10,      [DEJA_FIELD_FOLDER] = 11, [DEJA_FIELD_ARGUMENT] = 12,
        [DEJA_FIELD_ENV_CLEAN] = 13,  [DEJA_FIELD_ENV] = 14,    [DEJA_FIELD_ENV_ABSENT] = 14,
        [DEJA_FIELD_ENV_SECRET] = 14, [DEJA_FIELD_STDIN] = 15,  [DEJA_FIELD_INPUT] = 16,
        [DEJA_FIELD_NEED] = 17,       [DEJA_FIELD_OUTPUT] = 18,
    };
    size_t i = (size_t)tag;
    return i < sizeof ranks && ranks[i] ? ranks[i] : 99;
}

static int compare_names(const item *a, const item *b)
{
    size_t n = a->field.name_len < b->field.name_len ? a->field.name_len : b->field.name_len;
    int order = n ? memcmp(a->field.name, b->field.name, n) : 0;
    if (order)
        return order;
    return a->field.name_len == b->field.name_len ? 0 : a->field.name_len < b->field.name_len ? -1 : 1;
}

/* 0 for items that are to be compared with each other. */
static int compare_groups(const item *a, const item *b)
{
    return a->rank != b->rank ? a->rank - b->rank : compare_names(a, b);
}

static int compare(const void *left, const void *right)
{
    const item *a = left, *b = right;
    int order = compare_groups(a, b);
    if (order || a->is_new != b->is_new)
        return order ? order : a->is_new - b->is_new;
    return a->position < b->position ? -1 : a->position > b->position;
}

/* Adds the fields of an encoding to the items. */
static int collect(differences *d, size_t *count, const void *encoding, size_t len, int is_new)
{
    size_t at = 0;
    uint32_t position = 0, words = 0;
    deja_field field;
    int status;
    item *last = NULL;
    while ((status = deja_field_next(encoding, len, &at, &field)) == 1) {
        if (field.tag == DEJA_FIELD_EXECUTABLE) {
            if (last)
                last->executable = 1;
            continue;
        }
        item *items = deja_grow(d->items, *count, &d->item_cap, sizeof *items);
        if (!items)
            return DEJA_ENOMEM;
        d->items = items;
        int is_word = field.tag == DEJA_FIELD_WORD;
        last = &items[(*count)++];
        *last = (item){.field = field,
                       .rank = rank_of(field.tag),
                       .is_new = is_new,
                       .position = is_word ? ++words : ++position};
    }
    return status;
}

static int same(const item *a, const item *b)
{
    return a->field.tag == b->field.tag && a->executable == b->executable &&
           a->field.value_len == b->field.value_len &&
           (a->field.value_len == 0 || !memcmp(a->field.value, b->field.value, a->field.value_len));
}

/* Either may be NULL. */
static int add(differences *d, const item *old, const item *now)
{
    difference *list = deja_grow(d->list, d->count, &d->cap, sizeof *list);
    if (!list)
        return DEJA_ENOMEM;
    d->list = list;
    difference *one = &list[d->count++];
    *one = (difference){.position = now ? now->position : old->position};
    if (old) {
        one->in_old = 1;
        one->old_field = old->field;
        one->old_executable = old->executable;
    }
    if (now) {
        one->in_new = 1;
        one->new_field = now->field;
        one->new_executable = now->executable;
    }
    return 0;
}

/* Two lists of one rank and name: what they share at both ends is not told, so that of words one that was put
 * in between is all there is to say. */
static int compare_lists(differences *d, const item *old, size_t old_count, const item *now, size_t new_count)
{
    while (old_count && new_count && same(old, now)) {
        old++, now++;
        old_count--, new_count--;
    }
    while (old_count && new_count && same(&old[old_count - 1], &now[new_count - 1]))
        old_count--, new_count--;
    int status = 0;
    for (size_t i = 0; status == 0 && (i < old_count || i < new_count); i++)
        status = add(d, i < old_count ? &old[i] : NULL, i < new_count ? &now[i] : NULL);
    return status;
}

/* Items from `first` on that are of its group and its encoding. */
static size_t run_length(const item *items, size_t count, size_t first, int is_new)
{
    size_t n = 0;
    while (first + n < count && items[first + n].is_new == is_new &&
           compare_groups(&items[first], &items[first + n]) == 0)
        n++;
    return n;
}

int differences_find(differences *d, const void *old_encoding, size_t old_len, const void *new_encoding,
                     size_t new_len)
{
    size_t count = 0, next;
    d->count = 0;
    int status = collect(d, &count, old_encoding, old_len, 0);
    if (status == 0)
        status = collect(d, &count, new_encoding, new_len, 1);
    if (status < 0)
        return status;
    const item *items = d->items;
    if (count)
        qsort(d->items, count, sizeof *items, compare);
    for (size_t i = 0; i < count && status == 0; i = next) {
        size_t old = run_length(items, count, i, 0);
        size_t now = i + old < count && (old == 0 || compare_groups(&items[i], &items[i + old]) == 0)
                         ? run_length(items, count, i + old, 1)
                         : 0;
        status = compare_lists(d, items + i, old, items + i + old, now);
        next = i + old + now;
    }
    return status;
}

void differences_done(differences *d)
{
    deja_free(d->list);
    deja_free(d->items);
    *d = (differences){0};
}
