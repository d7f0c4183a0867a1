#ifndef CACHE_GET_H
#define CACHE_GET_H
/*
 * What `deja cache get` hands out: the value of a function, or bytes that a command left.
 */
#include <deja/cache.h>

typedef struct cache_get {
    const char *to;     /* -o FILE; NULL: standard output */
    const char *output; /* --output NAME: name or path of an output; NULL: the value, else standard output */
} cache_get;

/*
 * A value goes to standard output as a line of JSON, to a FILE as its name ends: .json, .npy (an array),
 * .deja (any value, deja/dump.h). Of a command the bytes are written as they are. A FILE appears whole or not
 * at all. 0; 1 after saying why standard output does not take it; DEJA_EINVAL for a FILE of another name,
 * DEJA_ETYPE for no array, DEJA_ENOTFOUND for no such output or a blob that went, DEJA_ECORRUPT...
 */
int cache_get_entry(deja_cache *c, const deja_entry *e, const cache_get *what, deja_error *err);

#endif
