/*
 * The zygote and its making. It is no child of the program: a process between the two ends at once, so no
 * wait() of the program ever sees it. Forked with fork(3): handlers of pthread_atfork run and the C library
 * knows its thread id; after a bare clone abort() would send its signal to somebody else.
 */
#include "zygote.h"
#include "bell.h"
#include "init_guard.h"
#include "wire.h"
#include "worker.h"

#include <deja/clock.h>
#include <deja/runner.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    tick_ms = 5,        /* between looks while a deadline may come */
    retry_ms = 10,      /* after a fork that failed, or with the list of deaths full */
    stillborn_most = 3, /* workers that died before their first task: the initialiser is given up */
    default_grace_ms = 1000,
};

/* What the zygote alone knows of a worker. */
typedef struct charge {
    pid_t pid; /* 0: to be started */
    uint32_t birth;
    int64_t term_ns; /* when TERM was sent; 0: not */
    int killed;
} charge;

typedef struct zygote {
    shop *shop;
    control *control;
    charge *charge;
    uint32_t started; /* places in use */
    uint32_t births, stillborn;
    int signals;  /* signalfd */
    int again_ms; /* look again after so long; -1: no need */
    char init_failure[200];
} zygote;

/* ---- its making ---- */

/* Handlers of the program mean nothing here, but those of faults may report them. What is ignored stays so.
 */
static void reset_signals(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    for (int i = 1; i <= SIGRTMAX; i++) {
        struct sigaction action;
        int fault = 0;
        for (size_t j = 0; j < sizeof faults / sizeof *faults; j++)
            fault |= faults[j] == i;
        if (fault || sigaction(i, NULL, &action) < 0 ||
            (action.sa_handler == SIG_IGN && i != SIGCHLD && i != SIGTERM))
            continue;
        action = (struct sigaction){.sa_handler = SIG_DFL};
        sigaction(i, &action, NULL);
    }
}

/* As many threads as processors, not that many for each worker; what the user set stays. */
static void limit_threads(uint32_t workers)
{
    static const char *const names[] = {"OMP_NUM_THREADS",  "OPENBLAS_NUM_THREADS",   "MKL_NUM_THREADS",
                                        "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"};
    int threads = deja_cpu_count() / (int)workers;
    char text[16];
    snprintf(text, sizeof text, "%d", threads > 1 ? threads : 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        setenv(names[i], text, 0);
}

static void open_null_input(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    dup2(fd, 0);
    if (fd > 0)
        close(fd);
}

/* In a process group of its own: Ctrl-C is for the program, and what it does with it decides. */
static void settle(const shop *s)
{
    setpgid(0, 0);
    prctl(PR_SET_NAME, "deja-zygote", 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* of what functions forked and left */
    close(s->zygote_program);
    for (uint32_t i = 0; i < s->boards.workers; i++)
        close(s->program_ends[i]);
    reset_signals();
    open_null_input();
    limit_threads(s->boards.workers);
}

static int initialise(shop *s)
{
    deja_error err = {0};
    control *c = s->boards.control;
    int rc = heap_turn_over(s->heap, &err);
    if (rc == 0 && s->options.init && !s->options.init_each) {
        rc = s->options.init(s->options.init_arg, &err);
        if (rc > 0)
            rc = deja_fail(&err, DEJA_EINVAL, "returned %d: 0 or a negative code is wanted", rc);
        if (rc < 0 && !err.text[0])
            deja_fail(&err, rc, "%s", deja_error_meaning(rc));
        if (rc < 0)
            deja_fail_in(&err, "initialiser");
    }
    c->init_code = rc;
    memcpy(c->init_text, err.text, sizeof c->init_text);
    fflush(NULL);
    return rc;
}

/* ---- its life ---- */

static void start_worker(zygote *z, uint32_t i)
{
    charge *c = &z->charge[i];
    board *b = &z->shop->boards.board[i];
    uint32_t birth = ++z->births & 0xffffff;
    boards_unmark(&z->shop->boards, i);
    boards_look_away(&z->shop->boards, i);
    atomic_store(&b->turn, (uint64_t)birth << 40 | turn_idle);
    atomic_store(&b->birth, birth);
    pid_t zygote_pid = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != zygote_pid)
            _exit(0);
        close(z->signals);
        close(z->shop->zygote_end);
        close(z->shop->program);
        worker_run(z->shop, i, birth, z->stillborn >= stillborn_most ? z->init_failure : NULL);
    }
    if (pid < 0) {
        z->again_ms = retry_ms;
        return;
    }
    atomic_store(&b->pid, pid);
    *c = (charge){.pid = pid, .birth = birth};
}

static void start_missing(zygote *z)
{
    uint32_t wanted = atomic_load(&z->control->wanted);
    if (wanted > z->shop->boards.workers)
        wanted = z->shop->boards.workers;
    if (z->started < wanted)
        z->started = wanted;
    for (uint32_t i = 0; i < z->started; i++)
        if (!z->charge[i].pid)
            start_worker(z, i);
}

/* A worker that dies before it has taken anything, again and again, would hold up every task for ever. */
static void count_stillborn(zygote *z, uint64_t turn, int status)
{
    int began = (turn >> 8 & UINT32_MAX) != 0;
    if (began || (turn & 0xff) != turn_idle || !z->shop->options.init_each) {
        z->stillborn = began ? 0 : z->stillborn;
        return;
    }
    z->stillborn++;
    if (WIFSIGNALED(status))
        snprintf(z->init_failure, sizeof z->init_failure, "the initialiser was ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(z->init_failure, sizeof z->init_failure, "the initialiser ended its worker with status %d",
                 WEXITSTATUS(status));
}

static void note_death(zygote *z, uint32_t i, int status)
{
    control *c = z->control;
    const board *b = &z->shop->boards.board[i];
    uint64_t n = atomic_load(&c->deaths);
    c->death[n % deaths_kept] = (death){
        .worker = i,
        .birth = z->charge[i].birth,
        .pid = z->charge[i].pid,
        .status = status,
        .turn = atomic_load(&b->turn),
        .current = atomic_load(&b->current),
        .item = atomic_load(&b->item),
        .block = atomic_load(&b->block),
    };
    count_stillborn(z, c->death[n % deaths_kept].turn, status);
    atomic_store(&c->deaths, n + 1);
    z->charge[i].pid = 0;
    atomic_store(&z->shop->boards.board[i].pid, 0);
}

/* What it left in its group goes before its number can be anybody else's. */
static void reap(zygote *z)
{
    int told = 0;
    for (;;) {
        if (atomic_load(&z->control->deaths) - atomic_load(&z->control->deaths_read) >= deaths_kept) {
            z->again_ms = retry_ms;
            break;
        }
        siginfo_t info = {0};
        int status = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
            break;
        uint32_t i = 0;
        while (i < z->started && z->charge[i].pid != info.si_pid)
            i++;
        if (i < z->started)
            kill(-info.si_pid, SIGKILL);
        waitpid(info.si_pid, &status, 0);
        if (i == z->started)
            continue;
        note_death(z, i, status);
        told = 1;
    }
    start_missing(z);
    if (told)
        bell_ring(z->shop->bell);
}

static void end_condemned(zygote *z, charge *c, int64_t now_ns)
{
    int64_t grace_ms = z->shop->options.grace_ms ? z->shop->options.grace_ms : default_grace_ms;
    if (!c->term_ns) {
        c->term_ns = now_ns;
        kill(c->pid, SIGTERM);
    } else if (!c->killed && now_ns - c->term_ns >= grace_ms * DEJA_MS_NS) {
        c->killed = 1;
        kill(c->pid, SIGKILL);
    }
    z->again_ms = tick_ms;
}

/* The deadline belongs to the turn where the turn is the same before and after. */
static void look_at_turns(zygote *z)
{
    if (atomic_load(&z->control->timed))
        z->again_ms = tick_ms;
    int64_t now_ns = deja_monotonic_ns(NULL);
    for (uint32_t i = 0; i < z->started; i++) {
        board *b = &z->shop->boards.board[i];
        uint64_t turn = atomic_load(&b->turn);
        if (z->charge[i].pid && (turn & 0xff) == turn_running && !atomic_load(&z->control->held_ns) &&
            atomic_load(&b->deadline_ns) <= now_ns)
            board_condemn(b, turn, turn_late);
        turn = atomic_load(&b->turn) & 0xff;
        if (z->charge[i].pid && (turn == turn_late || turn == turn_canceled))
            end_condemned(z, &z->charge[i], now_ns);
    }
}

static int workers_left(zygote *z)
{
    int left = 0;
    for (uint32_t i = 0; i < z->started; i++) {
        int status;
        if (z->charge[i].pid && waitpid(z->charge[i].pid, &status, WNOHANG) > 0)
            z->charge[i].pid = 0;
        left += z->charge[i].pid != 0;
    }
    return left;
}

static void signal_all(const zygote *z, int signal)
{
    for (uint32_t i = 0; i < z->started; i++)
        if (z->charge[i].pid)
            kill(signal == SIGKILL ? -z->charge[i].pid : z->charge[i].pid, signal);
    for (uint32_t i = 0; i < z->started && signal == SIGKILL; i++)
        if (z->charge[i].pid)
            kill(z->charge[i].pid, SIGKILL); /* before it has made its group */
}

/* Processes that functions left behind are our children by now, as far as their parents are gone. */
static void end_orphans(void)
{
    char path[64], text[4096];
    for (int round = 0; round < 20; round++) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        if (fd >= 0)
            close(fd);
        if (n <= 0)
            return;
        text[n] = '\0';
        for (char *at = text, *end; *at; at = end) {
            long pid = strtol(at, &end, 10);
            if (end == at)
                break;
            if (pid > 1)
                kill((pid_t)pid, SIGKILL);
            while (*end == ' ')
                end++;
        }
        poll(NULL, 0, 1);
    }
}

_Noreturn static void finish(zygote *z, int gently)
{
    int64_t grace_ms = z->shop->options.grace_ms ? z->shop->options.grace_ms : default_grace_ms;
    int64_t end_ns = deja_monotonic_ns(NULL) + (gently ? grace_ms * DEJA_MS_NS : 0);
    if (gently)
        signal_all(z, SIGTERM);
    while (workers_left(z) && deja_monotonic_ns(NULL) < end_ns)
        poll(&(struct pollfd){.fd = z->signals, .events = POLLIN}, 1, 1);
    signal_all(z, SIGKILL);
    for (int i = 0; i < 1000 && workers_left(z); i++)
        poll(NULL, 0, 1);
    end_orphans();
    _exit(0);
}

static void listen_to_program(zygote *z)
{
    char words[64];
    ssize_t n = read(z->shop->zygote_end, words, sizeof words);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0)
        finish(z, 0);
    for (ssize_t i = 0; i < n; i++)
        if (words[i] == zygote_quit)
            finish(z, 1);
}

_Noreturn static void serve(zygote *z)
{
    struct pollfd p[] = {{.fd = z->shop->zygote_end, .events = POLLIN},
                         {.fd = z->signals, .events = POLLIN},
                         {.fd = z->shop->program, .events = POLLIN}};
    for (;;) {
        int n = poll(p, 3, z->again_ms);
        struct signalfd_siginfo info[16];
        z->again_ms = -1;
        if (n > 0 && (p[2].revents & POLLIN))
            finish(z, 0);
        if (n > 0 && p[0].revents)
            listen_to_program(z);
        if (n > 0 && (p[1].revents & POLLIN) && read(z->signals, info, sizeof info) < 0 && errno != EAGAIN)
            z->again_ms = retry_ms;
        reap(z);
        look_at_turns(z);
    }
}

_Noreturn static void run(shop *s, int initialised)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    settle(s);
    sigprocmask(SIG_SETMASK, &child, NULL);
    zygote_hello hello = {.pid = getpid(), .code = initialise(s)};
    if (initialised >= 0)
        close(initialised);
    zygote z = {.shop = s, .control = s->boards.control, .again_ms = -1};
    z.charge = deja_calloc(s->boards.workers, sizeof *z.charge);
    z.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (!z.charge || z.signals < 0)
        _exit(1);
    if (send(s->zygote_end, &hello, sizeof hello, MSG_NOSIGNAL) < 0 || hello.code)
        _exit(0);
    serve(&z);
}

/* ---- the program's side ---- */

static int read_hello(const shop *s, zygote_hello *ret, deja_error *err)
{
    ssize_t n;
    do
        n = recv(s->zygote_program, ret, sizeof *ret, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return deja_fail_errno(err, "start the process that workers are made from");
    if (n != (ssize_t)sizeof *ret)
        return deja_fail(err, DEJA_EIO, "the initialiser ended the process that workers are made from");
    if (ret->code)
        return deja_fail(err, ret->code, "%.*s", (int)sizeof s->boards.control->init_text - 1,
                         s->boards.control->init_text);
    return 0;
}

/* In the process between. 0, or 1: there is no zygote. */
static int make(shop *s)
{
    int ends[2] = {-1, -1};
    int guarded = s->options.init && !s->options.init_each && pipe2(ends, O_CLOEXEC) == 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (guarded)
            close(ends[0]);
        run(s, ends[1]);
    }
    if (pid < 0 || !guarded)
        return pid < 0;
    const init_guard g = {.program = s->program,
                          .zygote_fd = (int)syscall(SYS_pidfd_open, pid, 0),
                          .until = ends[0],
                          .zygote = pid};
    if (fork() == 0)
        init_guard_run(&g);
    return 0; /* one that cannot be forked is done without */
}

int zygote_start(shop *s, pid_t *ret_pid, deja_error *err)
{
    fflush(NULL); /* or what lies in buffers now would be written by each copy */
    pid_t between = fork();
    if (between < 0)
        return deja_fail_errno(err, "fork the process that workers are made from");
    if (between == 0)
        _exit(make(s));
    int status = 0;
    while (waitpid(between, &status, 0) < 0 && errno == EINTR)
        ;
    close(s->zygote_end);
    s->zygote_end = -1;
    zygote_hello hello;
    int rc = read_hello(s, &hello, err);
    if (rc == 0)
        *ret_pid = hello.pid;
    return rc;
}

int zygote_say(const shop *s, enum zygote_word word)
{
    char byte = (char)word;
    ssize_t n;
    do
        n = send(s->zygote_program, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n == 1 || errno == EAGAIN ? 0 : -1; /* full: it has enough reason to look */
}

int zygote_ended(const shop *s, int timeout_ms)
{
    struct pollfd p = {.fd = s->zygote_program, .events = POLLIN};
    int64_t end_ns = deja_monotonic_ns(NULL) + timeout_ms * DEJA_MS_NS;
    for (;;) {
        int64_t left_ns = end_ns - deja_monotonic_ns(NULL);
        int n = poll(&p, 1, left_ns > 0 ? (int)(left_ns / DEJA_MS_NS) + 1 : 0);
        if (n > 0 || (n < 0 && errno != EINTR))
            return 1;
        if (left_ns <= 0)
            return 0;
    }
}
