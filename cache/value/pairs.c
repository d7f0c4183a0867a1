/*
 * Sorting the pairs of a map.
 */
#include "pairs.h"

#include <deja/memory.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    return strcmp((*(const deja_pair *const *)a)->key, (*(const deja_pair *const *)b)->key);
}

/* For few, and never quadratic for many. */
static void sort_few(const deja_pair **at, uint64_t n)
{
    for (uint64_t i = 1; i < n; i++) {
        const deja_pair *p = at[i];
        uint64_t k = i;
        for (; k > 0 && strcmp(at[k - 1]->key, p->key) > 0; k--)
            at[k] = at[k - 1];
        at[k] = p;
    }
}

static int is_ascending(const deja_value *map)
{
    for (uint64_t i = 1; i < map->len; i++)
        if (strcmp(map->map[i - 1].key, map->map[i].key) >= 0)
            return 0;
    return 1;
}

int pairs_sort(pairs *s, const deja_value *map)
{
    s->at = NULL;
    if (is_ascending(map))
        return 0;
    s->at = map->len <= PAIRS_FEW ? s->few : deja_realloc_array(NULL, map->len, sizeof *s->at);
    if (!s->at)
        return DEJA_ENOMEM;
    for (uint64_t i = 0; i < map->len; i++)
        s->at[i] = &map->map[i];
    if (s->at == s->few)
        sort_few(s->at, map->len);
    else
        qsort(s->at, map->len, sizeof *s->at, compare);
    return 0;
}

void pairs_done(pairs *s)
{
    if (s->at != s->few)
        deja_free(s->at);
    s->at = NULL;
}

int pairs_find_twice(const deja_value *map, const char **ret_key)
{
    pairs sorted;
    int r = pairs_sort(&sorted, map);
    if (r)
        return r;
    *ret_key = NULL;
    for (uint64_t i = 1; sorted.at && i < map->len && !*ret_key; i++)
        if (strcmp(sorted.at[i - 1]->key, sorted.at[i]->key) == 0)
            *ret_key = sorted.at[i]->key;
    pairs_done(&sorted);
    return 0;
}
