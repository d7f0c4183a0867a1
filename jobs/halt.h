#ifndef HALT_H
#define HALT_H
/*
 * When failures end the run: after so many nothing more is started, and where that is wished what runs is
 * ended. Private to the conductor.
 */
#include "active.h"

/* After a failure was counted. */
void halt_look(flow *f);

/* Ends what runs: by TERM, KILL after the grace; `now` by KILL. */
void halt_running(flow *f, int now);

#endif
