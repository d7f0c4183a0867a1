/*
 * Libraries loaded in workers, and the places by which workers know which.
 */
#include "backend.h"
#include "library.h"

#include <deja/memory.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

/* glibc knows libraries by their names, and by device and inode (which nobody else gets while it is mapped):
 * of one that was replaced or written to it would give back the old. */
static const loaded_library *find_loaded(const loaded_library *l, const function_place *p)
{
    while (l && strcmp(l->path, p->path) != 0 && (l->id.dev != p->id.dev || l->id.inode != p->id.inode))
        l = l->next;
    return l;
}

static const loaded_library *cannot_load(const function_place *p, deja_error *err)
{
    const char *why = dlerror();
    deja_fail(err, DEJA_ENOTFOUND, "load library '%s' for '%s': %s", p->path, p->name, why ? why : "unknown");
    return NULL;
}

static const loaded_library *was_replaced(const function_place *p, deja_error *err)
{
    deja_fail(err, DEJA_ECHANGED, "library '%s' was replaced since '%s' was defined", p->path, p->name);
    return NULL;
}

static loaded_library *note(const function_place *p, void *handle, loaded_library **loaded)
{
    size_t len = strlen(p->path) + 1;
    loaded_library *l = deja_calloc(1, sizeof *l + len);
    if (!l)
        return NULL;
    memcpy(l->path, p->path, len);
    l->handle = handle;
    l->id = p->id;
    l->next = *loaded;
    return *loaded = l;
}

/* Looked at before its constructors run, and after: the name may have got another file in between, and then
 * nobody knows which one was loaded. Never closed: its functions are called until the worker ends. */
static const loaded_library *load_library(const function_place *p, loaded_library **loaded, deja_error *err)
{
    if (!library_is(p->path, &p->id))
        return was_replaced(p, err);
    void *handle = dlopen(p->path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return cannot_load(p, err);
    loaded_library *l = note(p, handle, loaded);
    if (!l) {
        deja_fail(err, DEJA_ENOMEM, "load library '%s'", p->path);
        return NULL;
    }
    if (library_is(p->path, &p->id))
        return l;
    l->id.size = UINT64_MAX; /* like no file */
    return was_replaced(p, err);
}

static deja_job_fn lacks(const function_place *p, const char *what, deja_error *err)
{
    deja_fail(err, DEJA_ENOTFOUND, "library '%s' has no function '%s'%s", p->path, p->name + p->symbol, what);
    return NULL;
}

static deja_job_fn find_symbol(const function_place *p, void *handle, deja_error *err)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    void *at = dlsym(handle, p->name + p->symbol);
    if (!at)
        return lacks(p, " (is it static, or C++ without extern \"C\"?)", err);
    if (dladdr1(at, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol && info.dli_saddr == at &&
        ELF64_ST_TYPE(symbol->st_info) != STT_FUNC && ELF64_ST_TYPE(symbol->st_info) != STT_GNU_IFUNC)
        return lacks(p, ": that is a variable", err);
    return (deja_job_fn)(uintptr_t)at;
}

deja_job_fn library_function(loaded_library **loaded, const function_place *p, deja_error *err)
{
    const loaded_library *l = find_loaded(*loaded, p);
    if (l && !object_is_same(&l->id, &p->id)) {
        deja_fail(err, DEJA_ECHANGED, "library '%s' was replaced while it was in use: run again", p->path);
        return NULL;
    }
    if (!l)
        l = load_library(p, loaded, err);
    return l ? find_symbol(p, l->handle, err) : NULL;
}

uint64_t library_place_size(const char *symbol, const char *name)
{
    return sizeof(function_place) + strlen(name) + 1 + strlen(symbol) + 1;
}

int library_place(const char *library, const char *symbol, const char *name, function_place *p,
                  deja_error *err)
{
    size_t name_size = strlen(name) + 1;
    memcpy(p->name, name, name_size);
    memcpy(p->name + name_size, symbol, strlen(symbol) + 1);
    p->symbol = (uint32_t)name_size;
    if (library[0] != '/')
        return deja_fail(err, DEJA_EINVAL, "the path of library '%s' is not absolute", library);
    if (strlen(library) >= sizeof p->path)
        return deja_fail(err, DEJA_ELIMIT, "the path of the library of '%s' is too long", name);
    memcpy(p->path, library, strlen(library) + 1);
    return library_check(library, &p->id, err);
}

int deja_pool_is_current(const deja_pool_function *f)
{
    const function_place *p = f->place;
    return !p || !p->symbol || library_is(p->path, &p->id);
}
