/*
 * Large blocks are runs of pages in a list of free extents, sorted by address and merged; small ones are cut
 * from slabs of 1 MB, each of one size. What is known of blocks lies in memory of the program's own: nothing
 * that a worker writes can damage it.
 */
#include "heap.h"
#include "heap_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- extents ---- */

/* The first of `list` that begins at or behind `at`. */
static size_t extent_at(const extent_list *list, uint64_t at)
{
    size_t low = 0, high = list->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->item[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int extent_insert(extent_list *list, size_t i, extent e)
{
    extent *grown = deja_grow(list->item, list->len, &list->cap, sizeof *grown);
    if (!grown)
        return DEJA_ENOMEM;
    list->item = grown;
    memmove(grown + i + 1, grown + i, (list->len - i) * sizeof *grown);
    grown[i] = e;
    list->len++;
    return 0;
}

static void extent_remove(extent_list *list, size_t i)
{
    memmove(list->item + i, list->item + i + 1, (list->len - i - 1) * sizeof *list->item);
    list->len--;
}

/* First fit, `align` a power of two. UINT64_MAX: none. What lies before an aligned begin stays free. */
static uint64_t carve(heap *h, uint64_t len, uint64_t align)
{
    for (size_t i = 0; i < h->open.len; i++) {
        extent e = h->open.item[i];
        uint64_t at = (e.at + align - 1) & ~(align - 1), end = e.at + e.len;
        if (at >= end || end - at < len)
            continue;
        if (at > e.at && end - at > len &&
            extent_insert(&h->open, i, (extent){.at = e.at, .len = at - e.at}) == 0)
            h->open.item[i + 1] = (extent){.at = at + len, .len = end - at - len};
        else if (at > e.at && end - at > len)
            return UINT64_MAX;
        else if (at > e.at)
            h->open.item[i].len = at - e.at;
        else if (end - at > len)
            h->open.item[i] = (extent){.at = at + len, .len = end - at - len};
        else
            extent_remove(&h->open, i);
        return at;
    }
    return UINT64_MAX;
}

/* There is always room to note a free extent: one was reserved when the block was made. */
static void give_back(heap *h, uint64_t at, uint64_t len)
{
    size_t i = extent_at(&h->open, at);
    extent *e = h->open.item;
    int left = i > 0 && e[i - 1].at + e[i - 1].len == at;
    int right = i < h->open.len && at + len == e[i].at;
    if (left && right) {
        e[i - 1].len += len + e[i].len;
        extent_remove(&h->open, i);
    } else if (left) {
        e[i - 1].len += len;
    } else if (right) {
        e[i] = (extent){.at = at, .len = len + e[i].len};
    } else {
        (void)extent_insert(&h->open, i,
                            (extent){.at = at, .len = len}); /* out of memory: address space is lost */
    }
}

static uint64_t take_pages(heap *h, uint64_t len, uint64_t align, deja_error *err)
{
    uint64_t at = carve(h, len, align);
    if (at == UINT64_MAX) {
        deja_fail(err, DEJA_EFULL, "the shared memory of the pool has no %llu bytes of addresses left",
                  (unsigned long long)len);
        return at;
    }
    int rc;
    do
        rc = fallocate(h->fd, 0, (off_t)at, (off_t)len);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return at;
    int code = errno == ENOSPC || errno == ENOMEM ? DEJA_EFULL : deja_code_of_errno(errno);
    deja_fail(err, code, "reserve %llu bytes of shared memory: %s", (unsigned long long)len, strerror(errno));
    fallocate(h->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len);
    give_back(h, at, len);
    return UINT64_MAX;
}

/* In a forked child the pages are those of the parent. */
static void drop_pages(heap *h, uint64_t at, uint64_t len)
{
    if (getpid() != h->owner)
        return;
    mprotect(h->base + at, len, PROT_READ | PROT_WRITE); /* it may have been frozen */
    fallocate(h->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len);
    give_back(h, at, len);
}

/* ---- large blocks ---- */

static void *large_alloc(heap *h, uint64_t len, deja_error *err)
{
    len = (len + h->page - 1) & ~(h->page - 1);
    uint64_t at = take_pages(h, len, h->page, err);
    if (at == UINT64_MAX)
        return NULL;
    if (extent_insert(&h->large, extent_at(&h->large, at), (extent){.at = at, .len = len}) < 0) {
        drop_pages(h, at, len);
        deja_fail(err, DEJA_ENOMEM, "note a block of shared memory");
        return NULL;
    }
    h->used += len;
    return h->base + at;
}

static void large_free(heap *h, uint64_t at)
{
    size_t i = extent_at(&h->large, at);
    if (i == h->large.len || h->large.item[i].at != at)
        return; /* none of ours */
    extent e = h->large.item[i];
    extent_remove(&h->large, i);
    h->used -= e.len;
    drop_pages(h, e.at, e.len);
}

/* The block that holds this byte; NULL: none, or a small one. */
static extent *large_of(const heap *h, const void *data)
{
    uint64_t at = (uint64_t)((uintptr_t)data - (uintptr_t)h->base);
    size_t i = extent_at(&h->large, at + 1);
    extent *e = i > 0 ? &h->large.item[i - 1] : NULL;
    return e && at - e->at < e->len ? e : NULL;
}

/* ---- small blocks ---- */

/* Four sizes for each power of two, from 64 bytes on. */
static uint32_t class_of(uint64_t len)
{
    uint64_t units = len ? (len + heap_align - 1) / heap_align : 1;
    if (units <= 4)
        return (uint32_t)units - 1;
    uint32_t top = 63 - (uint32_t)__builtin_clzll(units - 1);
    return 4 * (top - 1) + (uint32_t)((units - 1) >> (top - 2)) - 4;
}

static uint64_t class_size(uint32_t class)
{
    if (class < 4)
        return (class + 1) * (uint64_t)heap_align;
    return (uint64_t)(class % 4 + 5) << (class / 4 - 1) << 6;
}

static void slab_link(heap *h, slab *s)
{
    slab **first = &h->roomy[s->class];
    s->next = *first;
    s->prev = NULL;
    if (*first)
        (*first)->prev = s;
    *first = s;
}

static void slab_unlink(heap *h, slab *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        h->roomy[s->class] = s->next;
    if (s->next)
        s->next->prev = s->prev;
}

static slab *slab_new(heap *h, uint32_t class, deja_error *err)
{
    uint32_t blocks = (uint32_t)(slab_bytes / class_size(class));
    slab *s = deja_calloc(1, sizeof *s + blocks * sizeof *s->after);
    uint64_t at = s ? take_pages(h, slab_bytes, slab_bytes, err) : UINT64_MAX;
    if (at == UINT64_MAX) {
        if (!s)
            deja_fail(err, DEJA_ENOMEM, "note a slab of shared memory");
        deja_free(s);
        return NULL;
    }
    *s = (slab){.at = at, .class = class, .blocks = blocks};
    for (uint32_t i = 0; i < blocks; i++)
        s->after[i] = (uint16_t)(i + 1);
    h->slabs[at / slab_bytes] = s;
    slab_link(h, s);
    return s;
}

static void *small_alloc(heap *h, uint64_t len, int zero, deja_error *err)
{
    uint32_t class = class_of(len);
    slab *s = h->roomy[class];
    if (!s)
        s = slab_new(h, class, err);
    if (!s)
        return NULL;
    uint64_t size = class_size(class);
    char *block = h->base + s->at + s->first * size;
    s->first = s->after[s->first];
    s->live++;
    h->used += size;
    if (s->first == s->blocks)
        slab_unlink(h, s);
    if (zero)
        memset(block, 0, size);
    return block;
}

/* One empty slab of a size is kept: a call that comes again and again makes no system call. */
static void small_free(heap *h, slab *s, uint64_t at)
{
    uint64_t size = class_size(s->class), i = (at - s->at) / size;
    if (s->first == s->blocks)
        slab_link(h, s);
    s->after[i] = (uint16_t)s->first;
    s->first = (uint32_t)i;
    s->live--;
    h->used -= size;
    if (s->live || (!s->prev && !s->next))
        return;
    slab_unlink(h, s);
    h->slabs[s->at / slab_bytes] = NULL;
    drop_pages(h, s->at, slab_bytes);
    deja_free(s);
}

/* ---- the whole ---- */

static uint64_t memory_of_machine(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_C(1) << 30;
}

/* A file beyond this limit is a signal (SIGXFSZ), not an error. */
static uint64_t file_limit(void)
{
    struct rlimit most;
    if (getrlimit(RLIMIT_FSIZE, &most) < 0 || most.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return most.rlim_cur & ~(uint64_t)(slab_bytes - 1);
}

/* Twice: once for its place, once for what workers write. The second is made by the zygote. */
static int map_heap(heap *h, uint64_t bytes, deja_error *err)
{
    uint64_t most = file_limit();
    if (most < 2 * slab_bytes)
        return deja_fail(
            err, DEJA_ERESOURCE,
            "the shared memory of the pool is a file, and files may have %llu bytes here: it takes %llu "
            "(ulimit -f); without worker processes (DEJA_NO_WORKERS) none is needed",
            (unsigned long long)most, (unsigned long long)(2 * slab_bytes));
    for (h->len = bytes < most ? bytes : most; h->len >= 2 * slab_bytes;
         h->len = h->len / 2 & ~(slab_bytes - 1)) {
        if (ftruncate(h->fd, (off_t)h->len) < 0)
            continue;
        void *p = mmap(NULL, h->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, h->fd, 0);
        if (p == MAP_FAILED)
            continue;
        h->base = p;
        madvise(p, h->len, MADV_DONTDUMP);
        return 0;
    }
    return deja_fail_errno(err, "map the shared memory of the pool");
}

static int heap_make(heap *h, uint64_t bytes, deja_error *err)
{
    h->page = (uint64_t)sysconf(_SC_PAGESIZE);
    h->fd = memfd_create("deja-heap", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (h->fd < 0)
        return deja_fail_errno(err, "make the shared memory of the pool");
    int rc = map_heap(h, bytes, err);
    if (rc < 0)
        return rc;
    if (fcntl(h->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return deja_fail_errno(err, "seal the shared memory of the pool");
    h->slabs = deja_calloc(h->len / slab_bytes, sizeof(slab *));
    if (!h->slabs || extent_insert(&h->open, 0, (extent){.at = 0, .len = h->len}) < 0)
        return deja_fail(err, DEJA_ENOMEM, "open the shared memory of the pool");
    return 0;
}

void heap_let_go(heap *h)
{
    if (--h->refs)
        return;
    for (uint64_t i = 0; h->slabs && i < h->len / slab_bytes; i++)
        deja_free(h->slabs[i]);
    deja_free(h->slabs);
    deja_free(h->open.item);
    deja_free(h->large.item);
    if (h->base && getpid() == h->owner) /* in its child something else may be there */
        munmap(h->base, h->len);
    if (h->twin)
        munmap(h->twin, h->len);
    if (h->fd >= 0)
        close(h->fd);
    deja_free(h);
}

int heap_open(heap **ret, uint64_t bytes, deja_error *err)
{
    heap *h = deja_calloc(1, sizeof *h);
    if (!h)
        return deja_fail(err, DEJA_ENOMEM, "open the shared memory of the pool");
    h->refs = 1;
    h->owner = getpid();
    h->fd = -1;
    if (!bytes)
        bytes = 2 * memory_of_machine();
    if (bytes < 2 * slab_bytes)
        bytes = 2 * slab_bytes;
    int rc = heap_make(h, bytes & ~(slab_bytes - 1), err);
    if (rc < 0)
        heap_let_go(h);
    else
        *ret = h;
    return rc;
}

void heap_close(heap *h)
{
    if (h)
        heap_let_go(h);
}

void *heap_alloc(heap *h, uint64_t len, int zero, deja_error *err)
{
    if (len > h->len) {
        deja_fail(
            err, DEJA_EFULL,
            "the shared memory of the pool has room for %llu bytes, not for %llu (heap_bytes, or a limit "
            "of file sizes, ulimit -f)",
            (unsigned long long)h->len, (unsigned long long)len);
        return NULL;
    }
    return len <= heap_small_most ? small_alloc(h, len, zero, err) : large_alloc(h, len, err);
}

void heap_free(heap *h, void *block)
{
    if (!block || !heap_holds(h, block, 1))
        return;
    uint64_t at = (uint64_t)((char *)block - h->base);
    slab *s = h->slabs[at / slab_bytes];
    if (s)
        small_free(h, s, at);
    else
        large_free(h, at);
}

int heap_holds(const heap *h, const void *data, uint64_t len)
{
    uint64_t at = (uint64_t)((uintptr_t)data - (uintptr_t)h->base);
    return (uintptr_t)data >= (uintptr_t)h->base && at < h->len && len <= h->len - at;
}

int heap_is_frozen(const heap *h, const void *data, uint64_t len)
{
    const extent *e = heap_holds(h, data, len) ? large_of(h, data) : NULL;
    return e && e->frozen && len <= e->len - ((uint64_t)((const char *)data - h->base) - e->at);
}

void heap_note_frozen(heap *h, const void *data)
{
    extent *e = heap_holds(h, data, 1) ? large_of(h, data) : NULL;
    if (e)
        e->frozen = 1;
}

const void *heap_base(const heap *h)
{
    return h->base;
}

uint64_t heap_len(const heap *h)
{
    return h->len;
}

uint64_t heap_used(const heap *h)
{
    return h->used;
}

int heap_turn_over(heap *h, deja_error *err)
{
    void *p = mmap(NULL, h->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, h->fd, 0);
    if (p == MAP_FAILED || mprotect(h->base, h->len, PROT_READ) < 0)
        return deja_fail_errno(err, "map the shared memory of the pool in its workers");
    h->twin = p;
    madvise(p, h->len, MADV_DONTDUMP);
    close(h->fd);
    h->fd = -1;
    return 0;
}

void heap_leave_children(heap *h)
{
    madvise(h->base, h->len, MADV_DONTFORK);
}

void *heap_writable(const heap *h, const void *block)
{
    return h->twin + ((const char *)block - h->base);
}
