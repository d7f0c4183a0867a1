#ifndef FUNCTION_PLACE_H
#define FUNCTION_PLACE_H
/*
 * Where a function lies, said so that another process finds it: the object (program or library) it is part
 * of, and the offset in it. An object is known by its build-id, or, where it has none, by its file.
 */
#include <deja/job.h>
#include <sys/stat.h>

enum { build_id_most = 32 };

typedef struct object_id {
    uint32_t build_len; /* 0: known by the file */
    unsigned char build[build_id_most];
    uint64_t dev, inode, size;
    int64_t mtime_ns, ctime_ns;
} object_id;

typedef struct function_place {
    uint64_t base;   /* where the object lies in the program */
    uint64_t offset; /* of the function */
    uint32_t number; /* of the function in its pool */
    uint32_t capture;
    uint32_t symbol; /* where in `name` its symbol begins; 0: known by its offset (else see library.h) */
    _Atomic int64_t next_start_ns; /* limit_claim_word; workers write to it */
    object_id id;
    char path[1024]; /* "" is the program */
    char name[];     /* for messages; perhaps followed by the symbol */
} function_place;

/* How a file is known that is not loaded here. */
void object_of_file(const struct stat *st, object_id *ret);
int object_is_same(const object_id *a, const object_id *b);

/* Bytes of the place of a function of this name. */
uint64_t function_place_size(const char *name);

/* Fills in base, offset, id, path and name (zeroed before). DEJA_EINVAL for one that lies in no mapped file.
 */
int function_place_find(deja_job_fn function, const char *name, function_place *p, deja_error *err);

/* In another process: the function, its library opened where it must be. NULL with DEJA_ECHANGED (another
 * library lies there now), DEJA_ENOTFOUND. */
deja_job_fn function_place_open(const function_place *p, deja_error *err);

#endif
