/*
 * Wall times of commands, taken in turns so that a change of the machine's mood meets all of them:
 *     measure [-n ROUNDS] [-r REPEAT] [-b TEXT] COMMAND... [::: COMMAND...]...
 * Each round runs TEXT by sh, untimed, then every command REPEAT times in a row. Prints one line for each
 * command: median, least and greatest time of one execution in seconds, and its peak memory in bytes.
 * Standard output of the commands goes to /dev/null; one that fails ends everything, status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_COMMANDS = 16, MOST_ROUNDS = 1001 };

typedef struct command {
    char **argv;
    double seconds[MOST_ROUNDS];
    long peak_kb;
} command;

typedef struct measure {
    long rounds, repeat;
    const char *before; /* NULL without */
    int null_fd;
    size_t count;
    command commands[MOST_COMMANDS];
} measure;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int fail(const char *program, const char *what)
{
    fprintf(stderr, "measure: %s: %s\n", program, what);
    return -1;
}

static int execute(const measure *m, char **argv, long *peak_kb)
{
    pid_t pid = vfork();
    if (pid == 0) {
        if (dup2(m->null_fd, STDIN_FILENO) >= 0 && dup2(m->null_fd, STDOUT_FILENO) >= 0)
            execvp(argv[0], argv);
        _exit(127);
    }
    int status;
    struct rusage usage;
    if (pid < 0)
        return fail(argv[0], strerror(errno));
    while (wait4(pid, &status, 0, &usage) < 0)
        if (errno != EINTR)
            return fail(argv[0], strerror(errno));
    if (usage.ru_maxrss > *peak_kb)
        *peak_kb = usage.ru_maxrss;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : fail(argv[0], "did not succeed");
}

static int take(const measure *m, command *c, long round)
{
    double begin = now();
    for (long i = 0; i < m->repeat; i++)
        if (execute(m, c->argv, &c->peak_kb))
            return -1;
    c->seconds[round] = (now() - begin) / (double)m->repeat;
    return 0;
}

static int run(measure *m)
{
    char shell[] = "sh", option[] = "-c";
    char *before[] = {shell, option, (char *)m->before, NULL};
    for (long round = 0; round < m->rounds; round++) {
        long ignored = 0;
        if (m->before && execute(m, before, &ignored))
            return -1;
        for (size_t i = 0; i < m->count; i++)
            if (take(m, &m->commands[i], round))
                return -1;
    }
    return 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(measure *m)
{
    for (command *c = m->commands; c < m->commands + m->count; c++) {
        qsort(c->seconds, (size_t)m->rounds, sizeof *c->seconds, ascending);
        printf("%.9f %.9f %.9f %lld\n", c->seconds[m->rounds / 2], c->seconds[0], c->seconds[m->rounds - 1],
               (long long)c->peak_kb * 1024);
    }
}

/* Cuts the words at `:::`. */
static int split(measure *m, char **words)
{
    while (*words && m->count < MOST_COMMANDS) {
        m->commands[m->count++].argv = words;
        while (*words && strcmp(*words, ":::"))
            words++;
        if (*words)
            *words++ = NULL; /* the last may end in `:::`, too */
        if (!m->commands[m->count - 1].argv[0])
            return -1;
    }
    return m->count && !*words ? 0 : -1;
}

static int parse(measure *m, int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "+n:r:b:")) >= 0;)
        if (option == 'n')
            m->rounds = strtol(optarg, NULL, 10);
        else if (option == 'r')
            m->repeat = strtol(optarg, NULL, 10);
        else if (option == 'b')
            m->before = optarg;
        else
            return -1;
    return m->rounds < 1 || m->rounds > MOST_ROUNDS || m->repeat < 1 ? -1 : split(m, argv + optind);
}

int main(int argc, char **argv)
{
    static measure m = {.rounds = 5, .repeat = 1};
    if (parse(&m, argc, argv)) {
        fprintf(stderr, "usage: measure [-n ROUNDS] [-r REPEAT] [-b TEXT] COMMAND... [::: COMMAND...]...\n");
        return 2;
    }
    m.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (m.null_fd < 0) {
        perror("measure: /dev/null");
        return 1;
    }
    if (run(&m))
        return 1;
    report(&m);
    return fflush(stdout) || ferror(stdout);
}
