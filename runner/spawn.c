/*
 * Making processes. Between clone and exec the child runs on our memory with a stack of its own: it makes raw
 * system calls only, since the C library's wrappers (and the sanitizers' interceptors) keep state in memory
 * that is ours. All signals are blocked meanwhile, so that no handler of the program runs in the child.
 */
#include "spawn.h"
#include <deja/runner.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    stack_bytes = 64 * 1024, /* the child needs a few hundred, the dynamic linker's resolver some 3 KB */
    last_signal = 64,
};

#if defined(__clang__)
#define NO_SANITIZER __attribute__((no_sanitize("address", "thread", "undefined"), noinline))
#else
#define NO_SANITIZER                                                                                         \
    __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"), noinline))
#endif

typedef struct launch {
    const spawner *spawner;
    const spawn_request *request;
} launch;

static uint64_t signal_bit(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

static int swap_mask(const uint64_t *mask, uint64_t *old)
{
    return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, old, sizeof *mask);
}

NO_SANITIZER static void set_disposition(int signal, uintptr_t handler)
{
    /* The kernel's struct sigaction begins with the handler (not on MIPS); SIG_DFL is all zero. Its size is
     * at most this. */
    uintptr_t action[8] = {handler, 0, 0, 0, 0, 0, 0, 0};
    syscall(SYS_rt_sigaction, signal, action, NULL, sizeof(uint64_t));
}

/*
 * Ignored signals go back to their default; handlers go at the exec. One that arrived since the clone (from
 * the terminal, while the child was in our group) would run our handler here as soon as the mask is lifted,
 * and a TSTP would stop the child, and us with it, before its exec: then all dispositions are reset, and
 * ignoring drops what stops.
 */
NO_SANITIZER static void reset_signals(const spawner *s)
{
    uint64_t pending = 0, reset = s->ignored;
    if (syscall(SYS_rt_sigpending, &pending, sizeof pending) < 0 || pending) {
        set_disposition(SIGTSTP, (uintptr_t)SIG_IGN);
        reset = ~s->keep;
    }
    for (int i = 1; reset; i++, reset >>= 1)
        if (reset & 1)
            set_disposition(i, (uintptr_t)SIG_DFL); /* KILL and STOP refuse, as they may */
}

NO_SANITIZER static long put_stream(int from, int to)
{
    if (from == to)
        return syscall(SYS_fcntl, to, F_SETFD, 0);
    return syscall(SYS_dup3, from, to, 0);
}

/* Opened by the child in its place: nobody keeps a descriptor for it. */
NO_SANITIZER static long put_input(int from)
{
    if (from >= 0)
        return put_stream(from, 0);
    syscall(SYS_close, 0);
    return syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
}

NO_SANITIZER static int prepare(const spawner *s, const spawn_request *q)
{
    if (syscall(SYS_setpgid, 0, 0) < 0 || syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return DEJA_EXEC_PREPARE;
    if (syscall(SYS_getppid) != s->owner) /* died before PDEATHSIG was set */
        syscall(SYS_exit_group, 127);
    reset_signals(s);
    if (q->cwd && syscall(SYS_chdir, q->cwd) < 0)
        return DEJA_EXEC_CWD;
    if (put_input(q->in) < 0 || put_stream(q->out, 1) < 0 || put_stream(q->err, 2) < 0)
        return DEJA_EXEC_PREPARE;
    /* The last step that needs a descriptor is behind us: theirs may be fewer than ours. */
    if (s->sets_descriptors && syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, s->descriptors, NULL) < 0)
        return DEJA_EXEC_PREPARE;
    const uint64_t data[2] = {q->data_bytes, q->data_bytes};
    int is_grouped = q->cgroup >= 0 && syscall(SYS_write, q->cgroup, "0", 1) == 1;
    if (q->data_bytes && !is_grouped && syscall(SYS_prlimit64, 0, RLIMIT_DATA, data, NULL) < 0)
        return DEJA_EXEC_PREPARE;
    /* The system call returns 20 minus the niceness. */
    if (q->nice && syscall(SYS_setpriority, PRIO_PROCESS, 0,
                           20 - syscall(SYS_getpriority, PRIO_PROCESS, 0) + (long)q->nice) < 0)
        return DEJA_EXEC_PREPARE;
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &s->mask, NULL, sizeof s->mask) < 0)
        return DEJA_EXEC_PREPARE;
    return DEJA_EXEC_DONE;
}

NO_SANITIZER static int run_child(void *context)
{
    const launch *l = context;
    const spawn_request *q = l->request;
    int step = prepare(l->spawner, q);
    if (step == DEJA_EXEC_DONE) {
        syscall(SYS_execve, q->file, q->argv, q->env);
        step = DEJA_EXEC_FILE;
    }
    atomic_store(&q->failure->sys_errno, errno);
    atomic_store(&q->failure->step, step);
    syscall(SYS_exit_group, 127);
    __builtin_unreachable();
}

static int look_at_signals(spawner *s, deja_error *err)
{
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &s->mask, sizeof s->mask) < 0)
        return deja_fail_errno(err, "read the signal mask");
    s->ignored = signal_bit(SIGPIPE) | signal_bit(SIGXFSZ);
    for (int i = 1; i <= last_signal; i++) {
        struct sigaction action;
        if (sigaction(i, NULL, &action) < 0 || action.sa_handler != SIG_IGN)
            continue; /* the C library keeps some for itself */
        uint64_t *set = i == SIGHUP || i == SIGINT || i == SIGQUIT ? &s->keep : &s->ignored;
        *set |= signal_bit(i);
    }
    return 0;
}

/* clone3 is the same on every architecture; a container's filter may know clone only. */
static pid_t copy_process(int *pidfd)
{
    uint64_t flags = pidfd ? CLONE_PIDFD : 0;
    struct clone_args args = {.flags = flags, .pidfd = (uint64_t)(uintptr_t)pidfd};
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0 && (errno == ENOSYS || errno == EPERM))
#if defined(__s390__) || defined(__CRIS__)
        pid = syscall(SYS_clone, NULL, (unsigned long)flags, pidfd, NULL, NULL);
#else
        pid = syscall(SYS_clone, (unsigned long)flags, NULL, pidfd, NULL, NULL);
#endif
    return (pid_t)pid;
}

int spawner_init(spawner *s, deja_error *err)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *s = (spawner){.owner = getpid(), .stack_size = stack_bytes + page};
    int rc = look_at_signals(s, err);
    if (rc < 0)
        return rc;
    char *stack =
        mmap(NULL, s->stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return deja_fail(err, DEJA_ERESOURCE, "map a stack: %s", strerror(errno));
    s->stack = stack;
    if (mprotect(stack, page, PROT_NONE) < 0)
        return deja_fail_errno(err, "protect a stack");
    return 0;
}

void spawner_done(spawner *s)
{
    if (s->stack)
        munmap(s->stack, s->stack_size);
    s->stack = NULL;
}

pid_t spawn_job(const spawner *s, const spawn_request *q, int *ret_pidfd)
{
    launch l = {.spawner = s, .request = q};
    const uint64_t all = ~UINT64_C(0);
    uint64_t before = 0;
    if (swap_mask(&all, &before) < 0)
        return -errno;
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CHILD_SETTID | SIGCHLD;
    pid_t pid = clone(run_child, s->stack + s->stack_size, flags, &l, ret_pidfd, NULL, (void *)q->note);
    int failed = errno;
    swap_mask(&before, NULL);
    return pid < 0 ? -failed : pid;
}

pid_t spawn_copy(void (*run)(const void *context), const void *context, int *ret_pidfd)
{
    const uint64_t all = ~UINT64_C(0);
    uint64_t before = 0;
    if (swap_mask(&all, &before) < 0)
        return -errno;
    pid_t pid = copy_process(ret_pidfd);
    int failed = errno;
    if (pid == 0) {
        run(context);
        syscall(SYS_exit_group, 0);
        __builtin_unreachable();
    }
    swap_mask(&before, NULL);
    return pid < 0 ? -failed : pid;
}
