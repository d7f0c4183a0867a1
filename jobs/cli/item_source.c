/* The arguments of one source, see item_source.h. */
#include "item_source.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_BYTES = 65536 };

int item_source_open(item_source *s, const char *path, deja_error *err)
{
    int is_stdin = strcmp(path, "-") == 0;
    s->name = is_stdin ? "standard input" : path;
    s->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    return s->fd < 0 ? deja_fail_errno(err, "open the arguments '%s'", path) : 0;
}

static int is_readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) > 0;
}

void item_source_wait(const item_source *s)
{
    while (!is_readable(s->fd, -1) && errno == EINTR)
        ;
}

/* What was handed out is forgotten. */
static void compact(item_source *s)
{
    if (s->at == 0)
        return;
    s->data.len -= s->at;
    s->seen -= s->at;
    memmove(s->data.data, s->data.data + s->at, s->data.len);
    s->at = 0;
}

/* 1: read something, or the end; 0: nothing there. A read(2) after poll(2) does not wait. */
static int fill(item_source *s, deja_error *err)
{
    if (!is_readable(s->fd, 0))
        return 0;
    compact(s);
    char *room = deja_buffer_reserve(&s->data, CHUNK_BYTES);
    if (!room)
        return deja_fail(err, DEJA_ENOMEM, "read arguments: out of memory");
    ssize_t n = read(s->fd, room, CHUNK_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0)
        return deja_fail_errno(err, "read arguments from '%s'", s->name);
    s->data.len += (size_t)n;
    s->ended = n == 0;
    return 1;
}

/* The rest of a line that is too long is read and dropped. */
static void drop_long(item_source *s)
{
    if (s->data.len - s->at <= ITEM_MOST + 1)
        return;
    s->is_cut = 1;
    s->data.len = s->seen = s->at + ITEM_MOST + 1;
}

static void hand_out(item_source *s, size_t end, item *ret)
{
    *ret = (item){.text = s->data.data + s->at, .len = end - s->at};
    if (s->is_cut || ret->len > ITEM_MOST)
        ret->unfit = "longer than an argument can be (131,071 bytes)";
    else if (s->separator && memchr(ret->text, 0, ret->len))
        ret->unfit = "it holds a NUL byte: '-0' reads arguments that end with one";
    s->is_cut = 0;
    s->at = s->seen = end + (end < s->data.len);
}

/* The item at s->at, when its end is known. */
static int take(item_source *s, item *ret)
{
    const char *end =
        s->seen < s->data.len ? memchr(s->data.data + s->seen, s->separator, s->data.len - s->seen) : NULL;
    if (!end && !(s->ended && s->at < s->data.len)) {
        s->seen = s->data.len;
        drop_long(s);
        return 0;
    }
    hand_out(s, end ? (size_t)(end - s->data.data) : s->data.len, ret);
    return 1;
}

static int next_word(item_source *s, item *ret)
{
    if (s->at == s->word_count)
        return ITEM_END;
    const char *word = s->words[s->at++];
    *ret = (item){.text = word, .len = strlen(word)};
    return ITEM_ONE;
}

int item_source_next(item_source *s, item *ret, deja_error *err)
{
    if (s->words)
        return next_word(s, ret);
    for (;;) {
        if (take(s, ret)) {
            if (ret->len > 0 || s->keeps_empty)
                return ITEM_ONE;
            continue;
        }
        int status = s->ended ? 0 : fill(s, err);
        if (status <= 0)
            return status < 0 ? status : s->ended ? ITEM_END : ITEM_LATER;
    }
}

void item_source_done(item_source *s)
{
    if (!s->words && s->fd > STDERR_FILENO)
        close(s->fd);
    deja_buffer_done(&s->data);
    *s = (item_source){0};
}
