#ifndef DEJA_RUNNER_REST_H
#define DEJA_RUNNER_REST_H
/*
 * The rest of a job outside of its process group: what left it by setsid(2) or setpgid(2). As the reaper of
 * orphans this process becomes the parent of all that, so a list of its children shows at once that there is
 * none; else the mark in its environment says whose it is.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child;
struct child_host;

/* A child that was looked at, and the job that it belongs to. */
typedef struct rest_seen {
    pid_t pid;    /* 0: none */
    uint64_t job; /* 0: not known any more */
} rest_seen;

typedef struct rest {
    int fd;          /* the list of children, proc(5); -1: not open */
    rest_seen *seen; /* open addressing with linear probing, at most half full */
    size_t seen_count, seen_cap;
    pid_t *nobody; /* children of which nothing tells whose they are, each once */
    size_t nobody_count, nobody_cap;
} rest;

/*
 * Whether nothing of a job lives whose first process and whose group are gone; the runner owns its children.
 * 0: something was found and told to end, or cannot be judged yet: ask again. The outcome notes it. What
 * belongs to a job that ended earlier is killed, too. What may be anybody's is left alone, and noted in the
 * outcomes of all jobs that run: it appeared while they did. Where the children cannot be listed the answer
 * is 1.
 */
int rest_is_gone(struct child *c, struct child_host *host, int64_t now_ns);

/* Children were waited for: what was seen may be of earlier processes with the same numbers. */
void rest_forget(rest *r);

/* Gives a descriptor back, where these are short: 1 when there was one. It is opened again when it is needed.
 */
int rest_spare_descriptor(rest *r);
void rest_done(rest *r);

#endif
