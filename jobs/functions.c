/*
 * Workers are told apart from commands by nothing but how they are started: claims, outputs, results and
 * reports are those of every job.
 */
#include "functions.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    GRACE_MS = 5000, /* unless said, as for commands */
    SMALL_BYTES =
        64 * 1024, /* a stream up to this size is memory, a larger one stays the file that it is in */
    MOST_PIDS = 1024,
};

struct functions {
    flow *flow;
    deja_pool *pool;
    deja_pool_function **of; /* by number of the definition; NULL: not defined yet */
    size_t running;
};

/* ---- the process that workers are made from ---- */

/*
 * Functions get paths as the batch has them, so workers are in its folder; and the limits that were given to
 * deja. A deja that a function starts waits for no claim: it cannot know which ones are held for this call.
 */
static int settle_workers(void *arg, deja_error *err)
{
    const flow *f = arg;
    if (fchdir(f->batch->folder_fd) < 0)
        return deja_fail_errno(err, "enter folder '%s'", f->batch->folder);
    if (f->options.job_descriptors && setrlimit(RLIMIT_NOFILE, f->options.job_descriptors) < 0)
        return deja_fail_errno(err, "set the limit of descriptors");
    if (setenv("PWD", f->batch->folder, 1) < 0 || setenv("DEJA_CLAIMS", "*", 1) < 0)
        return deja_fail_errno(err, "set the environment of functions");
    return 0;
}

static void warn(void *context, const char *text)
{
    flow *f = context;
    if (!f->ending) /* a worker that is lost then was ended by us */
        active_tell(f, &(flow_event){.kind = FLOW_NOTE, .reason = text, .out.fd = -1, .err.fd = -1});
}

static int has_calls(const batch *b)
{
    for (uint32_t i = 0; i < b->job_count; i++)
        if (b->jobs[i].run == BATCH_CALL)
            return 1;
    return 0;
}

static int open_pool(functions *fs, deja_error *err)
{
    flow *f = fs->flow;
    deja_pool_options options = {
        .size = sizeof options,
        .workers = f->options.slots,
        .init = settle_workers,
        .init_arg = f,
        .stage_folder = f->options.cache && f->options.store ? deja_cache_stage_folder(f->options.cache) : -1,
        .grace_ms = f->options.grace_ms ? f->options.grace_ms : GRACE_MS,
        .warn = warn,
        .warn_context = f,
        .trace = f->options.trace};
    return deja_pool_open(&fs->pool, &options, err);
}

int functions_open(flow *f, deja_error *err)
{
    if (f->options.dry_run || !has_calls(f->batch))
        return 0;
    functions *fs = deja_calloc(1, sizeof *fs);
    if (fs)
        fs->of = deja_calloc(f->batch->job_count, sizeof *fs->of);
    if (!fs || !fs->of) {
        deja_free(fs);
        return deja_fail(err, DEJA_ENOMEM, "start run: out of memory");
    }
    fs->flow = f;
    int status = open_pool(fs, err);
    if (status < 0) {
        functions_close(fs);
        return status;
    }
    f->functions = fs;
    return 0;
}

/* ---- calls ---- */

/* The whole milliseconds of a timeout, as many as the pool takes. */
static int64_t timeout_ms(const active *a)
{
    const int64_t most = INT64_MAX / DEJA_MS_NS / 2;
    int64_t ns = active_timeout_ns(a), ms = ns / DEJA_MS_NS + (ns % DEJA_MS_NS > 0);
    return ms < most ? ms : most;
}

static int define(functions *fs, const active *a, deja_pool_function **ret, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    const char *symbol = a->job.def->symbol;
    deja_path_join(&path, fs->flow->batch->folder, a->job.library);
    if (path.failed)
        return deja_fail(err, DEJA_ENOMEM, "call '%s': out of memory", symbol);
    const deja_pool_function_options options = {.size = sizeof options,
                                                .name = symbol,
                                                .library = path.data,
                                                .symbol = symbol,
                                                .capture = 1,
                                                .timeout_ms = timeout_ms(a)};
    return deja_pool_define(fs->pool, &options, ret, err);
}

int functions_start(active *a, deja_error *err)
{
    functions *fs = a->flow->functions;
    deja_pool_function **f = &fs->of[a->job.def->number];
    int status = *f && deja_pool_is_current(*f) ? 0 : define(fs, a, f, err);
    if (status == 0)
        status = deja_pool_submit(fs->pool, *f, a->job.args, a->job.arg_count, a, &a->task, err);
    if (status < 0)
        return status;
    a->started_ns = deja_wall_ns(NULL);
    fs->running++;
    return 0;
}

static int read_small(deja_captured *c)
{
    char *data = deja_realloc(NULL, (size_t)c->len + 1);
    if (!data)
        return DEJA_ENOMEM;
    ssize_t n = deja_file_read_at(c->fd, data, (size_t)c->len, 0);
    if (n < 0 || (uint64_t)n != c->len) {
        deja_free(data);
        return DEJA_EIO;
    }
    data[n] = '\0';
    deja_cleanup_close(&c->fd);
    c->data = data;
    c->fd = -1;
    return 0;
}

/* Takes `fd`. Where there is none, for want of descriptors, what was written went elsewhere. */
static deja_captured take_stream(int fd)
{
    struct stat st;
    deja_captured c = {.fd = fd};
    if (fd < 0 || fstat(fd, &st) < 0) {
        c.error = DEJA_ERESOURCE;
        c.sys_errno = EMFILE;
        return c;
    }
    c.len = (uint64_t)st.st_size;
    if (c.len == 0) {
        deja_cleanup_close(&c.fd);
        c.fd = -1;
    } else if (c.len <= SMALL_BYTES && read_small(&c) < 0) {
        c.error = DEJA_EIO;
    }
    return c;
}

/* The second signal kills workers whatever they are at, also before they could be told. */
static int was_ended(const functions *fs, const deja_task_outcome *o)
{
    int ending = fs->flow->ending;
    return (ending > 0 && o->code == DEJA_ECANCELED) || (ending > 1 && o->signal == SIGKILL);
}

int functions_next(functions *fs, deja_outcome *ret)
{
    deja_task_outcome o;
    if (deja_pool_take(fs->pool, &o, 1) == 0)
        return 0;
    active *a = o.user;
    fs->running--;
    a->product = o.product;
    a->why = o.text;
    *ret = (deja_outcome){.user = a,
                          .status = o.code == 0 ? 0 : -1,
                          .signal = o.signal,
                          .terminated = was_ended(fs, &o),
                          .timed_out = o.code == DEJA_ETIMEDOUT,
                          .wall_ns = o.wall_ns,
                          .cpu_ns = o.cpu_ns > 0 ? o.cpu_ns : 0,
                          .out = take_stream(o.out_fd),
                          .err = take_stream(o.err_fd)};
    return 1;
}

size_t functions_running(const functions *fs)
{
    return fs ? fs->running : 0;
}

int functions_fd(functions *fs)
{
    return functions_running(fs) ? deja_pool_fd(fs->pool, NULL) : -1;
}

/* ---- signals ---- */

/* To the groups of all workers; the first pid is not one. */
static void signal_workers(functions *fs, int sig)
{
    int64_t pids[MOST_PIDS];
    size_t count = deja_pool_pids(fs->pool, pids, MOST_PIDS);
    for (size_t i = 1; i < count && i < MOST_PIDS; i++)
        kill((pid_t)-pids[i], sig);
}

void functions_stop(functions *fs, int kill)
{
    for (active *a = fs->flow->busy.first; a; a = a->next)
        if (a->stage == RUNNING && a->job.library)
            deja_pool_cancel(fs->pool, a->task, 1);
    if (kill)
        signal_workers(fs, SIGKILL);
}

void functions_pass_on(functions *fs, int sig)
{
    deja_pool_hold(fs->pool, sig == SIGTSTP);
    signal_workers(fs, sig == SIGTSTP ? SIGSTOP : sig);
}

void functions_close(functions *fs)
{
    if (!fs)
        return;
    deja_pool_close(fs->pool);
    deja_free(fs->of);
    deja_free(fs);
}
