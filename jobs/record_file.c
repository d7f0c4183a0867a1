/* A file of a run's record, see record_file.h. */
#include "record_file.h"
#include <deja/file.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FLUSH_BYTES = 1 << 18 }; /* that are held back for one write */

uint64_t record_file_size(const record_file *f)
{
    return f->written + f->bytes.len;
}

/* A write that failed left a part: lines are cut back to whole ones, for whoever reads them. */
static void cut_back(const record_file *f)
{
    off_t end = lseek(f->fd, 0, SEEK_CUR);
    size_t whole = end > (off_t)f->written ? (size_t)end - (size_t)f->written : 0;
    while (whole > 0 && f->bytes.data[whole - 1] != '\n')
        whole--;
    if (ftruncate(f->fd, (off_t)(f->written + whole)))
        return;
}

int record_file_flush(record_file *f, int folder_fd, int all, deja_error *err)
{
    if (f->bytes.failed)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (f->bytes.len < (all ? 1 : FLUSH_BYTES))
        return 0;
    if (f->fd < 0)
        f->fd = openat(folder_fd, f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->fd < 0)
        return deja_fail_errno(err, "create '%s'", f->name);
    int status = deja_file_write_all(f->fd, f->bytes.data, f->bytes.len, f->name, err);
    if (status < 0) {
        if (f->is_lines)
            cut_back(f);
        return status;
    }
    f->written += f->bytes.len;
    deja_buffer_clear(&f->bytes);
    return 0;
}

/* A file's bytes, a piece at a time. */
static int add_file(record_file *f, int folder_fd, const flow_bytes *stream, deja_error *err)
{
    int status = 0;
    for (uint64_t at = 0; at < stream->len && status == 0;) {
        size_t piece = stream->len - at < FLUSH_BYTES ? (size_t)(stream->len - at) : FLUSH_BYTES;
        char *room = deja_buffer_reserve(&f->bytes, piece);
        if (room) {
            ssize_t n = deja_file_read_at(stream->fd, room, piece, at);
            size_t got = n > 0 ? (size_t)n : 0;
            memset(room + got, 0, piece - got);
            f->bytes.len += piece;
        }
        at += piece;
        status = record_file_flush(f, folder_fd, 0, err);
    }
    return status;
}

int record_file_add(record_file *f, int folder_fd, const flow_bytes *stream, deja_error *err)
{
    if (stream->fd >= 0)
        return add_file(f, folder_fd, stream, err);
    deja_buffer_add(&f->bytes, stream->data, (size_t)stream->len);
    return record_file_flush(f, folder_fd, 0, err);
}

void record_file_done(record_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    deja_buffer_done(&f->bytes);
}
