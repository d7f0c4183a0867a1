/* A server and a client, see server.h. */
#include "server.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { connections = 4096, timeout_ms = 10000 };

/* ---- the server: connections in the order of their answers, for the delay is the same for all ---- */

typedef struct client {
    int fd;
    int64_t due_ms;
} client;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void answer(int fd)
{
    static const char *const words[] = {"salt", "moon", "tree", "iris", "lava", "dusk", "fog"};
    char path[256], text[4096];
    ssize_t n = read(fd, path, sizeof path - 1);
    size_t len = 0;
    unsigned seed = 1;
    for (ssize_t i = 0; i < n; i++)
        seed = seed * 31 + (unsigned char)path[i];
    for (unsigned i = 0; i < 40 + seed % 40; i++) {
        seed = seed * 1103515245u + 12345u;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s ", words[(seed >> 16) % 7]);
    }
    if (send(fd, text, len, MSG_NOSIGNAL) < 0)
        perror("server");
    close(fd);
}

static void serve(int listener, int delay_ms)
{
    static client waiting[connections];
    unsigned first = 0, last = 0;
    for (;;) {
        struct pollfd p = {.fd = last - first < connections ? listener : -1, .events = POLLIN};
        int64_t rest = first == last ? -1 : waiting[first % connections].due_ms - now_ms();
        poll(&p, 1, first == last ? -1 : rest < 0 ? 0 : (int)rest);
        int fd = p.revents ? accept(listener, NULL, NULL) : -1;
        if (fd >= 0)
            waiting[last++ % connections] = (client){fd, now_ms() + delay_ms};
        while (first != last && waiting[first % connections].due_ms <= now_ms())
            answer(waiting[first++ % connections].fd);
    }
}

static int listen_on_loopback(int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, connections) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *ret_port = ntohs(at.sin_port);
    return fd;
}

int server_start(server *s, int delay_ms)
{
    int fd = listen_on_loopback(&s->port);
    pid_t parent = getpid();
    if (fd < 0)
        return -1;
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            serve(fd, delay_ms);
        _exit(0);
    }
    close(fd);
    return s->pid < 0 ? -1 : 0;
}

void server_stop(server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

/* ---- the client: deja_wait_fd where an ordinary one would block ---- */

static int open_connection(int port, deja_error *err)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int broken = 0;
    socklen_t len = sizeof broken;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return deja_fail_errno(err, "make a socket");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        broken = errno;
    else if (deja_wait_fd(fd, DEJA_WRITABLE, timeout_ms) <= 0)
        broken = ETIMEDOUT;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &broken, &len);
    if (!broken)
        return fd;
    close(fd);
    errno = broken;
    return deja_fail_errno(err, "connect to port %d", port);
}

/* Until the server closes. */
static int read_all(int fd, char *ret, size_t room, deja_error *err)
{
    size_t len = 0;
    while (len + 1 < room) {
        if (deja_wait_fd(fd, DEJA_READABLE, timeout_ms) <= 0)
            return deja_fail(err, DEJA_ETIMEDOUT, "no answer");
        ssize_t n = read(fd, ret + len, room - 1 - len);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return deja_fail_errno(err, "read the answer");
        if (n == 0)
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    ret[len] = 0;
    return (int)len;
}

int server_fetch(int port, const char *path, char *ret, size_t room, deja_error *err)
{
    int fd = open_connection(port, err);
    if (fd < 0)
        return fd;
    int rc = dprintf(fd, "%s\n", path) < 0 ? deja_fail_errno(err, "ask for '%s'", path)
                                           : read_all(fd, ret, room, err);
    close(fd);
    return rc;
}
