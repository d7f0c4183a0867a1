/*
 * Strays in /proc. One sweep takes a table of all processes (pid, parent), marks those that are strays by
 * themselves, passes the mark on to children until nothing changes, and stops or kills what is marked.
 */
#include "stray.h"
#include "mark.h"

#include <deja/clock.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    most_processes = 1 << 22,  /* PID_MAX_LIMIT of a 64-bit kernel */
    fewer_processes = 1 << 15, /* when the address space is limited */
    stat_bytes = 512,          /* enough for the fields up to the count of threads */
    threads_field = 18,
    block_bytes = 16 * 1024,
    first_pause_ns = 500 * 1000,
    longest_pause_ns = 20 * 1000 * 1000,
};

typedef struct process {
    pid_t pid, parent;
    int stray;
    int stopped;
    int spared; /* calls itself a warden, and it is too early to doubt it */
} process;

typedef struct table {
    process *item;
    size_t len, cap;
    int patient;
} table;

static ssize_t read_some(int fd, char *data, size_t len)
{
    ssize_t n;
    do
        n = syscall(SYS_read, fd, data, len);
    while (n < 0 && errno == EINTR);
    return n;
}

static int open_at(int dirfd, const char *path, int flags)
{
    return (int)syscall(SYS_openat, dirfd, path, O_RDONLY | O_CLOEXEC | flags);
}

static void close_fd(int fd)
{
    syscall(SYS_close, fd);
}

/* "PID/NAME" without the C library's formatting. `path` has room for 32 bytes. */
static void process_path(char *path, pid_t pid, const char *name)
{
    char digits[12];
    size_t n = 0;
    for (unsigned v = (unsigned)pid; v || !n; v /= 10)
        digits[n++] = (char)('0' + v % 10);
    while (n > 0)
        *path++ = digits[--n];
    *path++ = '/';
    memcpy(path, name, strlen(name) + 1);
}

static pid_t parse_pid(const char *s)
{
    pid_t v = 0;
    for (; *s >= '0' && *s <= '9' && v < most_processes; s++)
        v = v * 10 + (*s - '0');
    return *s == '\0' || *s == ' ' ? v : 0;
}

/* Returns how many bytes were read. */
static size_t search_environment(int proc, pid_t pid, mark_search *search, char *block)
{
    char path[32];
    process_path(path, pid, "environ");
    int fd = open_at(proc, path, 0);
    size_t len = 0;
    if (fd < 0)
        return 0;
    ssize_t n;
    while (!search->found && (n = read_some(fd, block, block_bytes)) > 0) {
        mark_add(search, block, (size_t)n);
        len += (size_t)n;
    }
    mark_end(search);
    close_fd(fd);
    return len;
}

static int environment_is_marked(int proc, pid_t pid, const char *run_id, char *block)
{
    mark_search search = {.run_id = run_id, .id_len = strlen(run_id)};
    search_environment(proc, pid, &search, block);
    return search.found;
}

static int group_is_noted(const stray_hunt *hunt, pid_t group)
{
    for (uint32_t i = 0; i < hunt->groups; i++)
        if (group > 0 && atomic_load_explicit(&hunt->group[i], memory_order_relaxed) == group)
            return 1;
    return 0;
}

/*
 * Whether threads of a process live on whose first one has ended, which then looks like a zombie. Of the
 * fields after the name theirs is the 18th.
 */
static int has_threads(const char *field)
{
    for (int i = 1; field && i < threads_field; i++)
        field = strchr(field + 1, ' ');
    return field && parse_pid(field + 1) > 1;
}

/* "PID (NAME) STATE PARENT GROUP ...", proc(5). NAME may hold anything. 0 for a process that has died. */
static int parse_stat(char *stat, process *p, pid_t *group)
{
    char *name = strchr(stat, '('), *end = strrchr(stat, ')');
    *group = 0;
    if (!name || !end || end[1] != ' ' || end[3] != ' ')
        return 0;
    p->stopped = end[2] == 'T' || end[2] == 't';
    size_t len = (size_t)(end - name - 1);
    p->spared = len == strlen(STRAY_WARDEN_NAME) && memcmp(name + 1, STRAY_WARDEN_NAME, len) == 0;
    p->parent = parse_pid(end + 4);
    const char *next = strchr(end + 4, ' ');
    *group = next ? parse_pid(next + 1) : 0;
    return p->parent > 0 && end[2] != 'X' && (end[2] != 'Z' || has_threads(end + 1));
}

/* 0 for one that is dead or gone. */
static int read_stat(int proc, pid_t pid, process *ret, pid_t *ret_group)
{
    char path[32], stat[stat_bytes];
    process_path(path, pid, "stat");
    int fd = open_at(proc, path, 0);
    if (fd < 0)
        return 0;
    ssize_t n = read_some(fd, stat, sizeof stat - 1);
    close_fd(fd);
    stat[n > 0 ? n : 0] = '\0';
    *ret = (process){.pid = pid};
    return parse_stat(stat, ret, ret_group);
}

/* Adds a living process to the table, marked when it is a stray by itself. */
static void look_at(table *t, const stray_hunt *hunt, int proc, pid_t pid, char *block)
{
    process p;
    pid_t group;
    if (t->len == t->cap || !read_stat(proc, pid, &p, &group))
        return;
    p.spared = p.spared && t->patient;
    p.stray = p.parent == hunt->parent || group_is_noted(hunt, group) ||
              environment_is_marked(proc, pid, hunt->run_id, block);
    t->item[t->len++] = p;
}

static int list_processes(table *t, const stray_hunt *hunt, int proc, char *block)
{
    _Alignas(struct dirent64) char entries[block_bytes];
    pid_t self = (pid_t)syscall(SYS_getpid);
    for (;;) {
        long n = syscall(SYS_getdents64, proc, entries, sizeof entries);
        if (n <= 0)
            return (int)n;
        for (long at = 0; at < n;) {
            const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
            pid_t pid = parse_pid(entry->d_name);
            if (pid > 1 && pid != self && pid != hunt->warden)
                look_at(t, hunt, proc, pid, block);
            at += entry->d_reclen;
        }
    }
}

/* /proc lists processes by rising pid (proc_pid_readdir in fs/proc/base.c). */
static process *find(const table *t, pid_t pid)
{
    size_t low = 0, high = t->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->item[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->len && t->item[low].pid == pid ? &t->item[low] : NULL;
}

static void mark_children(table *t)
{
    for (int changed = 1; changed;) {
        changed = 0;
        for (size_t i = 0; i < t->len; i++) {
            const process *parent = t->item[i].stray ? NULL : find(t, t->item[i].parent);
            if (!parent || !parent->stray)
                continue;
            t->item[i].stray = 1;
            changed = 1;
        }
    }
}

static int all_are_stopped(const table *t)
{
    for (size_t i = 0; i < t->len; i++)
        if (t->item[i].stray && !t->item[i].spared && !t->item[i].stopped)
            return 0;
    return 1;
}

/* One that has gone meanwhile counts: it may have left children. */
static int end_marked(const table *t)
{
    int count = 0, signal = t->patient && !all_are_stopped(t) ? SIGSTOP : SIGKILL;
    for (size_t i = 0; i < t->len; i++) {
        if (t->item[i].stray && !t->item[i].spared)
            syscall(SYS_kill, t->item[i].pid, signal);
        count += t->item[i].stray;
    }
    return count;
}

static void *map_table(size_t *cap)
{
    for (*cap = most_processes; *cap >= fewer_processes;
         *cap = *cap > fewer_processes ? fewer_processes : 0) {
        void *p = mmap(NULL, *cap * sizeof(process), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p != MAP_FAILED)
            return p;
    }
    return NULL;
}

int stray_look_at(pid_t pid, const char *run_id, stray_sight *ret)
{
    char block[block_bytes];
    mark_search search = {.run_id = run_id, .id_len = strlen(run_id)};
    process p;
    *ret = (stray_sight){0};
    int proc = open_at(AT_FDCWD, "/proc", O_DIRECTORY);
    int alive = proc >= 0 && read_stat(proc, pid, &p, &ret->group);
    if (alive) {
        ret->is_warden = p.spared;
        ret->has_environment = search_environment(proc, pid, &search, block) > 0;
        ret->marked = search.found;
        ret->job = search.job;
    }
    if (proc >= 0)
        close_fd(proc);
    return alive;
}

int stray_sweep(const stray_hunt *hunt, int patient)
{
    char block[block_bytes];
    table t = {.patient = patient};
    int proc = open_at(AT_FDCWD, "/proc", O_DIRECTORY);
    t.item = proc < 0 ? NULL : map_table(&t.cap);
    int found = -1;
    if (t.item && list_processes(&t, hunt, proc, block) == 0) {
        mark_children(&t);
        found = end_marked(&t);
    }
    if (t.item)
        munmap(t.item, t.cap * sizeof(process));
    if (proc >= 0)
        close_fd(proc);
    return found;
}

int stray_hunt_down(const stray_hunt *hunt, int limit_ms)
{
    int64_t begin = deja_monotonic_ns(NULL), now = begin;
    for (long pause_ns = first_pause_ns; now - begin < limit_ms * DEJA_MS_NS; now = deja_monotonic_ns(NULL)) {
        struct timespec pause = {.tv_nsec = pause_ns};
        int found = stray_sweep(hunt, now - begin < stray_patience_ms * DEJA_MS_NS);
        if (found <= 0)
            return found;
        syscall(SYS_nanosleep, &pause, NULL);
        if (pause_ns < longest_pause_ns)
            pause_ns *= 2;
    }
    return 0;
}
