#ifndef DEJA_RUNNER_REAPER_H
#define DEJA_RUNNER_REAPER_H
/*
 * Orphans of jobs. When the program makes no children but by its runner, the process adopts what jobs leave
 * behind (PR_SET_CHILD_SUBREAPER) and waits for it; else orphans go to init, and only their mark tells what
 * to kill.
 */
#include "warden.h"

#include <signal.h>

typedef struct reaper {
    const warden_board *board; /* running jobs: all other children are orphans */
    int owns;                  /* 1: the program makes no children of its own */
    int adopted;               /* 1: the settings of the process were changed */
    int was_reaper;            /* PR_SET_CHILD_SUBREAPER before us */
    int action_changed;        /* 1: SIGCHLD was ignored, as `action` has it */
    struct sigaction action;
    int64_t look_at_ns; /* when to look for zombies again */
} reaper;

/* `board` is borrowed until reaper_close. */
int reaper_open(reaper *r, const warden_board *board, int owns, deja_error *err);

/* Whether it is time for reaper_look: ten times a second. */
int reaper_is_due(const reaper *r, int64_t now_ns);

/* Reaps orphans that have died by themselves. No job is ending whose group has a say in its outcome. */
void reaper_look(reaper *r, int64_t now_ns);

/* Kills all orphans and strays but `own_warden` (0: none), and waits until they are gone or `deadline_ns` has
 * come. No job runs any more. */
void reaper_end(const reaper *r, pid_t own_warden, int64_t deadline_ns);

/* Puts the settings of the process back. */
void reaper_close(reaper *r);

#endif
