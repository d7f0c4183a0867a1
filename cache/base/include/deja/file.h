#ifndef DEJA_FILE_H
#define DEJA_FILE_H
/*
 * Files. Every call repeats after EINTR, opens with O_CLOEXEC, and checks each step. `dirfd` is where
 * relative paths begin: a directory's descriptor or AT_FDCWD. Any thread may call.
 */
#include <deja/buffer.h>
#include <deja/stop.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Reads or writes all `len` bytes; a short read is DEJA_EIO ("ended early"). `path` is for the message. */
DEJA_API int deja_file_read_all(int fd, void *data, size_t len, const char *path, deja_error *err);
DEJA_API int deja_file_write_all(int fd, const void *data, size_t len, const char *path, deja_error *err);

/* pread(2) until all `len` bytes are there or the file ends: how many, or -1 with errno. */
DEJA_API ssize_t deja_file_read_at(int fd, void *data, size_t len, uint64_t offset);

/* pwrite(2) until all is written. After a failure a part may have been written. */
DEJA_API int deja_file_write_at(int fd, const void *data, size_t len, uint64_t offset, const char *path,
                                deja_error *err);

/* 1 when both stat data are those of one file that did not change between them. */
DEJA_API int deja_file_same(const struct stat *a, const struct stat *b);

/* Moves a new descriptor (taken; negative: nothing happens) above 2, as a program may run with its standard
 * streams closed. -1 and errno when there is none left. */
DEJA_API int deja_file_above_standard(int fd);

/* The whole file appended to `b`. DEJA_ELIMIT when it has more than `limit` bytes; a directory is DEJA_ETYPE.
 */
DEJA_API int deja_file_load(int dirfd, const char *path, size_t limit, deja_buffer *b, deja_error *err);

/*
 * Replaces `path` in one atomic step: unnamed or unique temporary file in the same folder, write, fsync (when
 * `sync`), rename, fsync of the folder (when `sync`). Either the old or the new content is there, never a
 * part; nothing is left behind on failure. The only routine of its kind in the tree.
 */
DEJA_API int deja_file_replace(int dirfd, const char *path, const void *data, size_t len, unsigned mode,
                               int sync, deja_error *err);

/*
 * The same for a file that is written in place, by mapping it say: deja_file_begin opens an unnamed file for
 * `path` with `mode` less the umask (fd or negative code), deja_file_publish gives it the name. The fd stays
 * the caller's.
 */
DEJA_API int deja_file_begin(int dirfd, const char *path, unsigned mode, deja_error *err);
DEJA_API int deja_file_publish(int fd, int dirfd, const char *path, int sync, deja_error *err);

/*
 * Where a file that a person names is written, appended to `b`: `path`, or where that leads as a link, so
 * that the link stays. DEJA_ETYPE for what is there and is no regular file (a device, a fifo, a folder: it
 * would be lost), DEJA_ENOTFOUND for a link that leads nowhere, as cp does.
 */
DEJA_API int deja_file_target(deja_buffer *b, const char *path, deja_error *err);

/* Makes a folder and its missing parents with `mode`. An existing folder is fine, another file there is
 * DEJA_EEXIST. */
DEJA_API int deja_file_make_dirs(int dirfd, const char *path, unsigned mode, deja_error *err);

/* As deja_file_make_dirs for the parents of `path` only. */
DEJA_API int deja_file_make_parents(int dirfd, const char *path, unsigned mode, deja_error *err);

/* fsync of the folder that holds `path`. */
DEJA_API int deja_file_sync_parent(int dirfd, const char *path, deja_error *err);

/* Opens an unnamed file in the folder (O_TMPFILE, else a unique name that is unlinked at once). fd or
 * negative code. */
DEJA_API int deja_file_unnamed(int dirfd, const char *folder, deja_error *err);

/* Gives an unnamed file its name. 0, or DEJA_EEXIST when the name is taken. */
DEJA_API int deja_file_link(int fd, int dirfd, const char *path, deja_error *err);

/*
 * Copies `len` bytes from offset 0 of `from` to `to` (both at offset 0 afterwards undefined): reflink where
 * the file system has it (FICLONE), else copy_file_range(2), else read and write. DEJA_ECHANGED when `from`
 * ended early. `path` is that of `to`, for the message.
 */
DEJA_API int deja_file_copy(int from, int to, uint64_t len, const char *path, deja_error *err);

/* As deja_file_copy, in parts of 64 MB at most: DEJA_ECANCELED when it is wished between two of them. */
DEJA_API int deja_file_copy_until(const deja_stop *stop, int from, int to, uint64_t len, const char *path,
                                  deja_error *err);

/*
 * Lexical normalisation (no file system access): "a//b/./c/../d" -> "a/b/d", "../x" stays, "" -> ".", a
 * trailing slash goes. Appends to `b`.
 */
DEJA_API void deja_path_normalise(deja_buffer *b, const char *path);

/* `path` normalised as seen from folder `base` (absolute): joined unless absolute. Appends an absolute path.
 */
DEJA_API void deja_path_join(deja_buffer *b, const char *base, const char *path);

/*
 * The same as the kernel would read it: ".." leaves the folder that the path has led to, be it by way of a
 * link, where deja_path_join takes away a name. `base` is absolute. Looks at the file system only for a "..".
 * Of a link that leads nowhere the name is taken away.
 */
DEJA_API void deja_path_follow(deja_buffer *b, const char *base, const char *path);

/* Absolute, normalised `path` relative to absolute, normalised `base` when inside it ("." for base itself),
   else `path`. Points into `path` or to "." */
DEJA_API const char *deja_path_inside(const char *base, const char *path);

#endif
