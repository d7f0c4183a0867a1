/*
 * A text without shell syntax is executed directly: a shell in between would double the cost of a small job.
 */
#include "launch.h"
#include "discovered.h"
#include "environment.h"
#include "feed.h"
#include "functions.h"
#include "held_list.h"
#include "launch_size.h"
#include "outputs.h"
#include "resources.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void launch_find_program(active *a)
{
    flow *f = a->flow;
    deja_buffer_clear(&a->program);
    if (a->job.program)
        programs_find(&f->programs, f->batch->folder_fd, a->job.program,
                      environment_path(&a->job, f->options.environment), a->job.cwd, &a->program);
}

/* For streams that outgrow the memory: the file that becomes the blob. */
static int spool(void *context, deja_error *err)
{
    flow *f = context;
    return deja_cache_stage(f->options.cache, err);
}

/* Descriptors that the cache needs to read and write results while jobs run; of a low limit a quarter. */
static uint32_t reserve_of_descriptors(void)
{
    enum { MOST = 24 };
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < MOST ? (uint32_t)limit.rlim_cur / 4
                                                                              : MOST;
}

/* What the cache opens when it keeps the first result, a job, and some to spare: with fewer the first job
 * would run and the others fail. */
int launch_check_descriptors(deja_error *err)
{
    enum { NEEDED = 16 };
    struct rlimit limit;
    DEJA_AUTO_CLOSE int lowest = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if ((lowest < 0 && errno != EMFILE) || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    if (lowest >= 0 && (rlim_t)lowest + NEEDED <= limit.rlim_cur)
        return 0;
    errno = EMFILE;
    deja_fail_errno(err, "the limit of descriptors is %llu, too low to run jobs ('ulimit -n 1024' raises it)",
                    (unsigned long long)limit.rlim_cur);
    err->code = DEJA_ERESOURCE;
    return DEJA_ERESOURCE;
}

static void show_output(void *context, void *user, int stream, const char *data, uint64_t len)
{
    flow_event event = active_event(user, FLOW_OUTPUT);
    const flow_bytes bytes = {.data = data, .len = len, .fd = -1};
    *(stream ? &event.err : &event.out) = bytes;
    active_tell(context, &event);
}

static int open_runner(flow *f, deja_error *err)
{
    if (launch_check_descriptors(err) < 0)
        return err->code;
    deja_runner_options options = {.size = sizeof options,
                                   .owns_children = 1,
                                   .run_id = f->options.run_id,
                                   .outer_run = environment_get(f->options.environment, "DEJA_RUN"),
                                   .spool = f->options.cache ? spool : NULL,
                                   .spool_context = f,
                                   .output = f->options.live ? show_output : NULL,
                                   .output_context = f,
                                   .trace = f->options.trace,
                                   .signal_mask = f->options.signal_mask,
                                   .job_descriptors = f->options.job_descriptors,
                                   .grace_ms = f->options.grace_ms,
                                   .reserve_fds = reserve_of_descriptors()};
    return deja_runner_open(&f->runner, &options, err);
}

/* Claims are listed up to here; a string of the environment can have 128 KiB (execve(2)). */
enum { CLAIMS_MOST = 1000 };

static void add_claim(deja_buffer *list, const deja_hash *what)
{
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(what, hex);
    deja_buffer_addf(list, "%s%s", list->len ? "," : "", hex);
}

/* What a deja inside the job need not wait for: the claims of this job and of all around it, and which jobs
 * these are. "*" in front: there are more claims than can be listed, and it need not wait for any. */
static void list_claims(active *a, deja_buffer *ret)
{
    const char *outer = environment_get(a->flow->options.environment, "DEJA_CLAIMS");
    size_t outer_count = outer ? strlen(outer) / DEJA_HASH_HEX : 0;
    int too_many = outer_count + a->job.output_count > CLAIMS_MOST;
    deja_hash identity = active_identity(a);
    if (too_many && (!outer || outer[0] != '*'))
        deja_buffer_add_string(ret, outer && outer_count < CLAIMS_MOST ? "*," : "*");
    if (outer && outer_count < CLAIMS_MOST)
        deja_buffer_add_string(ret, outer);
    add_claim(ret, &identity);
    if (too_many || (outer && outer[0] == '*'))
        return;
    if (a->keyed)
        add_claim(ret, &a->key);
    for (size_t i = 0; i < a->output_claim_count; i++)
        add_claim(ret, &a->output_claims[i]);
}

static int find_shell(active *a, deja_buffer *file, deja_error *err)
{
    const char *path = environment_path(&a->job, a->flow->options.environment);
    DEJA_AUTO_BUFFER deja_buffer found = {0};
    if (!reads_find_program(a->flow->batch->folder_fd, a->job.shell[0], path, a->job.cwd, &found))
        return deja_fail(err, DEJA_ENOTFOUND,
                         "its shell '%s' is not found: install it, or name another under 'shell'",
                         a->job.shell[0]);
    deja_path_follow(file, a->flow->batch->folder, found.data);
    return 0;
}

/* bash first reads BASH_ENV, takes options and has functions from the environment: then only bash does what
 * bash would do. */
static int is_plain_shell(const char *const *env, const char *word)
{
    static const char *const changes[] = {"BASH_ENV=", "SHELLOPTS=", "BASHOPTS="};
    size_t len = strlen(word);
    for (; *env; env++) {
        for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
            if (strncmp(*env, changes[i], strlen(changes[i])) == 0)
                return 0;
        if (strncmp(*env, "BASH_FUNC_", 10) == 0 && strncmp(*env + 10, word, len) == 0 &&
            strncmp(*env + 10 + len, "%%=", 3) == 0)
            return 0;
    }
    return 1;
}

/*
 * The words themselves where a shell would do nothing but execute them; else the shell, which says in its own
 * words what it does not find. A word of an argv with a slash is tried as it is: the kernel says what is
 * wrong with it.
 */
static int choose_file(active *a, const char *const *env, const char *const **ret_argv, deja_buffer *file,
                       deja_error *err)
{
    const job *j = &a->job;
    *ret_argv = j->argv;
    if (a->program.len && j->argv) {
        deja_path_follow(file, a->flow->batch->folder, a->program.data);
        if (!j->shell || (is_plain_shell(env, j->argv[0]) &&
                          programs_is_native(&a->flow->programs, deja_buffer_string(file))))
            return 0;
        deja_buffer_clear(file);
    }
    if (j->shell) {
        *ret_argv = j->shell;
        return find_shell(a, file, err);
    }
    if (!strchr(j->argv[0], '/'))
        return deja_fail(err, DEJA_ENOTFOUND, "execute '%s': not found in PATH", j->argv[0]);
    deja_buffer_add_string(file, j->argv[0]);
    return 0;
}

static int start_process(active *a, int stdin_fd, deja_error *err)
{
    flow *f = a->flow;
    DEJA_AUTO_BUFFER deja_buffer file = {0};
    DEJA_AUTO_BUFFER deja_buffer cwd = {0};
    DEJA_AUTO_BUFFER deja_buffer claims = {0};
    DEJA_AUTO_BUFFER deja_buffer gpus = {0};
    deja_command command = {.stdin_fd = stdin_fd,
                            .user = a,
                            .timeout_ns = active_timeout_ns(a),
                            .memory_bytes = a->job.def->memory_bytes,
                            .nice = active_nice(a)};
    deja_path_join(&cwd, f->batch->folder, a->job.cwd);
    list_claims(a, &claims);
    resources_gpus(a, &gpus);
    command.cwd = deja_buffer_string(&cwd);
    const environment_own own = {.cwd = command.cwd,
                                 .claims = claims.len ? claims.data : NULL,
                                 .threads = resources_cpus(a),
                                 .gpus = gpus.len ? gpus.data : NULL};
    int status = environment_build(&command.env, &a->job, f->options.environment, &own, err);
    if (status == 0)
        status = choose_file(a, command.env, &command.argv, &file, err);
    if (status < 0)
        return status;
    if (file.failed || cwd.failed || claims.failed || gpus.failed)
        return deja_fail(err, DEJA_ENOMEM, "start job: out of memory");
    if (launch_check_size(&a->job, command.argv, command.env, err) < 0 || held_lists_write(a, err) < 0)
        return err->code;
    command.file = deja_buffer_string(&file);
    a->started_ns = deja_wall_ns(NULL);
    return deja_runner_start(f->runner, &command, err);
}

/* A fifo without a writer would not open, a terminal could become ours. */
static int open_stdin(const active *a, int *ret, deja_error *err)
{
    struct stat st;
    const char *path = a->job.stdin_path;
    int fd = openat(a->flow->batch->folder_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    *ret = fd;
    if (fd < 0 || fstat(fd, &st) < 0 || fcntl(fd, F_SETFL, 0) < 0)
        return deja_fail_errno(err, "open standard input '%s'", path);
    if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
        return deja_fail(err, DEJA_ETYPE, "standard input '%s' is neither a file nor a link to one", path);
    return 0;
}

/* What was cut for it, from the first byte on. */
static int share_block(const feed_row *row, int *ret, deja_error *err)
{
    *ret = fcntl(row->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return *ret < 0 || lseek(*ret, 0, SEEK_SET) < 0 ? deja_fail_errno(err, "open its standard input") : 0;
}

int launch_start(active *a, int *ret_status, deja_error *err)
{
    flow *f = a->flow;
    DEJA_AUTO_CLOSE int in = -1;
    *ret_status = -1;
    int status = f->runner || a->job.library ? 0 : open_runner(f, err);
    if (status == 0)
        status = outputs_prepare(&a->job, a->reads.items, a->reads.count, err);
    if (status < 0)
        return status;
    if (a->job.stdin_path)
        status = open_stdin(a, &in, err);
    else if (a->job.row && a->job.row->fd >= 0)
        status = share_block(a->job.row, &in, err);
    if (a->keyed)
        a->way = reads_way(&a->reads, f->batch->folder_fd);
    if (a->job.def->depfile)
        a->since_ns = discovered_since_ns(f);
    if (a->job.library && status == 0)
        status = held_lists_write(a, err);
    if (a->job.library)
        return status < 0 ? status : functions_start(a, err);
    if (status == 0)
        status = start_process(a, in, err);
    if (status == DEJA_ENOTFOUND)
        *ret_status = 127;
    return status;
}
