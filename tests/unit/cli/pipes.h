#ifndef PIPES_H
#define PIPES_H
/*
 * Two pipes in the place of standard output and standard error, and what comes out of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox.h"
#include "scratch.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

typedef struct pipes {
    int out[2], err[2]; /* reading end, writing end */
    outbox *box;
} pipes;

static inline void pipes_open(pipes *p, uint64_t memory_limit)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    assert_int_equal(sigaction(SIGPIPE, &ignore, NULL), 0);
    assert_int_equal(pipe2(p->out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(p->err, O_CLOEXEC), 0);
    assert_true(fcntl(p->out[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(p->err[0], F_SETFL, O_NONBLOCK) == 0);
    outbox_options o = {
        .out_fd = p->out[1], .err_fd = p->err[1], .memory_limit = memory_limit, .folder = "."};
    assert_int_equal(outbox_open(&p->box, &o, NULL), 0);
}

static inline void pipes_close(pipes *p)
{
    outbox_close(p->box);
    for (int i = 0; i < 2; i++) {
        if (p->out[i] >= 0)
            close(p->out[i]);
        if (p->err[i] >= 0)
            close(p->err[i]);
    }
}

/* All that is in the pipe now, appended. */
static inline void pipes_read(int fd, deja_buffer *b)
{
    char chunk[65536];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        deja_buffer_add(b, chunk, (size_t)n);
    assert_true(n == 0 || errno == EAGAIN);
}

/* Writes and reads until nothing is left. */
static inline void pipes_drain(pipes *p, deja_buffer *out, deja_buffer *err)
{
    for (int i = 0; i < 1000000; i++) {
        outbox_pump(p->box);
        pipes_read(p->out[0], out);
        pipes_read(p->err[0], err);
        if (outbox_empty(p->box))
            return;
    }
    fail_msg("it does not get empty");
}

/* The next bytes on a terminal are `text`; it hands them on in its own time. */
static inline void expect_on(int master, outbox *box, const char *text)
{
    deja_buffer b = {0};
    struct pollfd p = {.fd = master, .events = POLLIN};
    for (int i = 0; i < 1000 && b.len < strlen(text); i++) {
        outbox_pump(box);
        poll(&p, 1, 10);
        pipes_read(master, &b);
    }
    assert_string_equal(deja_buffer_string(&b), text);
    deja_buffer_done(&b);
}

static inline flow_bytes bytes_of(const char *text)
{
    return (flow_bytes){.data = text, .len = strlen(text), .fd = -1};
}

#endif
