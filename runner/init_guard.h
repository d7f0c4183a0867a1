#ifndef INIT_GUARD_H
#define INIT_GUARD_H
/*
 * The process that ends an initialiser whose program is gone. The zygote watches the program itself, but not
 * while it runs code of the user's, which may last for ever, be stopped, or ignore signals.
 */
#include <sys/types.h>

typedef struct init_guard {
    int program;   /* pidfd */
    int zygote_fd; /* pidfd; -1: none could be had */
    int until;     /* a pipe whose other end the zygote closes after the initialiser */
    pid_t zygote;
} init_guard;

/* In a process of its own, a copy of the program. */
_Noreturn void init_guard_run(const init_guard *g);

#endif
