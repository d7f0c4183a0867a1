/* The order of the history's records, see history_index.h. */
#include "history_index.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAGIC UINT64_C(0x3178646968616a64) /* "djahidx1" where the lowest byte is first */

static const char file_name[] = ".history.index";

static int compare_ids(const history_id *a, const history_id *b)
{
    if (a->job != b->job)
        return a->job < b->job ? -1 : 1;
    return a->params == b->params ? 0 : a->params < b->params ? -1 : 1;
}

/* The newest of an identity first. */
static int compare(const void *left, const void *right)
{
    const history_item *a = left, *b = right;
    int order = compare_ids(&a->id, &b->id);
    if (order)
        return order;
    return a->at == b->at ? 0 : a->at > b->at ? -1 : 1;
}

/* The first item that is not before this identity. */
static size_t lower_bound(const history_item *items, size_t count, const history_id *id)
{
    size_t first = 0;
    while (count > 0) {
        size_t half = count / 2;
        if (compare_ids(&items[first + half].id, id) < 0) {
            first += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return first;
}

static int is_right(const history_index_header *h, size_t len, uint64_t generation, uint64_t log_size)
{
    return h->magic == MAGIC && h->generation == generation && h->covered <= log_size &&
           h->count == (len - sizeof *h) / sizeof(history_item) &&
           (len - sizeof *h) % sizeof(history_item) == 0;
}

void history_index_open(history_index *x, int runs_fd, uint64_t generation, uint64_t log_size)
{
    *x = (history_index){0};
    DEJA_AUTO_CLOSE int fd = openat(runs_fd, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(history_index_header))
        return;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return;
    const history_index_header *h = map;
    if (!is_right(h, (size_t)st.st_size, generation, log_size)) {
        munmap(map, (size_t)st.st_size);
        return;
    }
    *x = (history_index){.base = (const history_item *)(h + 1),
                         .base_count = (size_t)h->count,
                         .covered = h->covered,
                         .map = map,
                         .map_len = (size_t)st.st_size};
}

void history_index_close(history_index *x)
{
    if (x->map)
        munmap(x->map, x->map_len);
    deja_free(x->tail);
    *x = (history_index){0};
}

int history_index_add(history_index *x, const history_item *item)
{
    history_item *tail = deja_grow(x->tail, x->tail_count, &x->tail_cap, sizeof *tail);
    if (!tail)
        return DEJA_ENOMEM;
    x->tail = tail;
    tail[x->tail_count++] = *item;
    return 0;
}

void history_index_sort(history_index *x)
{
    if (x->tail_count)
        qsort(x->tail, x->tail_count, sizeof *x->tail, compare);
}

static size_t find_in(const history_item *items, size_t count, const history_id *id, history_item *ret,
                      size_t most)
{
    size_t n = 0;
    for (size_t i = lower_bound(items, count, id); i < count && n < most && !compare_ids(&items[i].id, id);
         i++)
        ret[n++] = items[i];
    return n;
}

size_t history_index_find(const history_index *x, const history_id *id, history_item *ret, size_t most)
{
    size_t n = find_in(x->tail, x->tail_count, id, ret, most);
    return n + find_in(x->base, x->base_count, id, ret + n, most - n);
}

size_t history_index_job(const history_item *items, size_t count, uint64_t of, size_t *ret_first)
{
    const history_id first = {.job = of}, next = {.job = of + 1};
    *ret_first = lower_bound(items, count, &first);
    return (of == UINT64_MAX ? count : lower_bound(items, count, &next)) - *ret_first;
}

/* ---- keeping ---- */

/* The next of both lists in order, the tail's before the base's where they are of one identity: newer. */
static const history_item *next_merged(const history_index *x, size_t *tail, size_t *base)
{
    if (*tail < x->tail_count &&
        (*base == x->base_count || compare_ids(&x->tail[*tail].id, &x->base[*base].id) <= 0))
        return &x->tail[(*tail)++];
    return *base < x->base_count ? &x->base[(*base)++] : NULL;
}

/* Of each identity what is worth to be kept. */
static size_t merge(const history_index *x, size_t successes, history_item *ret)
{
    size_t n = 0, tail = 0, base = 0, good = 0;
    for (const history_item *i; (i = next_merged(x, &tail, &base));) {
        if (n == 0 || compare_ids(&ret[n - 1].id, &i->id) != 0) {
            /* a first item is always kept: a success, or a failure that came after all successes */
            good = 0;
        } else if (good == successes || (i->flags & HISTORY_FAILED)) {
            continue;
        }
        good += !(i->flags & HISTORY_FAILED);
        ret[n++] = *i;
    }
    return n;
}

static uint64_t bytes_of(const history_item *items, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += items[i].len;
    return bytes;
}

static int compare_age(const void *left, const void *right)
{
    const history_item *a = *(const history_item *const *)left, *b = *(const history_item *const *)right;
    return a->started_ns == b->started_ns ? 0 : a->started_ns > b->started_ns ? -1 : 1;
}

/* Drops the oldest until the rest is small enough. */
static int drop_oldest(history_item *items, size_t *count, uint64_t most_bytes)
{
    DEJA_AUTO_FREE const history_item **by_age = deja_realloc_array(NULL, *count, sizeof *by_age);
    if (!by_age)
        return DEJA_ENOMEM;
    for (size_t i = 0; i < *count; i++)
        by_age[i] = &items[i];
    qsort(by_age, *count, sizeof *by_age, compare_age);
    uint64_t bytes = 0;
    int64_t oldest_ns = INT64_MIN;
    for (size_t i = 0; i < *count && oldest_ns == INT64_MIN; i++)
        if ((bytes += by_age[i]->len) > most_bytes)
            oldest_ns = by_age[i]->started_ns;
    size_t n = 0;
    for (size_t i = 0; i < *count; i++)
        if (items[i].started_ns > oldest_ns)
            items[n++] = items[i];
    *count = n;
    return 0;
}

int history_index_keep(const history_index *x, uint64_t most_bytes, history_item **ret, size_t *ret_count,
                       uint64_t *ret_bytes)
{
    DEJA_AUTO_FREE history_item *items =
        deja_realloc_array(NULL, x->tail_count + x->base_count, sizeof *items);
    if (!items)
        return DEJA_ENOMEM;
    size_t n = merge(x, HISTORY_RUNS, items);
    if (bytes_of(items, n) > most_bytes)
        n = merge(x, 1, items);
    if (bytes_of(items, n) > most_bytes && drop_oldest(items, &n, most_bytes) < 0)
        return DEJA_ENOMEM;
    *ret_bytes = bytes_of(items, n);
    *ret_count = n;
    *ret = deja_take(items);
    return 0;
}

int history_index_save(int runs_fd, uint64_t generation, uint64_t covered, const history_item *items,
                       size_t count, deja_error *err)
{
    const history_index_header h = {
        .magic = MAGIC, .generation = generation, .covered = covered, .count = count};
    DEJA_AUTO_CLOSE int fd = deja_file_begin(runs_fd, file_name, 0600, err);
    if (fd < 0)
        return fd;
    int status = deja_file_write_all(fd, &h, sizeof h, file_name, err);
    if (status == 0)
        status = deja_file_write_all(fd, items, count * sizeof *items, file_name, err);
    return status ? status : deja_file_publish(fd, runs_fd, file_name, 0, err);
}
