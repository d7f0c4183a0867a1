/*
 * CPU count: affinity and cgroup quota. /proc/self/cgroup (cgroups(7)) names our group in each hierarchy,
 * /proc/self/mountinfo (proc(5)) says where hierarchies are mounted and which part of them.
 */
#include "cpu.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/runner.h>
#include <deja/text.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

enum {
    file_limit = 1 << 20, /* bytes of a file in /proc or a cgroup */
    first_cpus = 1024,    /* of the affinity mask; doubled while the kernel has more */
    most_cpus = 1 << 20,
    mount_root_field = 3, /* fields of a line of mountinfo, from 0 */
    mount_point_field = 4,
};

/* A mounted hierarchy and our place in it. */
typedef struct hierarchy {
    int v2;
    deja_buffer mount; /* mount point */
    deja_buffer top;   /* the group that is mounted there, "/" mostly */
    deja_buffer group; /* ours */
} hierarchy;

static int load(deja_buffer *b, const char *root, const char *path)
{
    DEJA_AUTO_BUFFER deja_buffer whole = {0};
    deja_buffer_addf(&whole, "%s%s", root, path);
    return whole.failed ? DEJA_ENOMEM
                        : deja_file_load(AT_FDCWD, deja_buffer_string(&whole), file_limit, b, NULL);
}

/* The next part of *rest up to `end`, terminated in place; NULL at the end. */
static char *cut(char **rest, char end)
{
    char *part = *rest;
    if (!part || !*part)
        return NULL;
    char *stop = strchr(part, end);
    *rest = stop ? stop + 1 : NULL;
    if (stop)
        *stop = '\0';
    return part;
}

static int list_has(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return 1;
    return 0;
}

/* Lines are "NUMBER:CONTROLLERS:PATH", "0::PATH" in version 2. */
static void find_group(hierarchy *h, char *text)
{
    for (char *line; (line = cut(&text, '\n'));) {
        char *rest = line;
        const char *number = cut(&rest, ':');
        char *controllers = rest;
        char *path = rest ? strchr(rest, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        if (h->v2 ? strcmp(number, "0") == 0 && !*controllers : list_has(controllers, "cpu"))
            deja_buffer_add_string(&h->group, path);
    }
}

/* mountinfo writes blank, tab, newline and backslash as \ooo. */
static void add_unescaped(deja_buffer *b, const char *s)
{
    for (; *s; s++) {
        int octal = s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
                    s[3] <= '7';
        deja_buffer_add_char(b, octal ? (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0')) : *s);
        s += octal ? 3 : 0;
    }
}

static int is_wanted(const hierarchy *h, char *tail)
{
    const char *type = cut(&tail, ' ');
    cut(&tail, ' ');
    const char *options = tail;
    return type && (h->v2 ? strcmp(type, "cgroup2") == 0
                          : strcmp(type, "cgroup") == 0 && options && list_has(options, "cpu"));
}

/* Lines are "ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS... - TYPE SOURCE SUPER-OPTIONS". */
static void find_mount(hierarchy *h, char *text)
{
    for (char *line; !h->mount.len && (line = cut(&text, '\n'));) {
        char *tail = strstr(line, " - ");
        if (!tail || !is_wanted(h, tail + 3))
            continue;
        *tail = '\0';
        const char *field[mount_point_field + 1] = {0};
        for (int i = 0; i <= mount_point_field && (field[i] = cut(&line, ' ')); i++)
            ;
        if (!field[mount_point_field])
            continue;
        add_unescaped(&h->top, field[mount_root_field]);
        add_unescaped(&h->mount, field[mount_point_field]);
    }
}

static int64_t read_number(const char *root, const char *folder, const char *name)
{
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_addf(&path, "%s/%s", folder, name);
    if (path.failed || load(&text, root, path.data) < 0 || !text.data)
        return 0;
    text.data[strcspn(text.data, "\n")] = '\0';
    int64_t number = 0;
    return deja_text_int(text.data, &number) == 0 ? number : 0;
}

static int round_up(int64_t quota, int64_t period)
{
    if (quota <= 0 || period <= 0 || quota / period >= most_cpus)
        return 0;
    return (int)((quota + period - 1) / period);
}

/* cpu.max is "QUOTA PERIOD" or "max PERIOD", in microseconds. */
static int quota_v2(const char *root, const char *folder)
{
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_addf(&path, "%s/cpu.max", folder);
    if (path.failed || load(&text, root, path.data) < 0 || !text.data)
        return 0;
    text.data[strcspn(text.data, "\n")] = '\0';
    char *rest = text.data;
    const char *quota = cut(&rest, ' ');
    int64_t number[2] = {0};
    if (!quota || !rest || deja_text_int(quota, &number[0]) < 0 || deja_text_int(rest, &number[1]) < 0)
        return 0;
    return round_up(number[0], number[1]);
}

static int quota_v1(const char *root, const char *folder)
{
    return round_up(read_number(root, folder, "cpu.cfs_quota_us"),
                    read_number(root, folder, "cpu.cfs_period_us"));
}

static int smaller(int a, int b)
{
    return a > 0 && (b == 0 || a < b) ? a : b;
}

/* Our group's folder as mounted: a container may see only the part below `top`, or a path that leads out of
 * it. */
static void add_folder(deja_buffer *folder, const hierarchy *h)
{
    const char *group = deja_buffer_string(&h->group), *top = deja_buffer_string(&h->top);
    size_t len = strcmp(top, "/") == 0 ? 0 : strlen(top);
    deja_buffer_add_string(folder, deja_buffer_string(&h->mount));
    if (strncmp(group, top, len) == 0 && (group[len] == '/' || !group[len]) && strncmp(group, "/..", 3) != 0)
        deja_buffer_add_string(folder, group + len);
}

/* The group's own quota and those of all groups above it, up to the mount point. */
static int hierarchy_quota(const char *root, const hierarchy *h)
{
    DEJA_AUTO_BUFFER deja_buffer folder = {0};
    add_folder(&folder, h);
    int quota = 0;
    while (!folder.failed && folder.len >= h->mount.len && folder.len > 0) {
        quota = smaller(h->v2 ? quota_v2(root, folder.data) : quota_v1(root, folder.data), quota);
        const char *slash = strrchr(folder.data, '/');
        folder.len = slash ? (size_t)(slash - folder.data) : 0;
        folder.data[folder.len] = '\0';
    }
    return quota;
}

static int quota_of(const char *root, int v2)
{
    DEJA_AUTO_BUFFER deja_buffer groups = {0};
    DEJA_AUTO_BUFFER deja_buffer mounts = {0};
    if (load(&groups, root, "/proc/self/cgroup") < 0 || load(&mounts, root, "/proc/self/mountinfo") < 0)
        return 0;
    hierarchy h = {.v2 = v2};
    find_group(&h, groups.data);
    find_mount(&h, mounts.data);
    int quota = h.group.len && h.mount.len ? hierarchy_quota(root, &h) : 0;
    deja_buffer_done(&h.group);
    deja_buffer_done(&h.mount);
    deja_buffer_done(&h.top);
    return quota;
}

static int affinity_count(void)
{
    for (int cpus = first_cpus; cpus <= most_cpus; cpus *= 2) {
        size_t size = CPU_ALLOC_SIZE(cpus);
        DEJA_AUTO_FREE cpu_set_t *set = deja_calloc(1, size);
        if (!set)
            return 1;
        if (sched_getaffinity(0, size, set) == 0)
            return CPU_COUNT_S(size, set);
    }
    return 1;
}

int cpu_quota(const char *root)
{
    return smaller(quota_of(root, 1), quota_of(root, 0));
}

int deja_cpu_count(void)
{
    int count = affinity_count(), quota = cpu_quota("");
    count = smaller(quota, count);
    return count < 1 ? 1 : count;
}
