#ifndef WORDS_H
#define WORDS_H
/*
 * A growing list of borrowed words, NULL-terminated. Zeroed memory is an empty list.
 */
#include <deja/memory.h>

typedef struct words {
    const char **list; /* NULL while empty */
    size_t count, cap;
} words;

static inline int words_add(words *w, const char *word, deja_error *err)
{
    const char **list = deja_grow(w->list, w->count + 1, &w->cap, sizeof *list);
    if (!list)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    w->list = list;
    list[w->count++] = word;
    list[w->count] = NULL;
    return 0;
}

static inline void words_done(words *w)
{
    deja_free(w->list);
    *w = (words){0};
}

#endif
