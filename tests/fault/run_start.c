/*
 * run_start COMMAND...: executes COMMAND with every signal at its default and nothing blocked. A shell starts
 * what stands before `&` with SIGINT ignored, and a program that is polite leaves it so.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: run_start COMMAND...\n");
        return 2;
    }
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[1], argv + 1);
    fprintf(stderr, "run_start: %s: %s\n", argv[1], strerror(errno));
    return 127;
}
