#ifndef PROGRAMS_H
#define PROGRAMS_H
/*
 * Program files: found in PATH, told from scripts, and what was learnt of the last one. Ten thousand jobs
 * mostly run the same program; what is remembered holds within one step of the conductor and until a job
 * ends, which may have made or replaced one.
 */
#include <deja/buffer.h>
#include <deja/cache.h>

/* Zeroed memory remembers nothing. */
typedef struct programs {
    deja_buffer question; /* word, PATH, folder, each with its NUL */
    deja_buffer answer;   /* where it was found */
    deja_buffer native;   /* a file that the kernel executes itself */
    deja_buffer hashed;   /* path of `item` */
    deja_digest_item item;
    uint64_t generation; /* counts how often all was forgotten */
} programs;

/* The file that `word` stands for, see reads_find_program. Appends to `ret`, nothing when there is none. */
void programs_find(programs *p, int dirfd, const char *word, const char *path, const char *cwd,
                   deja_buffer *ret);

/* 1 for a file that the kernel executes itself; one without "#!" is a script for the shell that comes to it.
 */
int programs_is_native(programs *p, const char *file);

/* Remembers a program whose hashing was begun at `generation`, unless all was forgotten since. */
void programs_note(programs *p, const deja_digest_item *item, uint64_t generation);

/* 1 when the program at item->path is the one that was noted: fills the item. */
int programs_recall(const programs *p, deja_digest_item *item);

void programs_forget(programs *p);
void programs_done(programs *p);

#endif
