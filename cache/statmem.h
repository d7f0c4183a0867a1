#ifndef STATMEM_H
#define STATMEM_H
/*
 * Memory of file contents by stat data: a table in one file, shared by all processes that use the
 * cache, so that an unchanged file is not read twice. An entry stands for device, inode, mode, size, mtime,
 * ctime; it holds the boot id, the content's hash, and whether deja itself put the file there. It is a memory
 * only: losing it costs a reading, never a wrong answer; each slot carries a checksum, since writers of
 * several processes do not lock.
 *
 * The file is read and written with calls, not through a mapping, so that a full disk or somebody who makes
 * it shorter is an error code and no signal.
 *
 * Format: FORMAT.md, "stat".
 */
#include <deja/cache.h>
#include <sys/stat.h>

typedef struct statmem statmem;

#define STATMEM_OURS 1u /* deja itself left the file so: not edited by hand since */

/* A folder that cannot be written gives an empty memory that forgets, not an error. */
int statmem_open(statmem **ret, int folder_fd, const deja_clock *clock, deja_error *err);
void statmem_close(statmem *m);

/* The wall clock of this memory: what to take as `read_began_ns`. Any thread. */
int64_t statmem_now_ns(const statmem *m);

/*
 * What is known of a regular file or symbolic link with this stat data. Any thread. Returns 1 and the content
 * when it may be trusted; 0 otherwise. `ret_flags` (may be NULL) has STATMEM_OURS when the file is as deja
 * left it, even where the content must be read again (racy timestamps, an earlier boot).
 */
int statmem_find(statmem *m, const struct stat *st, deja_content *ret, unsigned *ret_flags);

/*
 * Remembers. `read_began_ns` is the wall clock before the first byte was read: a file whose mtime or ctime is
 * less than 2 s older than that, or later, is noted but not trusted (racy timestamps, a clock that was set).
 * Content that is no FILE or LINK of st_size bytes is not remembered. A file that was OURS stays so while its
 * stat data and content do. Any thread.
 */
void statmem_note(statmem *m, const struct stat *st, const deja_content *content, int64_t read_began_ns,
                  unsigned flags);

#endif
