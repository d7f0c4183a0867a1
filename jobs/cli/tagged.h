#ifndef TAGGED_H
#define TAGGED_H
/*
 * The output of a job with a tag before each line, for `--tag`: what greps for a line sees whose it is. A
 * last line that does not end in a newline gets one, as what follows has a tag of its own. Of any length: a
 * megabyte is in memory, more in an unnamed file. One thread.
 */
#include "flow.h"

/* `{.fd = -1}` is empty. */
typedef struct tagged {
    deja_buffer text;
    int fd; /* >= 0: all is there, in `len` bytes */
    uint64_t len;
    flow_bytes bytes; /* the result: borrowed until tagged_done */
} tagged;

/* Tags `bytes`; `tag` is put as it is. DEJA_ENOMEM, or what reading `bytes` or writing the file said. */
int tagged_make(tagged *t, const char *tag, const flow_bytes *bytes, deja_error *err);

/* The same with a job's name and a tab. */
int tagged_job(tagged *t, const char *name, const flow_bytes *bytes, deja_error *err);

void tagged_done(tagged *t);

#endif
