/* A growing list of texts, see texts.h. */
#include "texts.h"
#include <deja/memory.h>

int texts_add(texts *t, const char *text, size_t len, deja_error *err)
{
    size_t *start = deja_grow(t->start, t->count, &t->cap, sizeof *start);
    t->start = start ? start : t->start;
    size_t at = t->bytes.len;
    deja_buffer_add(&t->bytes, text, len);
    deja_buffer_add_char(&t->bytes, '\0');
    if (!start || t->bytes.failed)
        return deja_fail(err, DEJA_ENOMEM, "read arguments: out of memory");
    t->start[t->count++] = at;
    return 0;
}

const char *texts_get(const texts *t, size_t i, size_t *ret_len)
{
    size_t end = i + 1 < t->count ? t->start[i + 1] : t->bytes.len;
    *ret_len = end - t->start[i] - 1;
    return t->bytes.data + t->start[i];
}

void texts_clear(texts *t)
{
    deja_buffer_clear(&t->bytes);
    t->count = 0;
}

void texts_done(texts *t)
{
    deja_buffer_done(&t->bytes);
    deja_free(t->start);
    *t = (texts){0};
}
