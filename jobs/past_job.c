/* The jobs of a run, as its record has them: see past_run.h. */
#include "json_read.h"
#include "past_run.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
    LINE_BYTES = 64 << 20, /* of one line at most: longer ones are passed over */
    CHUNK_BYTES = 1 << 18,
    HIT_HEADER = 16,
    HIT_BYTES = 24,
};

/* ---- jobs.jsonl ---- */

static void read_label(json_reader *r, deja_buffer *params)
{
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    DEJA_AUTO_BUFFER deja_buffer value = {0};
    json_enter(r, '{');
    while (json_next_member(r, &name)) {
        json_take_string(r, &value);
        deja_buffer_addf(params, "%s%s=", params->len ? "," : "[", name.data);
        deja_buffer_add(params, deja_buffer_string(&value), value.len);
    }
    if (params->len)
        deja_buffer_add_char(params, ']');
}

static void read_number(json_reader *r, past_job *j, const char *name)
{
    if (!strcmp(name, "start_ns"))
        j->start_ns = json_take_int(r);
    else if (!strcmp(name, "wall_s"))
        j->wall_ns = json_take_seconds(r);
    else if (!strcmp(name, "cpu_s"))
        j->cpu_ns = json_take_seconds(r);
    else if (!strcmp(name, "peak_rss_bytes"))
        j->peak_rss_bytes = (uint64_t)json_take_int(r);
    else if (!strcmp(name, "stdout_bytes"))
        j->out_bytes = (uint64_t)json_take_int(r);
    else if (!strcmp(name, "stderr_bytes"))
        j->err_bytes = (uint64_t)json_take_int(r);
    else if (!strcmp(name, "output_at"))
        j->output_at = json_take_int(r);
    else if (!strcmp(name, "log"))
        j->log = (unsigned)json_take_int(r);
    else if (!strcmp(name, "signal"))
        j->signal = (int)json_take_int(r);
    else if (!strcmp(name, "status"))
        j->exit_status = json_is_number(r) ? (int)json_take_int(r) : (json_skip(r), -1);
    else
        json_skip(r);
}

static void read_key(json_reader *r, past_job *j)
{
    DEJA_AUTO_BUFFER deja_buffer hex = {0};
    json_take_string(r, &hex);
    j->keyed = hex.len == DEJA_HASH_HEX - 1 && deja_hash_parse(&j->key, hex.data) == 0;
}

/* 1 when the line is a whole one. */
static int read_job(past_job *j, const char *line, size_t len)
{
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    DEJA_AUTO_BUFFER deja_buffer word = {0};
    json_reader r = {.at = line, .end = line + len};
    deja_buffer_clear(&j->label);
    deja_buffer_clear(&j->job);
    deja_buffer_clear(&j->reason);
    *j =
        (past_job){.label = j->label, .job = j->job, .reason = j->reason, .output_at = -1, .exit_status = -1};
    json_enter(&r, '{');
    while (json_next_member(&r, &name)) {
        if (!strcmp(name.data, "event")) {
            json_take_string(&r, &word);
            j->failed = !strcmp(deja_buffer_string(&word), "failed");
        } else if (!strcmp(name.data, "job"))
            json_take_string(&r, &j->job);
        else if (!strcmp(name.data, "params")) {
            deja_buffer_clear(&word);
            read_label(&r, &word);
        } else if (!strcmp(name.data, "key"))
            read_key(&r, j);
        else if (!strcmp(name.data, "reason") || !strcmp(name.data, "not_kept"))
            json_take_string(&r, &j->reason);
        else
            read_number(&r, j, name.data);
        if (!strcmp(name.data, "params")) {
            deja_buffer_add(&j->label, deja_buffer_string(&j->job), j->job.len);
            deja_buffer_add(&j->label, deja_buffer_string(&word), word.len);
        }
    }
    return !r.failed && j->label.len > 0;
}

/* The whole lines in a buffer. Returns how many bytes they take. */
static size_t read_lines(past_job *line, const deja_buffer *b, int (*each)(void *, const past_job *),
                         void *context, int *ret_stop)
{
    size_t at = 0;
    const char *end;
    while (!*ret_stop && at < b->len && (end = memchr(b->data + at, '\n', b->len - at))) {
        size_t len = (size_t)(end - b->data) - at;
        if (read_job(line, b->data + at, len))
            *ret_stop = each(context, line);
        at += len + 1;
    }
    return at;
}

int past_run_jobs(const past_run *r, int (*each)(void *context, const past_job *j), void *context)
{
    DEJA_AUTO_CLOSE int fd = openat(r->fd, "jobs.jsonl", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    past_job line = {0};
    int stop = 0;
    uint64_t at = 0;
    for (ssize_t n; fd >= 0 && !stop; at += (uint64_t)n) {
        char *room = deja_buffer_reserve(&b, CHUNK_BYTES);
        n = room ? deja_file_read_at(fd, room, CHUNK_BYTES, at) : 0;
        if (n <= 0)
            break;
        b.len += (size_t)n;
        size_t used = read_lines(&line, &b, each, context, &stop);
        used = b.len - used > LINE_BYTES ? b.len : used;
        memmove(b.data, b.data + used, b.len - used);
        b.len -= used;
    }
    deja_buffer_done(&line.label);
    deja_buffer_done(&line.job);
    deja_buffer_done(&line.reason);
    return stop;
}

/* ---- hits.bin ---- */

/* The number of the job of that name; -1: there was none. */
static int64_t number_of(const past_run *r, const char *name)
{
    const char *at = r->names.data;
    for (size_t i = 0; i < r->name_count; i++, at += strlen(at) + 1)
        if (!strcmp(at, name))
            return (int64_t)i;
    return -1;
}

int past_run_hit(const past_run *r, const char *name, uint32_t index, deja_hash *ret)
{
    DEJA_AUTO_CLOSE int fd = openat(r->fd, "hits.bin", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    unsigned char header[HIT_HEADER], items[HIT_BYTES * 1024];
    const int64_t number = number_of(r, name);
    if (fd < 0 || number < 0 || deja_file_read_at(fd, header, sizeof header, 0) != HIT_HEADER ||
        memcmp(header, "dejahits\1\0\0\0", 12) != 0)
        return 0;
    ssize_t n;
    for (uint64_t at = HIT_HEADER; (n = deja_file_read_at(fd, items, sizeof items, at)) > 0;
         at += (uint64_t)n) {
        deja_reader in = {.data = items, .len = (size_t)n};
        while (in.len - in.at >= HIT_BYTES) {
            uint32_t job_number = deja_read_u32(&in), job_index = deja_read_u32(&in);
            const void *key = deja_read_bytes(&in, sizeof ret->byte);
            if (job_number != (uint32_t)number || job_index != index)
                continue;
            memcpy(ret->byte, key, sizeof ret->byte);
            return 1;
        }
        if (n % HIT_BYTES)
            break;
    }
    return 0;
}

/* ---- output ---- */

void past_run_log(const past_run *r, const past_job *j, int which, deja_buffer *b)
{
    char prefix[16];
    int len = snprintf(prefix, sizeof prefix, "%04u-", j->log);
    DIR *dir = NULL;
    int fd = j->log ? openat(r->fd, "log", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd >= 0 && !(dir = fdopendir(fd)))
        close(fd);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        size_t n = strlen(e->d_name);
        if (strncmp(e->d_name, prefix, (size_t)len) != 0 || n < 4 ||
            strcmp(e->d_name + n - 4, which ? ".err" : ".out") != 0)
            continue;
        deja_buffer_addf(b, "log/%s", e->d_name);
        break;
    }
    if (dir)
        closedir(dir);
}

int past_run_output(const past_run *r, const past_job *j, int which, uint64_t *ret_at)
{
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    struct stat st;
    if (j->output_at >= 0)
        deja_buffer_add_string(&path, "output");
    else
        past_run_log(r, j, which, &path);
    if (!path.len || path.failed)
        return -1;
    DEJA_AUTO_CLOSE int fd = openat(r->fd, path.data, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    uint64_t at = j->output_at < 0 ? 0 : (uint64_t)j->output_at + (which ? j->out_bytes : 0);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
        (uint64_t)st.st_size < at + (which ? j->err_bytes : j->out_bytes))
        return -1;
    *ret_at = at;
    return deja_take_fd(fd);
}
