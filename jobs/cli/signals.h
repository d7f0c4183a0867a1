#ifndef SIGNALS_H
#define SIGNALS_H
/*
 * Signals as something to poll for: INT, TERM, HUP, TSTP, CONT and WINCH are blocked and read from a
 * descriptor (signalfd(2)). Those of the first four that were ignored when the program began stay ignored
 * (nohup(1), background jobs). To be opened before any thread is made.
 */
#include <deja/error.h>
#include <signal.h>

typedef struct signals {
    int fd;       /* to be polled for POLLIN */
    sigset_t old; /* mask before */
} signals;

int signals_open(signals *s, deja_error *err);

/* The next signal that came, 0 when there is none. */
int signals_take(signals *s);

/* Stops this process as TSTP would have; returns when it is continued. */
void signals_stop(void);

void signals_close(signals *s);

#endif
