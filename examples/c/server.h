#ifndef SERVER_H
#define SERVER_H
/*
 * What async.c and pipeline.c fetch from: a server on the loopback that answers the request "PATH\n" with a
 * text of its own for each path, after a delay, many at a time. And the other end of that.
 */
#include <deja.h>
#include <sys/types.h>

typedef struct server {
    pid_t pid;
    int port;
} server;

/* Starts it as a child process, which ends with this one. 0 or -1 with errno. Call it before deja_open. */
int server_start(server *s, int delay_ms);
void server_stop(server *s);

/* Asks for `path` and reads the answer, at most `room` - 1 bytes, to `ret`. In a job of the async backend
 * others run while it waits. Its length, or a negative code. */
int server_fetch(int port, const char *path, char *ret, size_t room, deja_error *err);

#endif
