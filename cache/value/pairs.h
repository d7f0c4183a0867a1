#ifndef PAIRS_H
#define PAIRS_H
/*
 * The pairs of a map in the order of their keys (by bytes), without touching the map. Few of them, or those
 * that are in order, cost no allocation of the heap's.
 */
#include <deja/value.h>

#define PAIRS_FEW 16 /* pointers that lie in the struct */

typedef struct pairs {
    const deja_pair **at; /* NULL: the map itself is in order */
    const deja_pair *few[PAIRS_FEW];
} pairs;

/* 0, or DEJA_ENOMEM with nothing to give back. */
int pairs_sort(pairs *s, const deja_value *map);
void pairs_done(pairs *s);

static inline const deja_pair *pairs_at(const pairs *s, const deja_value *map, uint64_t i)
{
    return s->at ? s->at[i] : &map->map[i];
}

/* A key that is there twice, or NULL. 0, or DEJA_ENOMEM. */
int pairs_find_twice(const deja_value *map, const char **ret_key);

#endif
