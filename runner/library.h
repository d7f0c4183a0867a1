#ifndef LIBRARY_H
#define LIBRARY_H
/*
 * Libraries that functions come from by their symbols. The program looks at the file and never loads it:
 * loading runs code of it. Workers do.
 */
#include "function_place.h"

/*
 * Is it a library of this machine that nobody but us and root can change? 0 and how its file is known, or
 * DEJA_ENOTFOUND, DEJA_ETYPE (no library, or one for another machine), DEJA_EDENIED (others may write to it
 * or replace it). `path` is absolute.
 */
int library_check(const char *path, object_id *ret, deja_error *err);

/* 1 when the file at `path` is that one. */
int library_is(const char *path, const object_id *id);

/* The program: bytes of the place of such a function, and the place (zeroed before). Errors of library_check.
 */
uint64_t library_place_size(const char *symbol, const char *name);
int library_place(const char *library, const char *symbol, const char *name, function_place *p,
                  deja_error *err);

/* A library that a worker has loaded, and what its file was then. Never closed. */
typedef struct loaded_library {
    struct loaded_library *next;
    void *handle;
    object_id id;
    char path[];
} loaded_library;

/* A worker: the function of a place, its library loaded where it must be. NULL with DEJA_ECHANGED (another
 * file lies there now, or was loaded before), DEJA_ENOTFOUND (it cannot be loaded, it lacks the symbol). */
deja_job_fn library_function(loaded_library **loaded, const function_place *p, deja_error *err);

#endif
