#ifndef DIGEST_H
#define DIGEST_H
/*
 * Contents of files: from the memory of stat data, or read and hashed (XXH3-128).
 */
#include "statmem.h"
#include <deja/stop.h>

/*
 * The content of one path, reading if need be: regular file, or symbolic link when DEJA_DIGEST_NO_FOLLOW.
 * Fills item->content or item->sys_errno. A file that changes while it is read is read again (a few times,
 * then EAGAIN). ECANCELED when it had to be read and `stop` (may be NULL) was wished meanwhile. Any thread.
 */
void digest_item(statmem *m, int root_fd, deja_digest_item *item, const deja_stop *stop);

/* Only from memory, one stat call: 1 when item is filled (errors of stat included), 0 when the file would
   have to be read; then `ret_size` (may be NULL) is its size. */
int digest_remembered(statmem *m, int root_fd, deja_digest_item *item, uint64_t *ret_size);

/*
 * Hashes `len` bytes of an open file from offset 0; large ones together with a second thread (readahead.h).
 * DEJA_ECHANGED when the file ends before that, DEJA_ECANCELED when `stop` (may be NULL) is wished. Never
 * touches the file's position. Any thread.
 */
int digest_fd(int fd, uint64_t len, deja_hash *ret, const deja_stop *stop, deja_error *err);

#endif
