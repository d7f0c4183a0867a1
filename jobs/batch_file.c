/*
 * The file of a batch: found, read, and the folder that it stands in.
 */
#include "batch_read.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/text.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READ_STEP 65536 /* bytes asked for at once */

static int working_folder(deja_buffer *b, deja_error *err)
{
    for (size_t size = 256;; size *= 2) {
        deja_buffer_clear(b);
        char *room = deja_buffer_reserve(b, size);
        if (!room)
            return deja_fail(err, DEJA_ENOMEM, "out of memory");
        if (getcwd(room, size)) {
            b->len = strlen(room);
            return 0;
        }
        if (errno != ERANGE)
            return deja_fail_errno(err, "find the working folder");
    }
}

/* Absolute and normalised: the folder of `path`, the working folder for standard input. */
static int folder_of(const char *path, deja_buffer *ret, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer here = {0};
    DEJA_AUTO_BUFFER deja_buffer parent = {0};
    int code = working_folder(&here, err);
    if (code)
        return code;
    const char *slash = strrchr(path, '/');
    deja_buffer_add(&parent, path, slash ? (size_t)(slash - path) + 1 : 0);
    deja_path_join(ret, deja_buffer_string(&here), deja_buffer_string(&parent));
    return parent.failed || ret->failed ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
}

/* All of a descriptor that cannot be opened by name: standard input may be a socket. */
static int load_stdin(deja_buffer *b, deja_error *err)
{
    for (;;) {
        char *room = deja_buffer_reserve(b, READ_STEP);
        if (!room)
            return deja_fail(err, DEJA_ENOMEM, "out of memory");
        ssize_t n = read(STDIN_FILENO, room, READ_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return deja_fail_errno(err, "read a batch from standard input");
        if (n == 0)
            return 0;
        b->len += (size_t)n;
        if (b->len > YAML_FILE_BYTES)
            return deja_fail(err, DEJA_ELIMIT, "standard input: a batch has at most 64 MB");
    }
}

static int is_yaml(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* A YAML file beside `path` whose name is near: deja.yml for deja.yaml. "" when there is none. */
static void find_near(const char *path, deja_buffer *ret)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    DEJA_AUTO_BUFFER deja_buffer folder = {0};
    deja_buffer_add(&folder, path, (size_t)(name - path));
    DIR *d = opendir(folder.len ? deja_buffer_string(&folder) : ".");
    if (!d)
        return;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        const char *candidate = e->d_name;
        /* The first by its bytes, so that the message does not depend on the order of the folder. */
        if (is_yaml(candidate) && deja_text_nearest(name, &candidate, 1) &&
            (!ret->len || strcmp(candidate, deja_buffer_string(ret)) < 0)) {
            deja_buffer_clear(ret);
            deja_buffer_add_string(ret, candidate);
        }
    }
    closedir(d);
    if (ret->len && slash) {
        deja_buffer_add_string(&folder, deja_buffer_string(ret));
        deja_buffer_clear(ret);
        deja_buffer_add(ret, folder.data, folder.len);
    }
}

static int fail_missing(const char *path, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer near = {0};
    find_near(path, &near);
    if (near.len && !near.failed)
        return deja_fail(err, DEJA_ENOTFOUND, "no batch file '%s', did you mean '%s'? (-f FILE names it)",
                         path, deja_buffer_string(&near));
    return deja_fail(err, DEJA_ENOTFOUND,
                     "no batch file '%s': -f FILE names another one, -C FOLDER looks elsewhere", path);
}

static int load_file(const char *path, deja_buffer *b, deja_error *err)
{
    deja_error problem;
    int code = deja_file_load(AT_FDCWD, path, YAML_FILE_BYTES, b, &problem);
    if (!code)
        return 0;
    if (code == DEJA_ENOTFOUND)
        return fail_missing(path, err);
    if (code == DEJA_ETYPE && problem.sys_errno != ENOTDIR)
        return deja_fail(err, code, "'%s' is a folder, not a batch file: name the file in it", path);
    if (code == DEJA_ELIMIT)
        return deja_fail(err, code, "'%s' has more than 64 MB: that is no batch file", path);
    if (err)
        *err = problem;
    return code;
}

int batch_load_with(batch **ret, const char *path, const batch_settings *settings, deja_error *err)
{
    int is_stdin = strcmp(path, "-") == 0;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    DEJA_AUTO_BUFFER deja_buffer folder = {0};
    int code = is_stdin ? load_stdin(&text, err) : load_file(path, &text, err);
    if (!code)
        code = folder_of(path, &folder, err);
    if (code)
        return code;
    size_t len = text.len;
    char *taken = len ? deja_buffer_take(&text) : deja_strdup("");
    if (!taken)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    return batch_take_text(ret, is_stdin ? "<stdin>" : path, taken, len, deja_buffer_string(&folder),
                           settings, err);
}

int batch_load(batch **ret, const char *path, deja_error *err)
{
    return batch_load_with(ret, path, NULL, err);
}
