#ifndef DEJA_PLACE_H
#define DEJA_PLACE_H
/*
 * Where things live, and how the cache is used, as options and environment say.
 */
#include <deja/buffer.h>

/* DEJA_MODE. */
typedef enum deja_place_mode {
    DEJA_PLACE_USE,      /* look up and keep; not set */
    DEJA_PLACE_OFF,      /* no cache */
    DEJA_PLACE_READONLY, /* look up, keep nothing */
    DEJA_PLACE_REFRESH,  /* run everything again and keep it */
} deja_place_mode;

/* DEJA_EINVAL names the three words. */
DEJA_API int deja_place_mode_of(const char *text, deja_place_mode *ret, deja_error *err);

/* The variable's value; NULL when it is not set or empty. */
DEJA_API const char *deja_place_env(const char *name);

/*
 * The folder of the cache, appended: `option` (--cache), else DEJA_CACHE, else `beside`/.deja, else (beside
 * NULL) `deja` in the user's cache folder (XDG base directory specification: XDG_CACHE_HOME, else
 * HOME/.cache). DEJA_ENOTFOUND when nothing says where.
 */
DEJA_API int deja_place_cache(deja_buffer *b, const char *option, const char *beside, deja_error *err);

/* 1 when there is a cache in this folder, or one may be that is not ours to look at: asking is no reason to
 * make one. */
DEJA_API int deja_place_has_cache(const char *folder);

/* The folder where all that the user starts claims output paths, appended: deja/outputs under XDG_STATE_HOME,
 * else HOME/.local/state. */
DEJA_API int deja_place_outputs(deja_buffer *b, deja_error *err);

/* The folder of run records, appended: `beside`/.deja/runs, else (NULL) deja/runs under XDG_STATE_HOME, else
 * HOME/.local/state. */
DEJA_API int deja_place_runs(deja_buffer *b, const char *beside, deja_error *err);

#endif
