#ifndef WAY_H
#define WAY_H
/*
 * The way to paths: a hash of the folders that lie on it (device, inode) and of the links (also when they
 * were made), those included that a link leads through, and one at the path's end. It is another one after a
 * link was switched, and switched back. Of a file at the end it has nothing.
 */
#include <deja/buffer.h>

/* Zeroed but for `dirfd` it is empty. */
typedef struct way {
    int dirfd; /* paths are relative to this folder, or absolute */
    uint64_t hash;
    const char *before;           /* the path that was added last ... */
    size_t folder_len;            /* ... and how much of it is its folder */
    int linked;                   /* a link is on the way to that */
    int lost;                     /* it cannot be followed */
    deja_buffer folder;           /* where it really is, with a slash at its end; empty: `dirfd` */
    deja_buffer here, rest, text; /* scratch */
} way;

/* `path` is borrowed until the next one is added. */
void way_add(way *w, const char *path);

/* The hash of all paths that were added, and empties it. A way that could not be followed to its end for want
 * of memory is never the same as another one. */
uint64_t way_end(way *w);

#endif
