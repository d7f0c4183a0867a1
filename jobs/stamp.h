#ifndef STAMP_H
#define STAMP_H
/*
 * Moments as text, in UTC. Without the C library's time zones: those read a file at their first use, and a
 * program that starts in a millisecond has no time for it.
 */
#include <deja/buffer.h>

typedef struct stamp {
    int year, month, day, hour, minute, second, millisecond;
} stamp;

/* `wall_ns` since 1970-01-01 UTC; negative counts as 0. */
void stamp_of(int64_t wall_ns, stamp *ret);

/* "2026-11-20T09:23:29Z" (RFC 3339), appended. */
void stamp_add(deja_buffer *b, int64_t wall_ns);

#endif
