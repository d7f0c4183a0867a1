#ifndef DEJA_DUMP_H
#define DEJA_DUMP_H
/*
 * Values in files: deja's own format (an image with a head and a checksum, mapped when plain, or compressed
 * by zstd) and arrays in numpy's .npy (format 1.0 to 3.0,
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). A file appears whole under its
 * name or not at all. Any thread may call.
 */
#include <deja/value.h>

typedef struct deja_loaded deja_loaded; /* a value and what it lies in */

/* level 0: plain; 1 to 19: zstd. A link is followed, what is no regular file stays (DEJA_ETYPE), a file that
 * is replaced keeps its permissions. DEJA_EINVAL, DEJA_EDENIED, DEJA_EFULL, DEJA_EIO... */
DEJA_API int deja_dump(const char *path, const deja_value *v, int level, deja_error *err);

/* Reads what deja_dump or deja_npy_save wrote (told by the first bytes); plain files are mapped read-only and
 * private to this process' use: their checksum is looked at once. DEJA_ENOTFOUND, DEJA_ECORRUPT,
 * DEJA_EVERSION, DEJA_ETYPE (an .npy of objects). */
DEJA_API int deja_load(const char *path, deja_loaded **ret, deja_error *err);

/* Borrowed until deja_loaded_free. */
DEJA_API const deja_value *deja_loaded_value(const deja_loaded *l);
DEJA_API void deja_loaded_free(deja_loaded *l);

/* An array as .npy 1.0 in C order, data aligned to 64 bytes. Errors as of deja_dump. */
DEJA_API int deja_npy_save(const char *path, const deja_array *a, deja_error *err);

#endif
