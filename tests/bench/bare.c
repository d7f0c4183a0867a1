/*
 * The bare reference: `bare N J PROGRAM` runs PROGRAM N times, J at a time, by vfork and execve and waits for
 * any; nothing is captured, no output is read. Prints the total in nanoseconds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int start(char *program)
{
    char *argv[] = {program, NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        execve(program, argv, environ);
        _exit(127);
    }
    return pid < 0 ? -1 : 0;
}

static int finish(void)
{
    int status;
    return wait(&status) < 0 || status != 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bare N J PROGRAM\n");
        return 2;
    }
    long left = strtol(argv[1], NULL, 10), most = strtol(argv[2], NULL, 10), running = 0;
    int64_t begin = now_ns();
    while (left > 0 || running > 0) {
        for (; left > 0 && running < most; left--, running++)
            if (start(argv[3]) < 0)
                return 1;
        if (finish() < 0)
            return 1;
        running--;
    }
    printf("%lld\n", (long long)(now_ns() - begin));
    return 0;
}
