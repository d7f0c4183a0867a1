#ifndef MAPPED_H
#define MAPPED_H
/*
 * Memory that is a file: one that is read, or one that is being written and has no name yet. What is written
 * costs no memory of the process' own, however large it is.
 */
#include <deja/error.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

typedef struct mapped {
    char *data; /* `len` bytes, page-aligned; NULL while there are none */
    size_t len;
    int fd; /* of a draft; -1 */
} mapped;

#define MAPPED_NONE ((mapped){.fd = -1})
#define MAPPED_AUTO __attribute__((cleanup(mapped_done)))

/* Opens a regular file to read it: fd or negative code. A FIFO is refused without waiting for its writer. */
int mapped_open_regular(const char *path, struct stat *ret, deja_error *err);

/* A regular file, whole and read-only. Its content must not change: that of deja's files does not. */
int mapped_open(mapped *m, const char *path, deja_error *err);

/* A draft of `path`, `len` bytes (not 0) for which there is room on the disk; zeroed. */
int mapped_draft(mapped *m, const char *path, uint64_t len, deja_error *err);

/* Gives a file of deja_file_begin its name, durably, with the permissions of the one that it replaces. */
int mapped_publish_file(int fd, const char *path, deja_error *err);

/* The same for a draft, which stays mapped. */
int mapped_publish(mapped *m, const char *path, deja_error *err);

/* Zeroed memory without a file. */
int mapped_memory(mapped *m, uint64_t len, deja_error *err);

void mapped_done(mapped *m);

#endif
