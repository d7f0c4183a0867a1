#ifndef ITEM_SOURCE_H
#define ITEM_SOURCE_H
/*
 * The arguments of one source: words of the command line, or the lines of a descriptor, as they arrive. One
 * thread.
 */
#include <deja/buffer.h>

/* Bytes of an argument that a program can still be given (execve(2): MAX_ARG_STRLEN with its NUL). */
#define ITEM_MOST 131071

typedef struct item_source {
    const char *const *words; /* a source of words; NULL: it reads `fd` */
    size_t word_count;
    const char *name;  /* of the file, for messages */
    int fd;            /* owned unless it is standard input */
    char separator;    /* '\n' or '\0' */
    int keeps_empty;   /* empty lines count */
    size_t at;         /* private: the next word; the first byte of the next item in `data` */
    size_t seen;       /* private: so far there is no separator */
    deja_buffer data;  /* private */
    int ended, is_cut; /* private: all is read; the item at `at` goes on, too long to be kept */
} item_source;

typedef enum item_state { ITEM_LATER, ITEM_ONE, ITEM_END } item_state;

/* One item. `text` is borrowed until the next call. */
typedef struct item {
    const char *text;
    size_t len;
    const char *unfit; /* why it cannot be an argument, or NULL */
} item;

/* Reads the file `path`; "-" is standard input. */
int item_source_open(item_source *s, const char *path, deja_error *err);

/* The next item without waiting: item_state; negative when reading failed. */
int item_source_next(item_source *s, item *ret, deja_error *err);

/* Waits until item_source_next has something to say. */
void item_source_wait(const item_source *s);

/* Safe on zeroed memory. */
void item_source_done(item_source *s);

#endif
