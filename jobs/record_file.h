#ifndef RECORD_FILE_H
#define RECORD_FILE_H
/*
 * A file of a run's record while it is written: held back in memory and written a piece at a time. One
 * thread.
 */
#include "flow.h"

typedef struct record_file {
    const char *name;  /* in the run's folder */
    int is_lines;      /* a write that failed leaves whole lines */
    int fd;            /* -1: not made yet */
    uint64_t written;  /* bytes that are in the file */
    deja_buffer bytes; /* that follow */
} record_file;

/* Bytes so far, those in memory too. */
uint64_t record_file_size(const record_file *f);

/* Writes what is held back, `all` of it or when it is much. The file is made when missing. Messages name the
 * file, not the folder. */
int record_file_flush(record_file *f, int folder_fd, int all, deja_error *err);

/* Adds a stream, whatever its length: 0 or negative. Of one that ends early the rest is zeros. */
int record_file_add(record_file *f, int folder_fd, const flow_bytes *stream, deja_error *err);

void record_file_done(record_file *f);

#endif
