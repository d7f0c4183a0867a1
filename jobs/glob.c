/*
 * Finding files. Folders to be read wait in a list, each with the set of pattern components that its entries
 * may match: every folder is read at most once however many `**` there are, without recursion, with one
 * descriptor at a time.
 */
#include "glob.h"
#include "glob_match.h"
#include <deja/cleanup.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { COMPONENT_LIMIT = 63 }; /* bits of a set of states, but one for the end */

typedef struct component {
    const char *text;
    size_t len;
    const char *literal; /* without escapes; NULL for a pattern */
    int any_depth;       /* `**` */
} component;

typedef struct entry {
    const char *path;
    unsigned char type;
} entry;

typedef struct folder {
    const char *path; /* "" for the one where the search begins */
    uint64_t states;  /* bit s: component s may match an entry */
    int follow;       /* it may be a link */
} folder;

typedef struct search {
    int dirfd;
    component components[COMPONENT_LIMIT];
    size_t count;
    int want_folders; /* the pattern ends with a slash */
    int tree;         /* no pattern: everything */
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

static int add_folder(search *s, const char *path, uint64_t states, int follow)
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

/* Adds the components that come after a `**`, which may be no folder at all. */
static uint64_t closure(const search *s, uint64_t states)
{
    for (size_t k = 0; k < s->count; k++)
        if ((states >> k & 1) && s->components[k].any_depth)
            states |= UINT64_C(2) << k;
    return states;
}

static int matches(const component *c, const char *name)
{
    return c->literal ? strcmp(c->literal, name) == 0 : glob_match_name(c->text, c->len, name, strlen(name));
}

/* The states behind `name`, 0 when nothing matches it; `**` takes it only when it is a folder. */
static uint64_t advance(const search *s, uint64_t states, const char *name, unsigned char type)
{
    uint64_t next = 0;
    for (size_t k = 0; k < s->count; k++) {
        if (!(states >> k & 1))
            continue;
        if (!s->components[k].any_depth)
            next |= matches(&s->components[k], name) ? UINT64_C(2) << k : 0;
        else if (type == GLOB_FOLDER && name[0] != '.')
            next |= UINT64_C(1) << k;
    }
    return closure(s, next);
}

static uint64_t end_state(const search *s)
{
    return UINT64_C(1) << s->count;
}

/* The entry s->path of type `type` matched up to `states`. */
static int take(search *s, unsigned char type, uint64_t states)
{
    const char *path = deja_buffer_string(&s->path);
    unsigned char target = type;
    int code = type == GLOB_LINK ? look(s, path, 0, &target) : 0;
    if (code < 0)
        return code;
    int is_folder = target == GLOB_FOLDER;
    uint64_t inside = states & (end_state(s) - 1);
    if (is_folder && inside && (code = add_folder(s, path, inside, 1)) != 0)
        return code;
    if (!(states & end_state(s)) || is_folder != s->want_folders)
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
    uint64_t states = advance(s, f->states, name, type);
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
    uint64_t done = 0;
    for (size_t k = 0; k < s->count; k++) {
        const char *name = s->components[k].literal;
        if (!(f->states >> k & 1) || !name || (done >> k & 1) || (!all && !is_dots(name)))
            continue;
        for (size_t j = k; j < s->count; j++)
            if (s->components[j].literal && strcmp(s->components[j].literal, name) == 0)
                done |= UINT64_C(1) << j;
        int code = visit(s, f, name, -1);
        if (code)
            return code;
    }
    return 0;
}

static int has_pattern(const search *s, uint64_t states)
{
    for (size_t k = 0; k < s->count; k++)
        if ((states >> k & 1) && !s->components[k].literal)
            return 1;
    return 0;
}

static int search_all(search *s)
{
    while (s->folder_count > 0) {
        folder f = s->folders[--s->folder_count];
        int read = s->tree || has_pattern(s, f.states);
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

static int add_component(search *s, const char *text, size_t len)
{
    int any_depth = len == 2 && memcmp(text, "**", 2) == 0;
    if (any_depth && s->count && s->components[s->count - 1].any_depth)
        return 0;
    if (s->count == COMPONENT_LIMIT)
        return deja_fail(s->err, DEJA_ELIMIT, "a pattern with more than %d components", COMPONENT_LIMIT);
    component *c = &s->components[s->count];
    char *copy = deja_arena_dup(&s->arena, text, len);
    if (!copy)
        return no_memory(s);
    *c = (component){.text = copy, .len = len, .any_depth = any_depth};
    s->count++;
    if (glob_is_pattern(copy))
        return 0;
    deja_buffer_clear(&s->path);
    glob_unescape(&s->path, copy);
    c->literal = deja_arena_dup(&s->arena, deja_buffer_string(&s->path), s->path.len);
    return c->literal && !s->path.failed ? 0 : no_memory(s);
}

static int add_prefix(search *s, deja_buffer *prefix, const char *one)
{
    if (prefix->len && prefix->data[prefix->len - 1] != '/')
        deja_buffer_add_char(prefix, '/');
    glob_unescape(prefix, one);
    return prefix->failed ? no_memory(s) : 0;
}

/* Splits the pattern: leading components that are no patterns go into `prefix`, the others into
 * s->components. */
static int split(search *s, const char *pattern, deja_buffer *prefix)
{
    const char *p = pattern;
    int code = 0;
    if (*p == '/')
        deja_buffer_add_char(prefix, '/');
    for (p += strspn(p, "/"); !code && *p; p += strspn(p, "/")) {
        size_t len = strcspn(p, "/");
        DEJA_AUTO_FREE char *one = deja_dup(p, len);
        if (!one)
            return no_memory(s);
        if (s->count == 0 && !glob_is_pattern(one))
            code = add_prefix(s, prefix, one);
        else
            code = add_component(s, p, len);
        p += len;
    }
    s->want_folders = p > pattern && p[-1] == '/';
    if (!code && s->count && s->components[s->count - 1].any_depth && !s->want_folders)
        code = add_component(s, "*", 1);
    return code;
}

/* Where the search begins: at the path itself when it has no pattern, else in the folder before the first
 * pattern. */
static int start(search *s, const char *prefix)
{
    uint64_t states = closure(s, 1);
    unsigned char type;
    if (!(states & end_state(s)))
        return add_folder(s, prefix, states, 1);
    if (!*prefix)
        return s->count ? add_folder(s, prefix, states & (end_state(s) - 1), 1) : 0;
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
    int code = split(&s, pattern, &prefix);
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
