#ifndef DEJA_TEXT_H
#define DEJA_TEXT_H
/*
 * Text for people and from people: escaping, nearest words, numbers. Any thread may call.
 */
#include <deja/buffer.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Appends `text` so that it can do nothing to a terminal: C0, DEL, C1 and bytes that are not UTF-8 become \n,
 * \t, \xNN (CWE-150). A backslash stays as it is.
 */
DEJA_API void deja_text_escape(deja_buffer *b, const char *text, size_t len);

/* Bytes of the UTF-8 sequence that starts at `s` (1 to 4), 0 when it is not valid UTF-8 (RFC 3629). */
DEJA_API size_t deja_text_utf8(const char *s, size_t len);

/* 1 when all of it is valid UTF-8. */
DEJA_API int deja_text_is_utf8(const char *s, size_t len);

/* Columns that `text` takes on a terminal: wide East Asian characters two, combining ones none. */
DEJA_API size_t deja_text_columns(const char *text, size_t len);

/*
 * The word of `words` (n of them) that is nearest to `word` by the optimal string alignment distance, when it
 * is near enough to be a likely misspelling (at most a third of its length, at least 1, rounded up); else
 * NULL.
 */
DEJA_API const char *deja_text_nearest(const char *word, const char *const *words, size_t n);

/* A whole decimal number with an optional sign and nothing else. 0 or DEJA_ESYNTAX, DEJA_ELIMIT when out of
 * range. */
DEJA_API int deja_text_int(const char *s, int64_t *ret);

/* The shortest decimal text that reads back as the same double (at most 32 bytes with its NUL). */
DEJA_API void deja_text_double(double v, char text[32]);

/* "1.5 GB", "312 B": powers of 1000, three digits at most. "1m 04s", "350 ms", "2h 05m". At most 32 bytes
 * each. */
DEJA_API void deja_text_bytes(uint64_t bytes, char text[32]);
DEJA_API void deja_text_duration(int64_t ns, char text[32]);

#endif
