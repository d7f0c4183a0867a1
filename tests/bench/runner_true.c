/*
 * `runner_true N J PROGRAM`: the work of `bare` through deja_runner, output captured. Prints the total in
 * nanoseconds.
 */
#include <deja/clock.h>
#include <deja/runner.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int run(deja_runner *r, long left, long most, const char *program, deja_error *err)
{
    const char *const argv[] = {program, NULL};
    const deja_command command = {
        .argv = argv, .file = program, .env = (const char *const *)environ, .stdin_fd = -1};
    while (left > 0 || deja_runner_running(r) > 0) {
        for (; left > 0 && deja_runner_running(r) < most; left--)
            if (deja_runner_start(r, &command, err) < 0)
                return -1;
        deja_outcome outcome;
        if (deja_runner_next(r, -1, &outcome, err) <= 0)
            return -1;
        if (outcome.status != 0)
            return deja_fail(err, DEJA_EIO, "a job failed");
        deja_outcome_done(&outcome);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: runner_true N J PROGRAM\n");
        return 2;
    }
    deja_error err = {0};
    deja_runner *r = NULL;
    deja_runner_options options = {.size = sizeof options, .owns_children = 1, .run_id = "bench"};
    int64_t begin = deja_monotonic_ns(NULL);
    int failed = deja_runner_open(&r, &options, &err) < 0 ||
                 run(r, strtol(argv[1], NULL, 10), strtol(argv[2], NULL, 10), argv[3], &err) < 0;
    deja_runner_close(r);
    if (failed) {
        fprintf(stderr, "runner_true: %s\n", err.text);
        return 1;
    }
    printf("%lld\n", (long long)(deja_monotonic_ns(NULL) - begin));
    return 0;
}
