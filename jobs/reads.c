/*
 * Patterns and folders are listed anew for each job: a list kept from an earlier job could miss a file.
 */
#include "reads.h"
#include "glob.h"
#include "way.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define EXECUTABLE_BITS 0111u

struct reads_folder {
    dev_t device;
    ino_t inode;
};

static int out_of_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "list of inputs: out of memory");
}

static int add_item(reads *r, const char *path, uint32_t flags, deja_error *err)
{
    deja_digest_item *items = deja_grow(r->items, r->count, &r->cap, sizeof *items);
    if (!items)
        return out_of_memory(err);
    r->items = items;
    items[r->count++] = (deja_digest_item){.path = path, .flags = flags};
    return 0;
}

static int add_empty(reads *r, const char *path, deja_error *err)
{
    const char **empty = deja_grow(r->empty, r->empty_count, &r->empty_cap, sizeof *empty);
    if (!empty)
        return out_of_memory(err);
    r->empty = empty;
    empty[r->empty_count++] = path;
    return 0;
}

static int is_output(const job *j, const char *path)
{
    for (size_t i = 0; i < j->output_count; i++)
        if (strcmp(j->outputs[i].path, path) == 0)
            return 1;
    return 0;
}

/* 1 when the folder that `st` is of was not followed before. */
static int follow(reads *r, const struct stat *st, deja_error *err)
{
    for (size_t i = 0; i < r->followed_count; i++)
        if (r->followed[i].device == st->st_dev && r->followed[i].inode == st->st_ino)
            return 0;
    struct reads_folder *more = deja_grow(r->followed, r->followed_count, &r->followed_cap, sizeof *more);
    if (!more)
        return out_of_memory(err);
    r->followed = more;
    more[r->followed_count++] = (struct reads_folder){st->st_dev, st->st_ino};
    return 1;
}

/*
 * What was found in a folder or by a pattern: a link to a file counts by the file; one that leads to nothing
 * by its own text; one to a folder by its text and by what is in the folder, which goes to `ret_folder` to be
 * listed.
 */
static int add_path(reads *r, job *j, const char *path, unsigned char type, const char **ret_folder,
                    deja_error *err)
{
    struct stat st = {0};
    const char *copy = deja_arena_dup(&j->arena, path, strlen(path));
    *ret_folder = NULL;
    if (!copy)
        return out_of_memory(err);
    if (type == GLOB_FOLDER)
        return add_empty(r, copy, err);
    int leads = type != GLOB_LINK || fstatat(j->batch->folder_fd, path, &st, 0) == 0;
    int status = add_item(
        r, copy, type == GLOB_LINK && !(leads && S_ISREG(st.st_mode)) ? DEJA_DIGEST_NO_FOLLOW : 0, err);
    if (status == 0 && type == GLOB_LINK && leads && S_ISDIR(st.st_mode))
        status = follow(r, &st, err);
    if (status == 1)
        *ret_folder = copy;
    return status < 0 ? status : 0;
}

static int add_found(reads *r, job *j, const glob_list *list, const char *what, deja_error *err);

/* All files below a folder, and below the folders that links in it lead to. */
static int add_folder(reads *r, job *j, const char *path, deja_error *err)
{
    glob_list list = {0};
    int status = glob_tree(j->batch->folder_fd, path, &list, err);
    if (status < 0)
        deja_fail_in(err, "input '%s/'", path);
    else
        status = add_found(r, j, &list, path, err);
    glob_list_done(&list);
    return status;
}

static int add_found(reads *r, job *j, const glob_list *list, const char *what, deja_error *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < list->count; i++) {
        const char *path = deja_path_inside(j->batch->folder, list->paths[i]), *linked;
        if (list->types[i] == GLOB_SPECIAL)
            return deja_fail(err, DEJA_ETYPE, "input '%s': '%s' is neither a file nor a link", what, path);
        if (is_output(j, path))
            return deja_fail(err, DEJA_EINVAL, "output '%s' is also an input, by '%s'", path, what);
        status = add_path(r, j, path, list->types[i], &linked, err);
        if (status == 0 && linked)
            status = add_folder(r, j, linked, err);
    }
    return status;
}

static int add_pattern(reads *r, job *j, const char *pattern, deja_error *err)
{
    glob_list list = {0};
    int status = glob_find(j->batch->folder_fd, pattern, &list, err);
    if (status < 0)
        deja_fail_in(err, "input '%s'", pattern);
    else if (list.count == 0)
        status = deja_fail(err, DEJA_ENOTFOUND, "input '%s' matches no file", pattern);
    for (size_t i = 0; status == 0 && i < list.count; i++) {
        if (list.types[i] != GLOB_FOLDER)
            continue;
        const char *copy = deja_arena_dup(&j->arena, list.paths[i], strlen(list.paths[i]));
        status = copy ? add_folder(r, j, copy, err) : out_of_memory(err);
    }
    if (status == 0 && list.count > 0 && list.types[0] != GLOB_FOLDER)
        status = add_found(r, j, &list, pattern, err);
    glob_list_done(&list);
    return status;
}

static int compare_items(const void *a, const void *b)
{
    const deja_digest_item *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_inputs(reads *r, size_t first)
{
    if (r->count - first < 2)
        return;
    qsort(r->items + first, r->count - first, sizeof *r->items, compare_items);
    size_t n = first + 1;
    for (size_t i = first + 1; i < r->count; i++)
        if (strcmp(r->items[i].path, r->items[n - 1].path) != 0)
            r->items[n++] = r->items[i];
    r->count = n;
}

int reads_list(reads *ret, job *j, const char *program, deja_error *err)
{
    reads_reset(ret);
    ret->has_program = program != NULL;
    ret->has_library = j->library != NULL;
    ret->has_stdin = j->stdin_path != NULL;
    int status = program ? add_item(ret, program, 0, err) : 0;
    if (status == 0 && ret->has_library)
        status = add_item(ret, j->library, 0, err);
    if (status == 0 && ret->has_stdin)
        status = add_item(ret, j->stdin_path, 0, err);
    size_t first = ret->count;
    for (size_t i = 0; status == 0 && i < j->input_count; i++) {
        const job_input *in = &j->inputs[i];
        if (in->pattern)
            status = add_pattern(ret, j, in->path, err);
        else if (in->folder)
            status = add_folder(ret, j, in->path, err);
        else
            status = add_item(ret, in->path, 0, err);
    }
    sort_inputs(ret, first);
    if (ret->empty_count > 1)
        qsort(ret->empty, ret->empty_count, sizeof *ret->empty, compare_paths);
    return status;
}

int reads_add_lying(reads *r, const char *path, uint32_t flags, deja_error *err)
{
    int status = add_item(r, path, flags, err);
    r->lying += status == 0;
    return status;
}

static const char *kind_of(const reads *r, size_t i)
{
    size_t first = (size_t)r->has_program + (size_t)r->has_library;
    return i >= r->count - r->lying   ? "needed output"
           : r->has_library && i == 0 ? "library"
           : i < first + r->has_stdin ? "standard input"
                                      : "input";
}

static int explain(const deja_digest_item *item, const char *what, deja_error *err)
{
    if (item->sys_errno == ENOENT)
        return deja_fail(err, DEJA_ENOTFOUND, "%s '%s' does not exist", what, item->path);
    if (item->sys_errno == EISDIR && strcmp(what, "input") != 0)
        return deja_fail(err, DEJA_ETYPE, "%s '%s' must be a file, it is a folder", what, item->path);
    if (item->sys_errno == EISDIR)
        return deja_fail(err, DEJA_ETYPE, "%s '%s' is a folder: write '%s/' to mean all files below it", what,
                         item->path, item->path);
    if (item->sys_errno == EINVAL)
        return deja_fail(err, DEJA_ETYPE, "%s '%s' is neither a file nor a link to one", what, item->path);
    if (item->sys_errno == EAGAIN)
        return deja_fail(err, DEJA_ECHANGED, "%s '%s' keeps changing while it is read", what, item->path);
    errno = item->sys_errno;
    return deja_fail_errno(err, "read %s '%s'", what, item->path);
}

int reads_check(const reads *r, deja_error *err)
{
    for (size_t i = r->has_program; i < r->count; i++)
        if (r->items[i].sys_errno)
            return explain(&r->items[i], kind_of(r, i), err);
    return 0;
}

int reads_check_program(const reads *r, deja_error *err)
{
    return r->has_program && r->items[0].sys_errno ? explain(&r->items[0], "program", err) : 0;
}

int reads_probe(reads *r, int dirfd, deja_error *err)
{
    for (size_t i = r->has_program; i < r->count; i++) {
        struct stat st;
        deja_digest_item *item = &r->items[i];
        int flags = item->flags & DEJA_DIGEST_NO_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
        int missing = fstatat(dirfd, item->path, &st, flags) < 0;
        item->sys_errno = missing ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
    }
    return reads_check(r, err);
}

void reads_key_file(deja_key *key, deja_field_tag tag, const deja_digest_item *item)
{
    deja_key_add_content(key, tag, item->path, &item->content);
    if (item->content.kind == DEJA_CONTENT_FILE && item->mode & EXECUTABLE_BITS)
        deja_key_add(key, DEJA_FIELD_EXECUTABLE, item->path, NULL, 0);
}

void reads_key(const reads *r, deja_key *key)
{
    size_t i = 0;
    if (r->has_program)
        deja_key_add_content(key, DEJA_FIELD_PROGRAM, "", &r->items[0].content);
    else if (!r->has_library)
        deja_key_add(key, DEJA_FIELD_PROGRAM, "", NULL, 0);
    i += (size_t)r->has_program + (size_t)r->has_library;
    if (r->has_stdin)
        deja_key_add_content(key, DEJA_FIELD_STDIN, r->items[i].path, &r->items[i].content), i++;
    for (; i < r->count - r->lying; i++)
        reads_key_file(key, DEJA_FIELD_INPUT, &r->items[i]);
    for (i = 0; i < r->empty_count; i++)
        deja_key_add_content(key, DEJA_FIELD_INPUT, r->empty[i],
                             &(deja_content){.kind = DEJA_CONTENT_FOLDER, .hash = deja_hash_bytes("", 0)});
}

const deja_content *reads_content(const reads *r, const char *path)
{
    size_t first = (size_t)r->has_program + (size_t)r->has_library + (size_t)r->has_stdin;
    for (size_t i = first; i < r->count; i++)
        if (strcmp(r->items[i].path, path) == 0)
            return &r->items[i].content;
    return NULL;
}

int reads_same_paths(const reads *a, const reads *b)
{
    if (a->count - a->lying != b->count - b->lying || a->empty_count != b->empty_count)
        return 0;
    for (size_t i = 0; i < a->count - a->lying; i++)
        if (strcmp(a->items[i].path, b->items[i].path) != 0)
            return 0;
    for (size_t i = 0; i < a->empty_count; i++)
        if (strcmp(a->empty[i], b->empty[i]) != 0)
            return 0;
    return 1;
}

uint64_t reads_way(const reads *r, int dirfd)
{
    way w = {.dirfd = dirfd};
    for (size_t i = 0; i < r->count; i++)
        way_add(&w, r->items[i].path);
    for (size_t i = 0; i < r->empty_count; i++)
        way_add(&w, r->empty[i]);
    return way_end(&w);
}

void reads_reset(reads *r)
{
    r->count = r->lying = r->empty_count = r->followed_count = 0;
    r->has_program = r->has_library = r->has_stdin = 0;
}

void reads_done(reads *r)
{
    deja_free(r->items);
    deja_free(r->empty);
    deja_free(r->followed);
    *r = (reads){0};
}

static int is_program(int dirfd, const char *path)
{
    struct stat st;
    return fstatat(dirfd, path, &st, 0) == 0 && S_ISREG(st.st_mode) &&
           faccessat(dirfd, path, X_OK, AT_EACCESS) == 0;
}

static const char *without_dots(const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2 + (path[2] == '/');
    return path;
}

/* "folder/word" after what is in `b` already; an empty folder is the working directory. */
static void join_program(deja_buffer *b, const char *cwd, const char *folder, size_t len, const char *word)
{
    if ((len == 0 || folder[0] != '/') && strcmp(cwd, ".") != 0) {
        deja_buffer_add_string(b, cwd);
        deja_buffer_add_char(b, '/');
    }
    deja_buffer_add(b, folder, len);
    if (len > 0)
        deja_buffer_add_char(b, '/');
    deja_buffer_add_string(b, without_dots(word));
}

int reads_find_program(int dirfd, const char *word, const char *path, const char *cwd, deja_buffer *ret)
{
    size_t start = ret->len;
    if (strchr(word, '/')) {
        if (word[0] == '/')
            deja_buffer_add_string(ret, word);
        else
            join_program(ret, cwd, "", 0, word);
        return !ret->failed && is_program(dirfd, deja_buffer_string(ret) + start);
    }
    for (const char *p = path;; p++) {
        size_t len = strcspn(p, ":");
        join_program(ret, cwd, p, len, word);
        if (!ret->failed && is_program(dirfd, deja_buffer_string(ret) + start))
            return 1;
        if (!ret->failed)
            ret->data[ret->len = start] = '\0';
        p += len;
        if (*p == '\0' || ret->failed)
            return 0;
    }
}
