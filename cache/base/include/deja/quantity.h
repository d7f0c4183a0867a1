#ifndef DEJA_QUANTITY_H
#define DEJA_QUANTITY_H
/*
 * Quantities as people write them: durations and sizes. Any thread may call.
 */
#include <deja/error.h>
#include <stdint.h>

/*
 * "10m", "1h30m", "500ms", "1.5h", "2 s", or a bare number of seconds, to nanoseconds: numbers with units d,
 * h, m, s, ms, us, each smaller than the one before. DEJA_ESYNTAX, DEJA_ELIMIT for more than 292 years;
 * *ret_ns is written on success only.
 */
DEJA_API int deja_parse_duration(const char *text, int64_t *ret_ns, deja_error *err);

/*
 * "2GB", "1.5 GiB", "500MB", "512", to bytes: kB, MB, GB, TB, PB are powers of 1000, KiB ... PiB of 1024, and
 * so are K, M, G, T, P alone (as in sort(1)); B or no unit are bytes. Upper and lower case are the same.
 * Errors as above; less than one byte is rounded up.
 */
DEJA_API int deja_parse_bytes(const char *text, uint64_t *ret, deja_error *err);

/* What deja_parse_duration reads back, in as many units as it needs: "10m", "1h30m", "1.5s", "250ms", "0s".
 * Parts of a microsecond are dropped. At most 32 bytes. */
DEJA_API void deja_show_duration(int64_t ns, char text[32]);

#endif
