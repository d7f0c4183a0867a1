/* Shared arrays, see shared.h. */
#include "shared.h"
#include <deja/cleanup.h>
#include <string.h>

/* What the caller holds is the first member. */
struct deja_shared {
    deja_array array; /* a copy of the pool's, with `shared` pointing here */
    deja_array *pooled;
    deja *d;
    struct deja_shared *next;
    deja_hash hash;
    uint64_t users; /* calls under way */
    int frozen, hashed;
    int freed; /* by the caller; the last user frees */
};

struct shared_held {
    size_t count, cap;
    struct deja_shared **item;
};

/* ---- used ---- */

/* Under the lock: the array in whose memory `a` begins. Views may be made by hand, without `shared`. */
static struct deja_shared *home_of(const deja *d, const deja_array *a)
{
    for (struct deja_shared *s = d->arrays; s; s = s->next) {
        uintptr_t from = (uintptr_t)s->array.data, at = (uintptr_t)a->data;
        if (at >= from && at - from < deja_array_bytes(&s->array))
            return s;
    }
    return NULL;
}

static int freeze_array(deja *d, const deja_array *a, deja_error *err)
{
    if (!a || !a->data || (a->shared && a->shared->d == d && a->shared->frozen))
        return 0;
    int rc = context_enter(d, err);
    if (rc < 0)
        return rc;
    struct deja_shared *s = home_of(d, a);
    if (s && !s->frozen) {
        rc = deja_pool_array_freeze(d->pool, s->pooled, err);
        s->frozen = rc == 0;
    }
    context_leave(d);
    return rc;
}

int shared_is_frozen(deja *d, const deja_array *a)
{
    if (context_enter(d, NULL) < 0)
        return 0;
    struct deja_shared *s = home_of(d, a);
    int frozen = s && s->frozen;
    context_leave(d);
    return frozen;
}

static int freeze(deja *d, const deja_value *v, int depth, deja_error *err)
{
    int rc = 0;
    if (v->kind == DEJA_ARRAY)
        return freeze_array(d, v->array, err);
    if (depth >= DEJA_DEPTH_MAX || (v->kind != DEJA_LIST && v->kind != DEJA_MAP) || !v->list)
        return 0;
    for (uint64_t i = 0; rc == 0 && i < v->len; i++)
        rc = freeze(d, v->kind == DEJA_LIST ? &v->list[i] : &v->map[i].value, depth + 1, err);
    return rc;
}

int shared_freeze(deja *d, const deja_value *args, size_t n, deja_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = args[i].kind >= DEJA_ARRAY ? freeze(d, &args[i], 0, err) : 0;
    return rc;
}

/* ---- held ---- */

static int hold(deja *d, struct shared_held *h, const deja_value *v, int depth)
{
    int ok = 1;
    struct deja_shared *s = v->kind == DEJA_ARRAY && v->array ? home_of(d, v->array) : NULL;
    if (s) {
        struct deja_shared **grown = deja_grow(h->item, h->count, &h->cap, sizeof *grown);
        if (!grown)
            return 0;
        h->item = grown;
        h->item[h->count++] = s;
        s->users++;
    }
    if (depth >= DEJA_DEPTH_MAX || (v->kind != DEJA_LIST && v->kind != DEJA_MAP))
        return 1;
    for (uint64_t i = 0; ok && i < v->len; i++)
        ok = hold(d, h, v->kind == DEJA_LIST ? &v->list[i] : &v->map[i].value, depth + 1);
    return ok;
}

int shared_hold(deja *d, const deja_value *args, size_t n, shared_held **ret)
{
    int ok = 1;
    for (size_t i = 0; ok && d->arrays && i < n; i++) {
        if (args[i].kind < DEJA_ARRAY)
            continue;
        if (!*ret)
            *ret = deja_calloc(1, sizeof **ret);
        ok = *ret && hold(d, *ret, &args[i], 0);
    }
    return ok;
}

static int hash_packed(const deja_array *a, deja_hash *ret, deja_error *err)
{
    uint64_t len = deja_array_bytes(a);
    if (deja_array_is_plain(a)) {
        *ret = deja_hash_bytes(a->data, len);
        return 0;
    }
    DEJA_AUTO_FREE void *packed = deja_realloc(NULL, len);
    if (!packed)
        return deja_fail(err, DEJA_ENOMEM, "hash an array: out of memory");
    deja_array_pack(a, packed);
    *ret = deja_hash_bytes(packed, len);
    return 0;
}

/* The whole of it, as it was made. */
static int is_whole(const struct deja_shared *s, const deja_array *a)
{
    return s->array.data == a->data && deja_array_bytes(&s->array) == deja_array_bytes(a) &&
           deja_array_is_plain(a);
}

int shared_hash(deja *d, const deja_array *a, deja_hash *ret, deja_error *err)
{
    struct deja_shared *s = a->shared;
    if (!s || s->d != d || !s->frozen || !is_whole(s, a))
        return hash_packed(a, ret, err);
    int rc = 0, hashed = __atomic_load_n(&s->hashed, __ATOMIC_ACQUIRE);
    if (hashed) {
        *ret = s->hash;
        return 0;
    }
    rc = hash_packed(a, ret, err);
    if (rc < 0 || (rc = context_enter(d, err)) < 0)
        return rc;
    s->hash = *ret;
    __atomic_store_n(&s->hashed, 1, __ATOMIC_RELEASE);
    context_leave(d);
    return 0;
}

/* ---- made and freed ---- */

static deja_array *make(deja *d, uint32_t dtype, uint32_t ndim, const int64_t *shape, deja_error *err)
{
    struct deja_shared *s = deja_calloc(1, sizeof *s);
    if (!s) {
        deja_fail(err, DEJA_ENOMEM, "make an array: out of memory");
        return NULL;
    }
    if (deja_pool_array_new(d->pool, dtype, ndim, shape, &s->pooled, err) < 0) {
        deja_free(s);
        return NULL;
    }
    s->array = *s->pooled;
    s->array.shared = s;
    s->d = d;
    s->next = d->arrays;
    d->arrays = s;
    return &s->array;
}

deja_array *deja_array_new(deja *d, uint32_t dtype, uint32_t ndim, const int64_t *shape, deja_error *err)
{
    if (!d || context_enter(d, err) < 0)
        return NULL;
    deja_array *a = make(d, dtype, ndim, shape, err);
    context_leave(d);
    return a;
}

deja_array *deja_array_edit(const deja_array *a, deja_error *err)
{
    if (!a)
        return NULL;
    if (!a->shared) {
        deja_fail(err, DEJA_EINVAL, "only an array of deja_array_new can be edited");
        return NULL;
    }
    deja_array *b = deja_array_new(a->shared->d, a->dtype, a->ndim, a->shape, err);
    if (b)
        deja_array_pack(a, b->data);
    return b;
}

static void unmake(struct deja_shared *s)
{
    struct deja_shared **at = &s->d->arrays;
    while (*at && *at != s)
        at = &(*at)->next;
    if (*at)
        *at = s->next;
    deja_pool_array_free(s->d->pool, s->pooled);
    deja_free(s);
}

void deja_array_free(deja_array *a)
{
    if (!a || !a->shared || context_enter(a->shared->d, NULL) < 0)
        return;
    deja *d = a->shared->d;
    a->shared->freed = 1;
    if (!a->shared->users)
        unmake(a->shared);
    context_leave(d);
}

void shared_let_go(shared_held *h)
{
    for (size_t i = 0; h && i < h->count; i++)
        if (--h->item[i]->users == 0 && h->item[i]->freed)
            unmake(h->item[i]);
    deja_free(h ? h->item : NULL);
    deja_free(h);
}

void shared_free_all(deja *d)
{
    while (d->arrays) {
        struct deja_shared *s = d->arrays;
        d->arrays = s->next;
        deja_pool_array_free(d->pool, s->pooled);
        deja_free(s);
    }
}
