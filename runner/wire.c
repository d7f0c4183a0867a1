/*
 * Descriptors in messages: SCM_RIGHTS, unix(7).
 */
#include "wire.h"

#include <deja/file.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

typedef union rights {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
} rights;

int wire_pair(int *ret_program, int *ret_worker, deja_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return deja_fail_errno(err, "make the socket of a worker");
    *ret_program = deja_file_above_standard(pair[0]);
    *ret_worker = deja_file_above_standard(pair[1]);
    return *ret_program < 0 || *ret_worker < 0 ? deja_fail_errno(err, "keep the socket of a worker") : 0;
}

int wire_send(int socket, const wire_message *m, int fd)
{
    rights r;
    struct iovec io = {.iov_base = (void *)m, .iov_len = sizeof *m};
    struct msghdr message = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = r.room, .msg_controllen = sizeof r.room};
    memset(&r, 0, sizeof r);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    ssize_t n;
    do
        n = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof *m)
        return 0;
    /* Too many descriptors on their way (ETOOMANYREFS) is waiting, too: the program takes them out. */
    return n < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS) ? 1 : -1;
}

int wire_wait(int socket)
{
    struct pollfd p = {.fd = socket, .events = POLLOUT};
    int n = poll(&p, 1, 10); /* ms; ETOOMANYREFS is not to be polled for */
    if (n < 0)
        return errno == EINTR ? 0 : -1;
    return p.revents & (POLLERR | POLLHUP | POLLNVAL) ? -1 : 0;
}

int wire_receive(int socket, wire_message *m, int *ret_fd)
{
    rights r;
    struct iovec io = {.iov_base = m, .iov_len = sizeof *m};
    struct msghdr message = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = r.room, .msg_controllen = sizeof r.room};
    ssize_t n;
    do
        n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return 0;
    *ret_fd = -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ret_fd, CMSG_DATA(c), sizeof *ret_fd);
    if (n == (ssize_t)sizeof *m)
        return 1;
    if (*ret_fd >= 0)
        close(*ret_fd);
    m->kind = UINT32_MAX; /* nonsense, to be dropped */
    *ret_fd = -1;
    return 1;
}
