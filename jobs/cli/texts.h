#ifndef TEXTS_H
#define TEXTS_H
/*
 * A growing list of texts in one piece of memory. Zeroed memory is an empty list.
 */
#include <deja/buffer.h>

typedef struct texts {
    deja_buffer bytes; /* each text, followed by a NUL */
    size_t *start;
    size_t count, cap;
} texts;

/* `text` is copied; it may not lie in the list itself. DEJA_ENOMEM. */
int texts_add(texts *t, const char *text, size_t len, deja_error *err);

/* Text `i` (< count). Borrowed until the list is changed. */
const char *texts_get(const texts *t, size_t i, size_t *ret_len);

/* Empties it and keeps its memory. */
void texts_clear(texts *t);
void texts_done(texts *t);

#endif
