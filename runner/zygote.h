#ifndef ZYGOTE_H
#define ZYGOTE_H
/*
 * The zygote: a copy of the program as it was when the pool was opened, from which workers are forked, and
 * which looks after them: it reaps and replaces the dead, ends those whose turn was condemned, and ends all
 * with the program.
 */
#include "shop.h"

/* Forks it. Returns when the initialiser has run: 0 with *ret_pid, or a negative code. */
int zygote_start(shop *s, pid_t *ret_pid, deja_error *err);

/* Asks it to look at the control block. 0, or negative: it is gone. */
int zygote_say(const shop *s, enum zygote_word word);

/* 1: it has ended. Waits up to `timeout_ms`. */
int zygote_ended(const shop *s, int timeout_ms);

#endif
