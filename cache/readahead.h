#ifndef READAHEAD_H
#define READAHEAD_H
/*
 * Hashing a large file while a second thread reads it. XXH3 is a chain, so one thread hashes; reading is what
 * takes longer, so both read: the caller takes what the other has ready and reads a chunk itself whenever the
 * next one is not. It never waits for long: a second thread that is not scheduled, fails, or does not exist
 * only means less help. (Two threads that hash in turns are as fast on a quiet machine, and 5 times slower on
 * a busy one, each waiting for the other.)
 *
 * A mapping would save the copy, but a file that somebody shortens meanwhile would kill the process (SIGBUS);
 * pread(2) just ends early.
 */
#include <deja/hash.h>
#include <deja/stop.h>

/* From this size on a second thread is worth its start: one thread alone takes 150 us for 4 MB in the page
 * cache. */
#define READAHEAD_WORTH_BYTES (4 * 1024 * 1024)

/* Adds `len` bytes of the file, from offset 0, to `hasher`. DEJA_ECHANGED when the file ends early,
 * DEJA_ECANCELED when `stop` (may be NULL) is wished; others as errno says. */
int readahead_hash(int fd, uint64_t len, deja_hasher *hasher, const deja_stop *stop, deja_error *err);

#endif
