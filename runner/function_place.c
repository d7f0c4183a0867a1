/*
 * Finding functions by object and offset. A worker has the program and what was loaded before the fork at the
 * same addresses; a library that came later is opened by its path, after a look at whether it is the same.
 */
#include "function_place.h"

#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/pool.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct search {
    uint64_t address;         /* in the object that is wanted ... */
    const function_place *of; /* ... or the object of this place */
    int found, other;         /* other: one of its name that is not the same */
    uint64_t base;
    char path[1024];
    object_id id;
} search;

static int covers(const struct dl_phdr_info *info, uint64_t address)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uint64_t begin = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_LOAD && (p->p_flags & PF_X) && address - begin < p->p_memsz)
            return 1;
    }
    return 0;
}

static void read_notes(const char *at, uint64_t len, object_id *id)
{
    while (len >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)at;
        uint64_t name = (note->n_namesz + 3) & ~UINT64_C(3), all = sizeof *note + name;
        if (all + note->n_descsz > len)
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_descsz <= build_id_most) {
            id->build_len = note->n_descsz;
            memcpy(id->build, at + all, note->n_descsz);
            return;
        }
        all += (note->n_descsz + 3) & ~UINT64_C(3);
        if (all > len)
            return;
        at += all;
        len -= all;
    }
}

void object_of_file(const struct stat *st, object_id *ret)
{
    *ret = (object_id){.dev = st->st_dev,
                       .inode = st->st_ino,
                       .size = (uint64_t)st->st_size,
                       .mtime_ns = st->st_mtim.tv_sec * DEJA_S_NS + st->st_mtim.tv_nsec,
                       .ctime_ns = st->st_ctim.tv_sec * DEJA_S_NS + st->st_ctim.tv_nsec};
}

static void identify_file(const char *path, object_id *id)
{
    struct stat st;
    if (stat(path[0] ? path : "/proc/self/exe", &st) == 0)
        object_of_file(&st, id);
}

static void identify(const struct dl_phdr_info *info, const char *path, object_id *id)
{
    memset(id, 0, sizeof *id);
    for (int i = 0; i < info->dlpi_phnum && !id->build_len; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_NOTE)
            read_notes((const char *)(info->dlpi_addr + p->p_vaddr), p->p_memsz, id);
    }
    if (!id->build_len)
        identify_file(path, id);
}

int object_is_same(const object_id *a, const object_id *b)
{
    return a->build_len == b->build_len && memcmp(a->build, b->build, a->build_len) == 0 &&
           (a->build_len || (a->dev == b->dev && a->inode == b->inode && a->size == b->size &&
                             a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns));
}

/* What replaced a library that is loaded has such a name, see load_anew. */
#define ANEW "/proc/self/fd/"

static int is_wanted(const struct dl_phdr_info *info, const search *s)
{
    const char *name = info->dlpi_name ? info->dlpi_name : "";
    if (!s->of)
        return covers(info, s->address);
    return strcmp(name, s->of->path) == 0 || strncmp(name, ANEW, strlen(ANEW)) == 0;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
    search *s = context;
    (void)size;
    if (!is_wanted(info, s))
        return 0;
    snprintf(s->path, sizeof s->path, "%s", info->dlpi_name ? info->dlpi_name : "");
    identify(info, s->path, &s->id);
    if (s->of && !object_is_same(&s->of->id, &s->id)) {
        s->other |= strcmp(s->path, s->of->path) == 0;
        return 0;
    }
    s->found = 1;
    s->base = info->dlpi_addr;
    return 1;
}

static int changed(const function_place *p, deja_error *err)
{
    return deja_fail(err, DEJA_ECHANGED, "'%s' was replaced since '%s' was defined", p->path, p->name);
}

/* Of one that was replaced since it was loaded here the loader would give back the old: it goes by names. The
 * new one gets a name of its own, which stays its own as the descriptor stays open. */
static void *load_anew(const function_place *p)
{
    char name[sizeof ANEW + 16];
    int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    snprintf(name, sizeof name, ANEW "%d", fd);
    return dlopen(fd < 0 ? p->path : name, RTLD_NOW | RTLD_LOCAL);
}

/* Never closed: its functions are called until the worker ends. */
static int load(const function_place *p, search *s, deja_error *err)
{
    if (!(s->other ? load_anew(p) : dlopen(p->path, RTLD_NOW | RTLD_LOCAL))) {
        const char *why = dlerror();
        return deja_fail(err, DEJA_ENOTFOUND, "open '%s' in a worker: %s", p->path, why ? why : "unknown");
    }
    dl_iterate_phdr(look_at, s);
    return s->found ? 0 : changed(p, err);
}

/* The build-id in a file that nobody has loaded. A file that is none of this format has none. */
static void identify_image(const char *image, uint64_t len, object_id *id)
{
    const ElfW(Ehdr) *head = (const void *)image;
    if (len < sizeof *head || memcmp(image, ELFMAG, SELFMAG) != 0 || head->e_phoff > len ||
        head->e_phentsize != sizeof(ElfW(Phdr)) || head->e_phoff % sizeof(long) != 0 ||
        (len - head->e_phoff) / sizeof(ElfW(Phdr)) < head->e_phnum)
        return;
    const ElfW(Phdr) *p = (const void *)(image + head->e_phoff);
    for (int i = 0; i < head->e_phnum && !id->build_len; i++)
        if (p[i].p_type == PT_NOTE && p[i].p_offset < len && p[i].p_filesz <= len - p[i].p_offset &&
            p[i].p_offset % 4 == 0)
            read_notes(image + p[i].p_offset, p[i].p_filesz, id);
}

static void identify_unloaded(const char *path, object_id *id)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
        void *image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (image != MAP_FAILED) {
            identify_image(image, (uint64_t)st.st_size, id);
            munmap(image, (size_t)st.st_size);
        }
    }
    if (fd >= 0)
        close(fd);
}

/* Before it is loaded: the constructors of another library are not to run. */
static int file_is_same(const function_place *p)
{
    object_id now = {0};
    if (p->id.build_len)
        identify_unloaded(p->path, &now);
    else
        identify_file(p->path, &now);
    return object_is_same(&p->id, &now);
}

uint64_t function_place_size(const char *name)
{
    return sizeof(function_place) + strlen(name) + 1;
}

int function_place_find(deja_job_fn function, const char *name, function_place *p, deja_error *err)
{
    search s = {.address = (uint64_t)(uintptr_t)function};
    memcpy(p->name, name, strlen(name) + 1);
    if (!function)
        return deja_fail(err, DEJA_EINVAL, "'%s' has no function", name);
    dl_iterate_phdr(look_at, &s);
    if (!s.found)
        return deja_fail(err, DEJA_EINVAL,
                         "'%s' lies in no file that workers could map (a callback of an interpreter?): use "
                         "the backend inline or thread, or a command",
                         name);
    if (strlen(s.path) + 1 == sizeof s.path)
        return deja_fail(err, DEJA_ELIMIT, "the path of the library of '%s' is too long", name);
    p->base = s.base;
    p->offset = s.address - s.base;
    p->id = s.id;
    memcpy(p->path, s.path, sizeof s.path);
    return 0;
}

deja_job_fn function_place_open(const function_place *p, deja_error *err)
{
    search s = {.of = p};
    dl_iterate_phdr(look_at, &s);
    if (!s.found && !file_is_same(p)) {
        changed(p, err);
        return NULL;
    }
    if (!s.found && load(p, &s, err) < 0)
        return NULL;
    return (deja_job_fn)(uintptr_t)(s.base + p->offset);
}

int deja_pool_build_of(deja_job_fn function, unsigned char *ret, size_t *len, deja_error *err)
{
    static const char name[] = "strict";
    DEJA_AUTO_FREE function_place *p = deja_calloc(1, (size_t)function_place_size(name));
    if (!p)
        return deja_fail(err, DEJA_ENOMEM, "look for the build-id: out of memory");
    int rc = function_place_find(function, name, p, err);
    if (rc < 0)
        return rc;
    const void *id = p->id.build_len ? (const void *)p->id.build : &p->id.dev;
    size_t most = p->id.build_len ? p->id.build_len : sizeof p->id - offsetof(object_id, dev);
    *len = most < *len ? most : *len;
    memcpy(ret, id, *len);
    return 0;
}
