/*
 * Products: images in memory or in a file, and scalars that need neither.
 */
#include "product.h"
#include "result_sink.h"

#include <deja/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    image_align = 64,
    map_bytes = 256 * 1024, /* from here on memory is a mapping of its own, which can be made read-only */
};

static const deja_product nothing = {.fd = -1};

static void *map(uint64_t len, int protection, int flags, int fd)
{
    void *at = len <= SIZE_MAX ? mmap(NULL, (size_t)len, protection, flags, fd, 0) : MAP_FAILED;
    return at == MAP_FAILED ? NULL : at;
}

static int alloc_map(uint64_t len, deja_product *ret, void **ret_data, deja_error *err)
{
    void *at = map(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (!at)
        return deja_fail_errno(err, "memory for a result of %llu bytes", (unsigned long long)len);
    *ret = nothing;
    ret->image = *ret_data = at;
    ret->len = len;
    ret->kept = product_kept_map;
    return 0;
}

static int alloc_memory(uint64_t len, deja_product *ret, char **ret_data)
{
    char *base = deja_realloc(NULL, (size_t)len + image_align - 1);
    if (!base)
        return DEJA_ENOMEM;
    size_t gap = (image_align - (uintptr_t)base % image_align) % image_align;
    *ret = nothing;
    ret->image = *ret_data = base + gap;
    ret->len = len;
    ret->kept = product_kept_memory + (int32_t)gap;
    return 0;
}

static int open_file(int stage_folder, deja_error *err)
{
    int fd = -1;
    if (stage_folder >= 0)
        fd = openat(stage_folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        fd = memfd_create("deja-result", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? deja_fail_errno(err, "make a file for a result") : fd;
}

/* posix_fallocate writes where the file system cannot reserve; it tells its error by value. */
static int reserve(int fd, uint64_t len, deja_error *err)
{
    if (len > INT64_MAX)
        return deja_fail(err, DEJA_ELIMIT, "a result of %llu bytes", (unsigned long long)len);
    do
        errno = posix_fallocate(fd, 0, (off_t)len);
    while (errno == EINTR);
    return errno ? deja_fail_errno(err, "room for a result of %llu bytes", (unsigned long long)len) : 0;
}

deja_product product_of_scalar(const deja_value *v)
{
    deja_product p = nothing;
    p.scalar = *v;
    return p;
}

int product_alloc(uint64_t len, deja_product *ret, void **ret_data, deja_error *err)
{
    char *data;
    if (len >= map_bytes)
        return alloc_map(len, ret, ret_data, err);
    if (alloc_memory(len, ret, &data) < 0)
        return deja_fail(err, DEJA_ENOMEM, "memory for a result of %llu bytes", (unsigned long long)len);
    *ret_data = memset(data, 0, (size_t)len);
    return 0;
}

static int alloc_file(int stage_folder, uint64_t len, deja_product *ret, void **ret_data, deja_error *err)
{
    DEJA_AUTO_CLOSE int fd = open_file(stage_folder, err);
    int rc = fd < 0 ? fd : reserve(fd, len, err);
    if (rc < 0)
        return rc;
    void *at = map(len, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    if (!at)
        return deja_fail_errno(err, "map a result of %llu bytes", (unsigned long long)len);
    *ret = nothing;
    ret->image = *ret_data = at;
    ret->len = len;
    ret->fd = deja_take_fd(fd);
    ret->kept = product_kept_map;
    return 0;
}

/* A full cache costs keeping the result, not the result. */
int product_alloc_file(int stage_folder, uint64_t len, deja_product *ret, void **ret_data, deja_error *err)
{
    int rc = alloc_file(stage_folder, len, ret, ret_data, err);
    return rc == DEJA_EFULL && stage_folder >= 0 ? alloc_file(-1, len, ret, ret_data, err) : rc;
}

void product_freeze(deja_product *p)
{
    if (p->kept == product_kept_map)
        mprotect((void *)p->image, (size_t)p->len, PROT_READ);
}

int deja_product_is_sealed(const deja_product *p)
{
    return p->kept == product_kept_map;
}

void deja_product_done(deja_product *p)
{
    if (!p)
        return;
    if (p->kept == product_kept_map)
        munmap((void *)p->image, (size_t)p->len);
    else if (p->kept >= product_kept_memory)
        deja_free((char *)p->image - (p->kept - product_kept_memory));
    if (p->kept != product_kept_none)
        deja_cleanup_close(&p->fd);
    *p = nothing;
}

void deja_product_close_file(deja_product *p)
{
    if (!p || p->kept != product_kept_map)
        return;
    deja_cleanup_close(&p->fd);
    p->fd = -1;
}

static int read_small(int fd, uint64_t len, deja_product *ret, deja_error *err)
{
    char *data;
    if (alloc_memory(len, ret, &data) < 0)
        return deja_fail(err, DEJA_ENOMEM, "memory for a result of %llu bytes", (unsigned long long)len);
    for (uint64_t at = 0; at < len;) {
        ssize_t n = pread(fd, data + at, (size_t)(len - at), (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int rc = n < 0 ? deja_fail_errno(err, "read a result")
                           : deja_fail(err, DEJA_ECORRUPT, "a result became shorter");
            deja_product_done(ret);
            return rc;
        }
        at += (uint64_t)n;
    }
    return 0;
}

int product_of_file(int fd, uint64_t len, deja_product *ret, deja_error *err)
{
    DEJA_AUTO_CLOSE int owned = fd;
    struct stat st;
    fcntl(owned, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW); /* no memfd: EINVAL, and it is our own file */
    fcntl(owned, F_ADD_SEALS, F_SEAL_WRITE);
    if (fstat(owned, &st) < 0)
        return deja_fail_errno(err, "look at a result");
    if (len == 0 || st.st_size < 0 || (uint64_t)st.st_size < len)
        return deja_fail(err, DEJA_ECORRUPT, "a result of %llu bytes is in a file of %lld",
                         (unsigned long long)len, (long long)st.st_size);
    if (len < sink_file_bytes)
        return read_small(owned, len, ret, err);
    void *at = map(len, PROT_READ, MAP_SHARED, owned);
    if (!at)
        return deja_fail_errno(err, "map a result of %llu bytes", (unsigned long long)len);
    *ret = nothing;
    ret->image = at;
    ret->len = len;
    ret->fd = deja_take_fd(owned);
    ret->kept = product_kept_map;
    return 0;
}

int product_of_bytes(const void *image, uint64_t len, deja_product *ret)
{
    char *data;
    if (len > SIZE_MAX - image_align || alloc_memory(len, ret, &data) < 0)
        return DEJA_ENOMEM;
    memcpy(data, image, (size_t)len);
    return 0;
}
