#ifndef RESULT_SINK_H
#define RESULT_SINK_H
/*
 * Where the result of one call goes while its function runs: numbers into deja_out itself, all else as an
 * image, into memory or, for a large deja_return_array, into an unnamed file that later becomes the blob.
 * Used in workers and in this process alike. One thread at a time.
 */
#include <deja/pool.h>

enum {
    sink_memfd = -1,  /* as a stage_folder: files are memfds */
    sink_memory = -2, /* no files: nobody else maps the result */
};

/* Smaller images are memory in any case: a file costs some 50 us, and small results go into a row. */
enum { sink_file_bytes = 64 * 1024 };

typedef struct deja_sink {
    int stage_folder;  /* or one of the above */
    deja_product made; /* by the last deja_return_value or deja_return_array; len 0: nothing */
    deja_error failed; /* code != 0: the first failure of a deja_return... */
} deja_sink;

void sink_init(deja_sink *s, int stage_folder);

/* Ready for another call. */
void sink_clear(deja_sink *s);

/* Moves out what the function returned; read-only from now on. 0 or the code of `failed`. */
int sink_take(deja_sink *s, const deja_out *out, deja_product *ret, deja_error *err);
void sink_done(deja_sink *s);

#endif
