/*
 * The table is open addressing with linear probing at a load of at most 3/4.
 */
#include "outputs.h"
#include "glob.h"
#include "way.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct outputs_slot {
    uint64_t hash; /* of the path */
    uint32_t job;  /* number + 1, so that 0 is a free slot */
    uint32_t index;
};

uint64_t outputs_path_hash(const char *path)
{
    return deja_hash64(path, strlen(path));
}

int outputs_index_has(const outputs_index *x, uint64_t hash, int64_t maker)
{
    if (x->cap == 0)
        return 0;
    for (size_t at = hash & (x->cap - 1); x->slots[at].job; at = (at + 1) & (x->cap - 1))
        if (x->slots[at].hash == hash && (maker < 0 || x->slots[at].job == maker + 1))
            return 1;
    return 0;
}

static int grow_index(outputs_index *x, deja_error *err)
{
    if (x->count * 4 < x->cap * 3)
        return 0;
    size_t cap = x->cap ? x->cap * 2 : 256;
    struct outputs_slot *slots = deja_calloc(cap, sizeof *slots);
    if (!slots)
        return deja_fail(err, DEJA_ENOMEM, "index of outputs: out of memory");
    for (size_t i = 0; i < x->cap; i++) {
        if (!x->slots[i].job)
            continue;
        size_t at = x->slots[i].hash & (cap - 1);
        while (slots[at].job)
            at = (at + 1) & (cap - 1);
        slots[at] = x->slots[i];
    }
    deja_free(x->slots);
    x->slots = slots;
    x->cap = cap;
    return 0;
}

/* 1 when the instance of a slot really makes `path`. */
static int makes(const struct outputs_slot *slot, const batch *b, const char *path, deja_error *err)
{
    job other = {0};
    int status = job_render(&other, b, &b->jobs[slot->job - 1], slot->index, JOB_OUTPUTS, err);
    for (size_t i = 0; status == 0 && i < other.output_count; i++)
        if (strcmp(other.outputs[i].path, path) == 0)
            status = 1;
    job_done(&other);
    return status;
}

int outputs_index_find(const outputs_index *x, const batch *b, const char *path, uint32_t *ret_job,
                       uint32_t *ret_index, deja_error *err)
{
    if (x->cap == 0)
        return 0;
    uint64_t hash = outputs_path_hash(path);
    for (size_t at = hash & (x->cap - 1); x->slots[at].job; at = (at + 1) & (x->cap - 1)) {
        if (x->slots[at].hash != hash)
            continue;
        int status = makes(&x->slots[at], b, path, err);
        if (status == 0)
            continue;
        *ret_job = x->slots[at].job - 1;
        *ret_index = x->slots[at].index;
        return status;
    }
    return 0;
}

static int fail_twice(const batch *b, const job *j, const job_output *out, uint32_t job_number,
                      uint32_t index, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer mine = {0}, other = {0};
    job_name(&mine, j->def, j->index);
    job_name(&other, &b->jobs[job_number], index);
    return source_fail(&b->source, out->at, err, "'%s' and '%s' both make '%s': give each its own output",
                       deja_buffer_string(&other), deja_buffer_string(&mine), out->path);
}

static int is_below(const char *folder, const char *path)
{
    size_t len = strlen(folder);
    if (strcmp(folder, ".") == 0 || strcmp(folder, "/") == 0)
        return 1;
    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

int outputs_match(const job_input *in, const char *path)
{
    if ((in->path[0] == '/') != (path[0] == '/'))
        return 0;
    return in->pattern  ? glob_match(in->path, path)
           : in->folder ? is_below(in->path, path)
                        : strcmp(in->path, path) == 0;
}

/* Paths are relative where they lie in the batch's folder, but a pattern or a folder around that is not. */
static int is_read_by(const job *j, const job_input *in, const char *path)
{
    if (in->path[0] != '/' || path[0] == '/')
        return outputs_match(in, path);
    DEJA_AUTO_BUFFER deja_buffer full = {0};
    deja_path_join(&full, j->batch->folder, path);
    return outputs_match(in, deja_buffer_string(&full));
}

static int fail_own(const job *j, const char *path, deja_error *err)
{
    size_t i = 0;
    while (i + 1 < j->output_count && strcmp(j->outputs[i].path, path) != 0)
        i++;
    return source_fail(&j->batch->source, j->outputs[i].at, err, "output '%s' is also an input of '%s'", path,
                       j->def->name);
}

static int check_name(const outputs_index *x, const job *j, const char *path, deja_error *err)
{
    uint32_t maker, index;
    int status = outputs_index_find(x, j->batch, path, &maker, &index, err);
    return status > 0 && maker == j->def->number && index == j->index ? fail_own(j, path, err)
           : status < 0                                               ? status
                                                                      : 0;
}

int outputs_check_inputs(const outputs_index *x, const job *j, deja_error *err)
{
    int status = j->stdin_path ? check_name(x, j, j->stdin_path, err) : 0;
    for (size_t i = 0; status == 0 && i < j->input_count; i++) {
        const job_input *in = &j->inputs[i];
        if (!in->pattern && !in->folder)
            status = check_name(x, j, in->path, err);
        for (size_t k = 0; status == 0 && (in->pattern || in->folder) && k < j->output_count; k++)
            if (is_read_by(j, in, j->outputs[k].path))
                status = fail_own(j, j->outputs[k].path, err);
    }
    return status;
}

int outputs_index_add(outputs_index *x, const batch *b, const job *j, deja_error *err)
{
    for (size_t i = 0; i < j->output_count; i++) {
        const job_output *out = &j->outputs[i];
        uint32_t job_number, index;
        int status = outputs_index_find(x, b, out->path, &job_number, &index, err);
        if (status != 0)
            return status < 0 ? status : fail_twice(b, j, out, job_number, index, err);
        status = grow_index(x, err);
        if (status < 0)
            return status;
        uint64_t hash = outputs_path_hash(out->path);
        size_t at = hash & (x->cap - 1);
        while (x->slots[at].job)
            at = (at + 1) & (x->cap - 1);
        x->slots[at] = (struct outputs_slot){.hash = hash, .job = j->def->number + 1, .index = j->index};
        x->count++;
    }
    return 0;
}

void outputs_index_done(outputs_index *x)
{
    deja_free(x->slots);
    *x = (outputs_index){0};
}

/* As much of the path's folder as is there becomes what it really is; the rest is yet to be made. */
static void add_real(deja_buffer *ret, char *path)
{
    char real[PATH_MAX];
    size_t len = strlen(path), at = len;
    while (at > 1) {
        char *slash = memrchr(path, '/', at);
        if (!slash || slash == path)
            break;
        *slash = '\0';
        const char *found = realpath(path, real);
        *slash = '/';
        at = (size_t)(slash - path);
        if (found) {
            deja_buffer_add_string(ret, found[1] ? found : "");
            deja_buffer_add(ret, slash, len - at);
            return;
        }
    }
    deja_buffer_add(ret, path, len);
}

deja_hash outputs_claim(const batch *b, const char *path)
{
    DEJA_AUTO_BUFFER deja_buffer full = {0}, text = {0};
    deja_path_join(&full, b->folder, path);
    deja_buffer_add_string(&text, "output:");
    if (full.len)
        add_real(&text, full.data);
    return deja_hash_bytes(deja_buffer_string(&text), text.len);
}

static int remove_old(const job *j, const char *path, deja_error *err)
{
    if (unlinkat(j->batch->folder_fd, path, 0) == 0 || errno == ENOENT)
        return 0;
    struct stat st;
    int unlink_errno = errno;
    if (fstatat(j->batch->folder_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return deja_fail(err, DEJA_EEXIST, "output '%s': a folder of this name is in the way", path);
    errno = unlink_errno;
    return deja_fail_errno(err, "remove old output '%s'", path);
}

static uint64_t add_stat(uint64_t stamp, const struct stat *st)
{
    uint64_t values[] = {stamp,
                         (uint64_t)st->st_dev,
                         (uint64_t)st->st_ino,
                         (uint64_t)st->st_size,
                         (uint64_t)st->st_mtim.tv_sec,
                         (uint64_t)st->st_mtim.tv_nsec,
                         (uint64_t)st->st_ctim.tv_sec,
                         (uint64_t)st->st_ctim.tv_nsec};
    return deja_hash64(values, sizeof values);
}

/* Folders change with every file that is made in them: of one that a link leads to, only which one it is. */
static uint64_t add_target(uint64_t stamp, int dirfd, const char *path)
{
    struct stat st = {0};
    (void)fstatat(dirfd, path, &st, 0);
    if (S_ISDIR(st.st_mode))
        st = (struct stat){.st_dev = st.st_dev, .st_ino = st.st_ino};
    return add_stat(stamp, &st);
}

uint64_t outputs_stamp(const job *j)
{
    uint64_t stamp = 0;
    way w = {.dirfd = j->batch->folder_fd};
    for (size_t i = 0; i < j->output_count; i++) {
        struct stat st = {0};
        const char *path = j->outputs[i].path;
        (void)fstatat(j->batch->folder_fd, path, &st, AT_SYMLINK_NOFOLLOW);
        stamp = add_stat(stamp, &st);
        if (S_ISLNK(st.st_mode))
            stamp = add_target(stamp, j->batch->folder_fd, path);
        if (S_ISLNK(st.st_mode) || strchr(path, '/'))
            way_add(&w, path);
    }
    uint64_t both[] = {stamp, way_end(&w)};
    return deja_hash64(both, sizeof both);
}

/* An output that is there from an earlier run. */
typedef struct old_output {
    dev_t device;
    ino_t inode;
    const char *path;
} old_output;

static int compare_old(const void *a, const void *b)
{
    const old_output *x = a, *y = b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* How many of its outputs are there; `ret` has room for all. */
static size_t list_old(const job *j, old_output *ret)
{
    size_t count = 0;
    struct stat st;
    for (size_t i = 0; i < j->output_count; i++)
        if (fstatat(j->batch->folder_fd, j->outputs[i].path, &st, AT_SYMLINK_NOFOLLOW) == 0)
            ret[count++] = (old_output){st.st_dev, st.st_ino, j->outputs[i].path};
    if (count > 1)
        qsort(ret, count, sizeof *ret, compare_old);
    return count;
}

/* Is an old output what one of `reads` leads to? Then removing it would remove an input. */
static int check_old(const job *j, const deja_digest_item *reads, size_t read_count, deja_error *err)
{
    DEJA_AUTO_FREE old_output *old = deja_calloc(j->output_count + 1, sizeof *old);
    if (!old)
        return deja_fail(err, DEJA_ENOMEM, "old outputs: out of memory");
    size_t count = list_old(j, old);
    for (size_t i = 0; count > 0 && i < read_count; i++) {
        struct stat st;
        int flags = reads[i].flags & DEJA_DIGEST_NO_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
        if (fstatat(j->batch->folder_fd, reads[i].path, &st, flags) < 0)
            continue;
        const old_output key = {.device = st.st_dev, .inode = st.st_ino};
        const old_output *same = bsearch(&key, old, count, sizeof *old, compare_old);
        if (same)
            return deja_fail(err, DEJA_EINVAL,
                             "output '%s' is the same file as '%s', which it reads: it was left alone",
                             same->path, reads[i].path);
    }
    return 0;
}

int outputs_prepare(const job *j, const deja_digest_item *reads, size_t read_count, deja_error *err)
{
    int refused = j->output_count > 0 ? check_old(j, reads, read_count, err) : 0;
    if (refused < 0)
        return refused;
    for (size_t i = 0; i < j->output_count; i++) {
        const char *path = j->outputs[i].path;
        int status = remove_old(j, path, err);
        if (status == 0 && strchr(path, '/'))
            status = deja_file_make_parents(j->batch->folder_fd, path, 0777, err);
        if (status < 0)
            return status;
    }
    return 0;
}

int outputs_check(const job *j, deja_error *err)
{
    for (size_t i = 0; i < j->output_count; i++) {
        const char *path = j->outputs[i].path;
        struct stat st;
        if (fstatat(j->batch->folder_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT)
                return deja_fail(err, DEJA_ENOTFOUND, "it did not make its output '%s'", path);
            return deja_fail_errno(err, "output '%s'", path);
        }
        if (S_ISDIR(st.st_mode))
            return deja_fail(err, DEJA_ETYPE,
                             "its output '%s' is a folder: outputs are files, name each of them", path);
        if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
            return deja_fail(err, DEJA_ETYPE, "its output '%s' is neither a file nor a link", path);
    }
    return 0;
}

void outputs_remove(const job *j)
{
    for (size_t i = 0; i < j->output_count; i++)
        unlinkat(j->batch->folder_fd, j->outputs[i].path, 0);
}
