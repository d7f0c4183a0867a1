/* Control groups, see cgroup.h. What the kernel refuses is not tried again. */
#include "cgroup.h"
#include "oom.h"

#include <deja/buffer.h>
#include <deja/cleanup.h>
#include <deja/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { text_most = 1 << 20 }; /* bytes of a file of the kernel */

/* ---- files of a group ---- */

static int open_file(const cgroup *g, const char *group, const char *file, int flags)
{
    char path[256];
    int n = snprintf(path, sizeof path, "%s%s%s", group, *group ? "/" : "", file);
    return n > 0 && (size_t)n < sizeof path
               ? deja_file_above_standard(openat(g->base, path, flags | O_CLOEXEC | O_NOFOLLOW))
               : -1;
}

static int write_file(const cgroup *g, const char *group, const char *file, const char *text)
{
    DEJA_AUTO_CLOSE int fd = open_file(g, group, file, O_WRONLY);
    size_t len = strlen(text);
    return fd >= 0 && write(fd, text, len) == (ssize_t)len ? 0 : -1;
}

static int read_file(const cgroup *g, const char *group, const char *file, deja_buffer *ret)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s%s", group, *group ? "/" : "", file);
    return deja_file_load(g->base, path, text_most, ret, NULL);
}

static void name_group(const cgroup *g, const char *what, char ret[128])
{
    snprintf(ret, 128, "%s.%s", g->name, what);
}

static void name_job(const cgroup *g, uint64_t job, char ret[128])
{
    snprintf(ret, 128, "%s.%llu", g->name, (unsigned long long)job);
}

/* ---- ours ---- */

/* The path of our group in the tree of version 2: the line "0::PATH". */
static int find_own(deja_buffer *ret)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    if (deja_file_load(AT_FDCWD, "/proc/self/cgroup", text_most, &text, NULL) < 0)
        return -1;
    const char *line = deja_buffer_string(&text);
    while (line && strncmp(line, "0::/", 4) != 0)
        line = (line = strchr(line, '\n')) ? line + 1 : NULL;
    if (!line)
        return -1;
    deja_buffer_add(ret, line + 3, strcspn(line + 3, "\n"));
    return ret->failed ? -1 : 0;
}

static int is_tree(const char *root)
{
    struct statfs fs;
    return statfs(root, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* Whose it is says it for users; root owns all, and systemd notes what it has given away. */
static int is_delegated(int fd, const char *own)
{
    char value[2] = "";
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_uid != geteuid())
        return 0;
    return geteuid() != 0 || strcmp(own, "/") == 0 ||
           (fgetxattr(fd, "trusted.delegate", value, sizeof value) == 1 && value[0] == '1');
}

static int has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += len)
        if ((at == text || at[-1] == ' ') && strchr(" \n", at[len]))
            return 1;
    return 0;
}

static int hands_on(const cgroup *g)
{
    char text[64];
    snprintf(text, sizeof text, "+%s", g->wants);
    return !*g->wants || write_file(g, "", "cgroup.subtree_control", text) == 0;
}

/* A child of ours, as the warden is. */
static int is_child(pid_t pid)
{
    char path[64], stat[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    DEJA_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, stat, sizeof stat - 1);
    stat[n > 0 ? n : 0] = '\0';
    const char *end = strrchr(stat, ')'); /* of the name, which may hold anything */
    return end && strlen(end) > 4 && strtol(end + 4, NULL, 10) == (long)getpid();
}

/* Moves all processes of one group to another; refuses where there are others than ours. */
static int move_all(const cgroup *g, const char *from, const char *to)
{
    DEJA_AUTO_BUFFER deja_buffer list = {0};
    if (read_file(g, from, "cgroup.procs", &list) < 0)
        return -1;
    for (int moving = 0; moving < 2; moving++)
        for (char *at = list.data, *end; at && *at; at = *end ? end + 1 : end) {
            pid_t pid = (pid_t)strtol(at, &end, 10);
            char text[32];
            snprintf(text, sizeof text, "%d", (int)pid);
            if (end == at || (!moving && pid != getpid() && !is_child(pid)) ||
                (moving && write_file(g, to, "cgroup.procs", text) < 0 && errno != ESRCH))
                return -1;
        }
    return 0;
}

/* Into a group beside those of the jobs. */
static int step_aside(cgroup *g)
{
    char self[128];
    name_group(g, "self", self);
    if (mkdirat(g->base, self, 0755) < 0)
        return -1;
    g->moved = 1;
    if (move_all(g, "", self) < 0 || !hands_on(g)) {
        cgroup_close(g);
        return -1;
    }
    return 0;
}

static int can_limit(const cgroup *g)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    if (!*g->wants)
        return 1;
    return read_file(g, "", "cgroup.controllers", &text) == 0 &&
           has_word(deja_buffer_string(&text), g->wants);
}

/* ---- calls ---- */

void cgroup_init(cgroup *g, const char *run_id)
{
    *g = (cgroup){.base = -1, .wants = "memory"};
    snprintf(g->name, sizeof g->name, "deja-%s", run_id);
}

int cgroup_open_in(cgroup *g, const char *root, const char *controller)
{
    DEJA_AUTO_BUFFER deja_buffer own = {0};
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    if (g->tried)
        return g->base >= 0;
    g->tried = 1;
    g->wants = controller;
    if (!is_tree(root) || find_own(&own) < 0)
        return 0;
    deja_buffer_addf(&path, "%s%s", root, deja_buffer_string(&own));
    g->base = deja_file_above_standard(open(deja_buffer_string(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (g->base < 0)
        return 0;
    if (is_delegated(g->base, deja_buffer_string(&own)) && can_limit(g) &&
        (hands_on(g) || step_aside(g) == 0))
        return 1;
    cgroup_close(g);
    return 0;
}

int cgroup_open(cgroup *g)
{
    return cgroup_open_in(g, "/sys/fs/cgroup", "memory");
}

/* Swap would be a way around the limit; a job of which one process was killed is of no use. Both files may be
 * missing. */
static int limit(const cgroup *g, const char *group, uint64_t bytes)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
    if (strcmp(g->wants, "memory") != 0)
        return 0;
    write_file(g, group, "memory.swap.max", "0");
    write_file(g, group, "memory.oom.group", "1");
    return write_file(g, group, "memory.max", text);
}

int cgroup_add(cgroup *g, uint64_t job, uint64_t bytes)
{
    char group[128];
    if (g->base < 0)
        return -1;
    name_job(g, job, group);
    if (mkdirat(g->base, group, 0755) < 0)
        return -1;
    int fd = limit(g, group, bytes) == 0 ? open_file(g, group, "cgroup.procs", O_WRONLY) : -1;
    if (fd < 0)
        unlinkat(g->base, group, AT_REMOVEDIR);
    return fd;
}

int cgroup_end(cgroup *g, uint64_t job)
{
    char group[128];
    uint64_t kills = 0;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    if (g->base < 0)
        return 0;
    name_job(g, job, group);
    if (read_file(g, group, "memory.events", &text) == 0)
        oom_read(deja_buffer_string(&text), &kills);
    write_file(g, group, "cgroup.kill", "1");
    unlinkat(g->base, group, AT_REMOVEDIR);
    return kills > 0;
}

static void remove_groups(const cgroup *g)
{
    size_t len = strlen(g->name);
    int fd = openat(g->base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0)
        close(fd);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strncmp(e->d_name, g->name, len) == 0 && e->d_name[len] == '.')
            unlinkat(g->base, e->d_name, AT_REMOVEDIR); /* that of our own is not empty yet */
    if (dir)
        closedir(dir);
}

void cgroup_close(cgroup *g)
{
    char self[128], text[64];
    if (g->base < 0)
        return;
    remove_groups(g);
    if (g->moved) {
        name_group(g, "self", self);
        snprintf(text, sizeof text, "-%s", g->wants);
        if (*g->wants)
            write_file(g, "", "cgroup.subtree_control", text);
        move_all(g, self, "");
        unlinkat(g->base, self, AT_REMOVEDIR);
    }
    deja_cleanup_close(&g->base);
    g->base = -1;
    g->moved = 0;
}
