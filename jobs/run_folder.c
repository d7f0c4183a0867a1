/* The folder of one run, see run_folder.h. */
#include "run_folder.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

enum { ATTEMPTS = 100 }; /* ids that may be taken already */

/* Beside a batch the folder above is .deja, which may have been made for the record alone: git is to leave it
 * out. */
static void ignore_in_git(int runs_fd)
{
    DEJA_AUTO_CLOSE int fd =
        openat(runs_fd, "../.gitignore", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        deja_file_write_all(fd, "*\n", 2, ".gitignore", NULL);
}

/* Opens the folder of all runs, making it when it is missing. One that somebody else may write to is refused.
 */
static int open_runs(run_folder *f, deja_error *err)
{
    const char *folder = f->runs;
    f->runs_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->runs_fd < 0 && errno == ENOENT) {
        int code = deja_file_make_dirs(AT_FDCWD, folder, 0700, err);
        if (code)
            return code;
        f->runs_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ignore_in_git(f->runs_fd);
    }
    struct stat st;
    if (f->runs_fd < 0 || fstat(f->runs_fd, &st))
        return deja_fail_errno(err, "open '%s'", folder);
    if (st.st_uid != geteuid() || (st.st_mode & 022))
        return deja_fail(err, DEJA_EDENIED, "'%s' belongs to another user or may be written by others",
                         folder);
    return 0;
}

int run_folder_make(run_folder *f, deja_error *err)
{
    int code = open_runs(f, err);
    if (code)
        return code;
    unsigned attempt = 0;
    while (mkdirat(f->runs_fd, f->id, 0700)) {
        if (errno != EEXIST || ++attempt == ATTEMPTS)
            return deja_fail_errno(err, "make folder '%s/%s'", f->runs, f->id);
        runs_id(f->id, f->start_ns, getpid(), attempt);
    }
    f->fd = openat(f->runs_fd, f->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (f->fd < 0)
        return deja_fail_errno(err, "open '%s/%s'", f->runs, f->id);
    return 0;
}

/* As many as fit behind the state; zeros behind them. */
static void add_running(deja_buffer *b, const runs_job *running, size_t count)
{
    static const char zeros[RUNS_STATE_SIZE];
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(running[i].name);
        len = len < RUNS_NAME ? len : RUNS_NAME;
        if (b->len + 12 + len > RUNS_STATE_SIZE)
            break;
        deja_buffer_add_u64(b, (uint64_t)running[i].started_ns);
        deja_buffer_add_u32(b, (uint32_t)len);
        deja_buffer_add(b, running[i].name, len);
    }
    if (b->len < RUNS_STATE_SIZE)
        deja_buffer_add(b, zeros, RUNS_STATE_SIZE - b->len);
}

int run_folder_tell(const run_folder *f, const flow_totals *t, const runs_job *running, size_t count,
                    int64_t now_ns, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer page = {0};
    runs_state state = {.magic = "dejarun",
                        .pid = (uint32_t)getpid(),
                        .slots = f->slots,
                        .started_ns = f->start_ns,
                        .updated_ns = now_ns};
    state.magic[7] = '1';
    if (t) {
        state.total = t->total;
        state.done = t->done;
        state.hits = t->hits;
        state.ran = t->ran;
        state.failed = t->failed;
        state.skipped = t->skipped;
        state.running = t->running;
    }
    deja_buffer_add(&page, &state, sizeof state);
    add_running(&page, running, count);
    if (page.failed)
        return deja_fail(err, DEJA_ENOMEM, "write '%s/%s/state': out of memory", f->runs, f->id);
    ssize_t n;
    while ((n = pwrite(f->state_fd, page.data, page.len, 0)) < 0 && errno == EINTR)
        ;
    if (n == (ssize_t)page.len)
        return 0;
    return n < 0 ? deja_fail_errno(err, "write '%s/%s/state'", f->runs, f->id)
                 : deja_fail(err, DEJA_EFULL, "write '%s/%s/state': ended early", f->runs, f->id);
}

int run_folder_live(run_folder *f, deja_error *err)
{
    f->state_fd = openat(f->fd, "state", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->state_fd < 0)
        return deja_fail_errno(err, "create '%s/%s/state'", f->runs, f->id);
    if (flock(f->state_fd, LOCK_EX | LOCK_NB))
        return deja_fail_errno(err, "lock '%s/%s/state'", f->runs, f->id);
    if (ftruncate(f->state_fd, RUNS_STATE_SIZE))
        return deja_fail_errno(err, "write '%s/%s/state'", f->runs, f->id);
    return run_folder_tell(f, NULL, NULL, 0, f->start_ns, err);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void run_folder_init(run_folder *f, const char *runs, int64_t start_ns, unsigned slots)
{
    *f = (run_folder){
        .runs = runs, .start_ns = start_ns, .slots = slots, .runs_fd = -1, .fd = -1, .state_fd = -1};
    runs_id(f->id, start_ns, getpid(), 0);
}

void run_folder_close(run_folder *f)
{
    close_fd(&f->state_fd);
    close_fd(&f->fd);
    close_fd(&f->runs_fd);
}
