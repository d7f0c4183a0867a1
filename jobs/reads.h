#ifndef READS_H
#define READS_H
/*
 * What a job reads: its program or library, its standard input, its declared inputs with patterns and folders
 * opened up. The list goes to the cache to be hashed before the job runs, and again to be compared
 * afterwards.
 */
#include "job.h"
#include <deja/cache.h>

typedef struct reads {
    deja_digest_item
        *items; /* program or library first, then standard input, then inputs sorted by path, each once */
    size_t count, cap;
    size_t lying;    /* so many at the end are outputs of needed jobs that are not run (lying.h): no inputs */
    int has_program; /* items[0] is the program */
    int has_library; /* items[0] is the library of a call */
    int has_stdin;   /* the next one is standard input */
    const char **empty; /* input folders in which there is no file */
    size_t empty_count, empty_cap;
    struct reads_folder *followed; /* folders that links among the inputs lead to, each once */
    size_t followed_count, followed_cap;
} reads;

/*
 * Lists what `j` reads; `program` is its program file or NULL. Strings live in the job's arena.
 * DEJA_ENOTFOUND: a pattern that matches nothing, a folder that is missing. DEJA_EINVAL: one of its own
 * outputs is among them.
 */
int reads_list(reads *ret, job *j, const char *program, deja_error *err);

/* Adds an output of a needed job that is not run, to be hashed with the others. DEJA_ENOMEM. */
int reads_add_lying(reads *r, const char *path, uint32_t flags, deja_error *err);

/* 0 when every item could be read, else the text for the first that could not. The program is left out: it
 * may be executed without being read. */
int reads_check(const reads *r, deja_error *err);

/* The same for the program alone: one that could not be read has no content, and its job no key. */
int reads_check_program(const reads *r, deja_error *err);

/* For a job without a key, where nothing is hashed: what it is said to read must be there. As reads_check. */
int reads_probe(reads *r, int dirfd, deja_error *err);

/* Adds a content under its path, and a field more when it is a file that somebody may execute: a script that
 * runs it does something else when nobody may. */
void reads_key_file(deja_key *key, deja_field_tag tag, const deja_digest_item *item);

/* Adds program, standard input and inputs to the key, all of which could be read; a library is not among
 * them.
 */
void reads_key(const reads *r, deja_key *key);

/* The content of an input by its path, NULL when it is none. */
const deja_content *reads_content(const reads *r, const char *path);

/* 1 when both list the same paths. */
int reads_same_paths(const reads *a, const reads *b);

/* A hash of the way to each path, program and empty folders included (way.h). */
uint64_t reads_way(const reads *r, int dirfd);

/* Empties it and keeps its memory. */
void reads_reset(reads *r);
void reads_done(reads *r);

/*
 * The file that `word` stands for as a program: found in `path` (colon-separated) when it has no slash, else
 * relative to `cwd`; both as seen from folder `dirfd`. Appends to `ret`; 1 found, 0 not.
 */
int reads_find_program(int dirfd, const char *word, const char *path, const char *cwd, deja_buffer *ret);

#endif
