/* A folder of runs, see runs.h. */
#include "runs.h"
#include "stamp.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { OLDEST = 40 }; /* candidates looked at in one go: more than are removed, as some may live */

static void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}
#define AUTO_DIR __attribute__((cleanup(close_dir)))

/* A stream over a folder; `name` "." is folder_fd itself. NULL when it cannot be opened. */
static DIR *open_dir(int folder_fd, const char *name)
{
    int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    DIR *dir = fdopendir(fd);
    if (!dir)
        close(fd);
    return dir;
}

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

void runs_id(char id[RUNS_ID], int64_t wall_ns, int pid, unsigned attempt)
{
    stamp at;
    stamp_of(wall_ns, &at);
    int len = snprintf(id, RUNS_ID, "%04d%02d%02d-%02d%02d%02d.%03d-%d", at.year, at.month, at.day, at.hour,
                       at.minute, at.second, at.millisecond, pid);
    if (attempt && len > 0 && len < RUNS_ID)
        snprintf(id + len, RUNS_ID - (size_t)len, "-%u", attempt);
}

int runs_is_id(const char *name)
{
    if (strlen(name) >= RUNS_ID || digits(name) != 8 || name[8] != '-' || digits(name + 9) != 6 ||
        name[15] != '.' || digits(name + 16) != 3 || name[19] != '-')
        return 0;
    const char *rest = name + 20;
    size_t n = digits(rest);
    if (!n)
        return 0;
    if (!rest[n])
        return 1;
    size_t more = rest[n] == '-' ? digits(rest + n + 1) : 0;
    return more && !rest[n + 1 + more];
}

int runs_alive(int folder_fd, const char *id, runs_state *ret)
{
    if (ret)
        memset(ret, 0, sizeof *ret);
    DEJA_AUTO_CLOSE int run = openat(folder_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (run < 0)
        return 0;
    DEJA_AUTO_CLOSE int fd = openat(run, "state", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    if (ret && pread(fd, ret, sizeof *ret, 0) != (ssize_t)sizeof *ret)
        memset(ret, 0, sizeof *ret);
    return 1;
}

size_t runs_running(int folder_fd, const char *id, deja_buffer *b, runs_job *list, size_t most)
{
    DEJA_AUTO_CLOSE int run = openat(folder_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DEJA_AUTO_CLOSE int fd =
        run < 0 ? -1 : openat(run, "state", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    deja_buffer_clear(b);
    char *data = deja_buffer_reserve(b, RUNS_STATE_SIZE);
    ssize_t n = fd >= 0 && data ? pread(fd, data, RUNS_STATE_SIZE, 0) : 0;
    deja_reader r = {
        .data = (const unsigned char *)data, .len = n > 0 ? (size_t)n : 0, .at = sizeof(runs_state)};
    size_t count = 0;
    r.failed = r.len < r.at;
    for (; count < most; count++) {
        runs_job *one = &list[count];
        one->started_ns = (int64_t)deja_read_u64(&r);
        one->name_len = deja_read_u32(&r);
        one->name = deja_read_bytes(&r, one->name_len);
        if (r.failed || !one->started_ns || one->name_len > RUNS_NAME)
            break;
    }
    return count;
}

void runs_living(const char *folder, const char *except, deja_buffer *b)
{
    AUTO_DIR DIR *dir = open_dir(AT_FDCWD, folder);
    if (!dir)
        return;
    size_t start = b->len;
    for (struct dirent *e; (e = readdir(dir));) {
        runs_state state;
        if (!runs_is_id(e->d_name) || (except && !strcmp(e->d_name, except)) ||
            !runs_alive(dirfd(dir), e->d_name, &state))
            continue;
        deja_buffer_addf(b, "%srun %s (pid %u)", b->len > start ? ", " : "", e->d_name, state.pid);
    }
}

/* Removes a folder of files and folders, `depth` levels deep at most. */
static int remove_folder(int folder_fd, const char *name, int depth)
{
    AUTO_DIR DIR *dir = open_dir(folder_fd, name);
    if (!dir)
        return -1;
    for (struct dirent *e; (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        if (unlinkat(dirfd(dir), e->d_name, 0) && (errno == EISDIR || errno == EPERM) && depth > 0)
            remove_folder(dirfd(dir), e->d_name, depth - 1);
    }
    return unlinkat(folder_fd, name, AT_REMOVEDIR);
}

typedef struct oldest {
    char ids[OLDEST][RUNS_ID]; /* sorted, the oldest first */
    size_t count;
    size_t total; /* of all runs */
} oldest;

static void remember_old(oldest *o, const char *id)
{
    o->total++;
    size_t at = o->count;
    while (at > 0 && strcmp(id, o->ids[at - 1]) < 0)
        at--;
    if (at == OLDEST)
        return;
    size_t last = o->count < OLDEST ? o->count++ : OLDEST - 1;
    memmove(o->ids + at + 1, o->ids + at, (last - at) * sizeof o->ids[0]);
    memcpy(o->ids[at], id, strlen(id) + 1); /* runs_is_id has seen that it fits */
}

/* A folder has a link for each folder in it, and two of its own; btrfs says 1. */
static int is_time_to_look(int folder_fd)
{
    struct stat st;
    if (fstat(folder_fd, &st) || st.st_nlink < 2)
        return 1;
    size_t folders = (size_t)st.st_nlink - 2;
    return folders > RUNS_KEEP && folders % RUNS_PRUNE_STEP == 0;
}

unsigned runs_prune(int folder_fd, int64_t now_ns)
{
    oldest old = {.count = 0};
    char young[RUNS_ID];
    if (!is_time_to_look(folder_fd))
        return 0;
    AUTO_DIR DIR *dir = open_dir(folder_fd, ".");
    if (!dir)
        return 0;
    for (struct dirent *e; (e = readdir(dir));)
        if (runs_is_id(e->d_name))
            remember_old(&old, e->d_name);
    runs_id(young, now_ns - RUNS_YOUNG_S * DEJA_S_NS, 0, 0);
    unsigned removed = 0;
    for (size_t i = 0; i < old.count && removed < RUNS_PRUNE_MOST && old.total - removed > RUNS_KEEP; i++) {
        if (strcmp(old.ids[i], young) >= 0 && old.total - removed <= RUNS_MOST)
            break;
        if (!runs_alive(folder_fd, old.ids[i], NULL) && remove_folder(folder_fd, old.ids[i], 1) == 0)
            removed++;
    }
    return removed;
}

/* A run and the bytes of its output. */
typedef struct sized {
    char id[RUNS_ID];
    uint64_t bytes;
} sized;

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const sized *)a)->id, ((const sized *)b)->id);
}

static uint64_t output_bytes(int folder_fd, const char *id, int remove)
{
    struct stat st;
    DEJA_AUTO_CLOSE int run = openat(folder_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (run < 0 || fstatat(run, "output", &st, AT_SYMLINK_NOFOLLOW) || (remove && unlinkat(run, "output", 0)))
        return 0;
    return (uint64_t)st.st_size;
}

/* All runs that have output. NULL: none, or out of memory. */
static sized *list_outputs(int folder_fd, size_t *ret_count)
{
    sized *list = NULL;
    size_t cap = 0;
    AUTO_DIR DIR *dir = open_dir(folder_fd, ".");
    *ret_count = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        sized one = {.bytes = runs_is_id(e->d_name) ? output_bytes(folder_fd, e->d_name, 0) : 0};
        sized *more = one.bytes ? deja_grow(list, *ret_count, &cap, sizeof *list) : NULL;
        if (!more)
            continue;
        list = more;
        memcpy(one.id, e->d_name, strlen(e->d_name) + 1); /* runs_is_id has seen that it fits */
        list[(*ret_count)++] = one;
    }
    if (*ret_count)
        qsort(list, *ret_count, sizeof *list, compare_ids);
    return list;
}

unsigned runs_prune_output(int folder_fd, uint64_t most)
{
    size_t count;
    unsigned removed = 0;
    uint64_t total = 0;
    DEJA_AUTO_FREE sized *list = list_outputs(folder_fd, &count);
    for (size_t i = 0; i < count; i++)
        total += list[i].bytes;
    for (size_t i = 0; i < count && total > most; i++) {
        if (runs_alive(folder_fd, list[i].id, NULL) || !output_bytes(folder_fd, list[i].id, 1))
            continue;
        total -= list[i].bytes;
        removed++;
    }
    return removed;
}
