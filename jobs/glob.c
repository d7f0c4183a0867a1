/*
 * Finding files. Folders to be read wait in a list, each with the set of pattern components that its entries
 * may match: every folder is read at most once however many `**` there are, without recursion, with one
 * descriptor at a time.
 */
#include "glob.h"
#include "glob_pattern.h"
#include <deja/cleanup.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct entry {
    const char *path;
    unsigned char type;
} entry;

typedef struct folder {
    const char *path; /* "" for the one where the search begins */
    glob_states states;
    int follow; /* it may be a link */
} folder;

typedef struct search {
    int dirfd;
    glob_pattern pattern;
    int tree; /* no pattern: everything */
    folder *folders;
    size_t folder_count, folder_cap;
    entry *found;
    size_t found_count, found_cap;
    deja_buffer path; /* scratch */
    deja_arena arena;
    deja_error *err;
} search;

static int no_memory(search *s)
{
    return deja_fail(s->err, DEJA_ENOMEM, "out of memory");
}

/* `folder`/`name` in the scratch buffer. */
static const char *join(search *s, const char *folder_path, const char *name)
{
    size_t len = strlen(folder_path);
    deja_buffer_clear(&s->path);
    deja_buffer_add(&s->path, folder_path, len);
    if (len && folder_path[len - 1] != '/')
        deja_buffer_add_char(&s->path, '/');
    deja_buffer_add_string(&s->path, name);
    return deja_buffer_string(&s->path);
}

static int add_found(search *s, const char *path, unsigned char type)
{
    entry *grown = deja_grow(s->found, s->found_count, &s->found_cap, sizeof *grown);
    if (grown)
        s->found = grown;
    const char *copy = grown ? deja_arena_dup(&s->arena, path, strlen(path)) : NULL;
    if (!copy || s->path.failed)
        return no_memory(s);
    s->found[s->found_count++] = (entry){copy, type};
    return 0;
}

static int add_folder(search *s, const char *path, glob_states states, int follow)
{
    folder *grown = deja_grow(s->folders, s->folder_count, &s->folder_cap, sizeof *grown);
    if (grown)
        s->folders = grown;
    const char *copy = grown ? deja_arena_dup(&s->arena, path, strlen(path)) : NULL;
    if (!copy || s->path.failed)
        return no_memory(s);
    s->folders[s->folder_count++] = (folder){copy, states, follow};
    return 0;
}

static unsigned char type_of_mode(mode_t mode)
{
    if (S_ISREG(mode))
        return GLOB_FILE;
    if (S_ISDIR(mode))
        return GLOB_FOLDER;
    return S_ISLNK(mode) ? GLOB_LINK : GLOB_SPECIAL;
}

static int is_gone(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

static const char *shown(const char *path)
{
    return *path ? path : ".";
}

/* The type of `path`: 1 found, 0 gone, or a negative code. */
static int look(search *s, const char *path, int flags, unsigned char *ret)
{
    struct stat st;
    if (fstatat(s->dirfd, shown(path), &st, flags) == 0) {
        *ret = type_of_mode(st.st_mode);
        return 1;
    }
    return is_gone(errno) ? 0 : deja_fail_errno(s->err, "look at '%s'", shown(path));
}

/* The entry s->path of type `type` matched up to `states`. */
static int take(search *s, unsigned char type, glob_states states)
{
    const char *path = deja_buffer_string(&s->path);
    unsigned char target = type;
    int code = type == GLOB_LINK ? look(s, path, 0, &target) : 0;
    if (code < 0)
        return code;
    int is_folder = target == GLOB_FOLDER;
    glob_states inside = glob_pattern_inside(&s->pattern, states);
    if (is_folder && inside && (code = add_folder(s, path, inside, 1)) != 0)
        return code;
    if (!glob_pattern_is_end(&s->pattern, states) || is_folder != s->pattern.want_folders)
        return 0;
    if (is_folder && path[s->path.len - 1] != '/')
        deja_buffer_add_char(&s->path, '/');
    return add_found(s, deja_buffer_string(&s->path), is_folder ? GLOB_FOLDER : type);
}

/* The entry `name` of folder `f`; `known` is its type, or -1. */
static int visit(search *s, const folder *f, const char *name, int known)
{
    unsigned char type = (unsigned char)known;
    if (known < 0) {
        int code = look(s, join(s, f->path, name), AT_SYMLINK_NOFOLLOW, &type);
        if (code <= 0)
            return code;
    }
    if (s->tree) {
        const char *path = join(s, f->path, name);
        return type == GLOB_FOLDER ? add_folder(s, path, 0, 0) : add_found(s, path, type);
    }
    glob_states states = glob_pattern_next(&s->pattern, f->states, name, type == GLOB_FOLDER);
    if (!states)
        return 0;
    join(s, f->path, name);
    return take(s, type, states);
}

static int type_of_entry(const struct dirent *e)
{
    switch (e->d_type) {
    case DT_REG:
        return GLOB_FILE;
    case DT_DIR:
        return GLOB_FOLDER;
    case DT_LNK:
        return GLOB_LINK;
    case DT_UNKNOWN:
        return -1;
    default:
        return GLOB_SPECIAL;
    }
}

static int is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int read_entries(search *s, const folder *f, DIR *dir)
{
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(dir);
        if (!e)
            return errno ? deja_fail_errno(s->err, "read folder '%s'", shown(f->path)) : 0;
        int code = is_dots(e->d_name) ? 0 : visit(s, f, e->d_name, type_of_entry(e));
        if (code)
            return code;
    }
}

static int open_folder(search *s, const folder *f)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (f->follow ? 0 : O_NOFOLLOW), fd;
    do
        fd = openat(s->dirfd, shown(f->path), flags);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int read_folder(search *s, const folder *f)
{
    DEJA_AUTO_CLOSE int fd = open_folder(s, f);
    if (fd < 0)
        return is_gone(errno) ? 0 : deja_fail_errno(s->err, "read folder '%s'", shown(f->path));
    DIR *dir = fdopendir(fd);
    if (!dir)
        return deja_fail_errno(s->err, "read folder '%s'", shown(f->path));
    (void)deja_take_fd(fd);
    size_t before = s->found_count + s->folder_count;
    int code = read_entries(s, f, dir);
    closedir(dir);
    if (!code && s->tree && s->found_count + s->folder_count == before)
        code = add_found(s, shown(f->path), GLOB_FOLDER);
    return code;
}

/*
 * Components that name one entry need no reading of the folder: all of them when no pattern is among the
 * states, else only . and .., which are left out of what is read.
 */
static int visit_literals(search *s, const folder *f, int all)
{
    glob_states done = 0;
    const glob_component *c = s->pattern.components;
    for (size_t k = 0; k < s->pattern.count; k++) {
        const char *name = c[k].literal;
        if (!(f->states >> k & 1) || !name || (done >> k & 1) || (!all && !is_dots(name)))
            continue;
        for (size_t j = k; j < s->pattern.count; j++)
            if (c[j].literal && strcmp(c[j].literal, name) == 0)
                done |= UINT64_C(1) << j;
        int code = visit(s, f, name, -1);
        if (code)
            return code;
    }
    return 0;
}

static int search_all(search *s)
{
    while (s->folder_count > 0) {
        folder f = s->folders[--s->folder_count];
        int read = s->tree || glob_pattern_must_read(&s->pattern, f.states);
        int code = s->tree ? 0 : visit_literals(s, &f, !read);
        if (!code && read)
            code = read_folder(s, &f);
        if (code)
            return code;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->path, ((const entry *)b)->path);
}

/* Sorts what was found and hands it out, the arena with it. A path may be there twice: reached by way of
 * "..". */
static int finish(search *s, glob_list *ret)
{
    if (s->found_count)
        qsort(s->found, s->found_count, sizeof *s->found, compare);
    glob_list l = {.cap = s->found_count, .arena = s->arena};
    s->arena = (deja_arena){0};
    l.paths = deja_calloc(s->found_count + 1, sizeof *l.paths);
    l.types = deja_calloc(s->found_count + 1, sizeof *l.types);
    if (!l.paths || !l.types) {
        glob_list_done(&l);
        return no_memory(s);
    }
    for (size_t i = 0; i < s->found_count; i++) {
        if (i && strcmp(s->found[i].path, s->found[i - 1].path) == 0)
            continue;
        l.paths[l.count] = s->found[i].path;
        l.types[l.count++] = s->found[i].type;
    }
    *ret = l;
    return 0;
}

static void search_done(search *s)
{
    deja_free(s->folders);
    deja_free(s->found);
    deja_buffer_done(&s->path);
    deja_arena_done(&s->arena);
}

/* Where the search begins: at the path itself when it has no pattern, else in the folder before the first
 * pattern. */
static int start(search *s, const char *prefix)
{
    glob_states states = glob_pattern_begin(&s->pattern);
    unsigned char type;
    if (!glob_pattern_is_end(&s->pattern, states))
        return add_folder(s, prefix, states, 1);
    if (!*prefix)
        return s->pattern.count ? add_folder(s, prefix, glob_pattern_inside(&s->pattern, states), 1) : 0;
    int code = look(s, prefix, AT_SYMLINK_NOFOLLOW, &type);
    if (code <= 0)
        return code;
    join(s, "", prefix);
    return take(s, type, states);
}

void glob_list_done(glob_list *l)
{
    if (!l)
        return;
    deja_free(l->paths);
    deja_free(l->types);
    deja_arena_done(&l->arena);
    *l = (glob_list){0};
}

int glob_find(int dirfd, const char *pattern, glob_list *ret, deja_error *err)
{
    glob_list_done(ret);
    search s = {.dirfd = dirfd, .err = err};
    DEJA_AUTO_BUFFER deja_buffer prefix = {0};
    int code = glob_pattern_split(&s.pattern, pattern, &prefix, &s.arena, err);
    if (!code)
        code = start(&s, deja_buffer_string(&prefix));
    if (!code)
        code = search_all(&s);
    if (!code)
        code = finish(&s, ret);
    search_done(&s);
    return code;
}

static int start_tree(search *s, const char *base)
{
    struct stat st;
    if (fstatat(s->dirfd, base, &st, 0) != 0)
        return deja_fail_errno(s->err, "read folder '%s'", base);
    if (!S_ISDIR(st.st_mode))
        return deja_fail(s->err, DEJA_ETYPE, "'%s' is not a folder", base);
    return add_folder(s, strcmp(base, ".") == 0 ? "" : base, 0, 1);
}

int glob_tree(int dirfd, const char *path, glob_list *ret, deja_error *err)
{
    glob_list_done(ret);
    search s = {.dirfd = dirfd, .tree = 1, .err = err};
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    DEJA_AUTO_FREE char *base = deja_dup(path, len);
    int code = base ? start_tree(&s, shown(base)) : no_memory(&s);
    if (!code)
        code = search_all(&s);
    if (!code)
        code = finish(&s, ret);
    search_done(&s);
    return code;
}
