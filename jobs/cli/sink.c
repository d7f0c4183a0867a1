/* A descriptor to which output goes, see sink.h. */
#include "sink.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

void sink_begin(sink *s, int fd, const char *name)
{
    struct stat st;
    *s = (sink){.fd = fd, .name = name};
    if (fstat(fd, &st))
        return;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    s->direct = S_ISREG(st.st_mode);
    s->terminal = S_ISCHR(st.st_mode) && isatty(fd);
}

int sink_is_same(const sink *a, const sink *b)
{
    return a->dev == b->dev && a->ino == b->ino;
}

int sink_is_ready(const sink *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};
    return s->direct || s->dead || (poll(&p, 1, 0) > 0 && p.revents);
}

size_t sink_most(const sink *s)
{
    return s->direct || s->dead ? SINK_CHUNK : PIPE_BUF;
}

static void fail(sink *s)
{
    s->dead = 1;
    s->unread = errno == EPIPE;
    if (!s->unread)
        deja_fail_errno(&s->error, "write to %s", s->name);
}

size_t sink_write(sink *s, const char *data, size_t len)
{
    const size_t most = sink_most(s);
    ssize_t n;
    if (s->dead)
        return len;
    if (!sink_is_ready(s))
        return 0;
    do
        n = write(s->fd, data, len < most ? len : most);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n < 0) {
        fail(s);
        return len;
    }
    if (n > 0)
        s->mid_line = data[n - 1] != '\n';
    return (size_t)n;
}
