/* One call at a time: answered or computed; asked about, forgotten, referred to. */
#include "flight.h"
#include "results.h"
#include <deja/cleanup.h>
#include <stdio.h>
#include <string.h>

#define REFERENCE_SCHEME "deja:"

/* ---- calling ---- */

/* Waits until a call of its own list is answered. */
static deja_future *wait_for(deja_fn *f, future_list *own)
{
    deja_future *future;
    pthread_mutex_lock(&f->d->lock);
    while (!(future = own->first))
        context_turn(f->d, INT64_MAX);
    return future;
}

static deja_results *call(deja_fn *f, const deja_value *args, size_t n, uint32_t flags, deja_error *err)
{
    future_list own = {0};
    deja_done done = {0};
    if (!f || !future_begin(f, args, n, flags, &own, 0, err))
        return NULL;
    int rc = results_of_future(wait_for(f, &own), &done, err);
    context_leave(f->d);
    if (rc < 0 || done.code == 0)
        return done.results;
    deja_fail(err, done.code, "%s", done.error);
    deja_done_free(&done);
    return NULL;
}

deja_results *deja_call(deja_fn *f, const deja_value *args, size_t n, deja_error *err)
{
    return call(f, args, n, 0, err);
}

deja_results *deja_call_forced(deja_fn *f, const deja_value *args, size_t n, deja_error *err)
{
    return call(f, args, n, DEJA_FORCE, err);
}

static int fail_type(const deja_fn *f, const deja_value *v, const char *wanted, deja_error *err)
{
    return deja_fail(err, DEJA_ETYPE, "'%s' returned %s, expected %s", f->name, deja_kind_name(v->kind),
                     wanted);
}

static int number_of(const deja_fn *f, const deja_value *v, double *ret, deja_error *err)
{
    double x;
    if (v->kind == DEJA_F64)
        x = v->f64;
    else if (v->kind == DEJA_I64 || v->kind == DEJA_BOOL)
        x = (double)v->i64;
    else if (v->kind == DEJA_U64)
        x = (double)v->u64;
    else
        return fail_type(f, v, "a number", err);
    if (v->kind != DEJA_F64 && (x >= 0x1p63 ? (uint64_t)x != v->u64 || x >= 0x1p64 : (int64_t)x != v->i64))
        return deja_fail(err, DEJA_ETYPE, "'%s' returned a whole number that no double can hold", f->name);
    if (ret)
        *ret = x;
    return 0;
}

int deja_call_f64(deja_fn *f, const deja_value *args, size_t n, double *ret, deja_error *err)
{
    deja_results *r = deja_call(f, args, n, err);
    if (!r)
        return err && err->code < 0 ? err->code : DEJA_EINVAL;
    int rc = number_of(f, deja_results_at(r, 0), ret, err);
    deja_results_free(r);
    return rc;
}

static int whole_of(const deja_fn *f, const deja_value *v, int64_t *ret, deja_error *err)
{
    if (v->kind != DEJA_I64 && v->kind != DEJA_BOOL && !(v->kind == DEJA_U64 && v->u64 <= INT64_MAX))
        return fail_type(f, v, "a whole number", err);
    if (ret)
        *ret = v->i64;
    return 0;
}

int deja_call_i64(deja_fn *f, const deja_value *args, size_t n, int64_t *ret, deja_error *err)
{
    deja_results *r = deja_call(f, args, n, err);
    if (!r)
        return err && err->code < 0 ? err->code : DEJA_EINVAL;
    int rc = whole_of(f, deja_results_at(r, 0), ret, err);
    deja_results_free(r);
    return rc;
}

/* ---- asking and forgetting ---- */

/* An entry, valid or not, or NULL. Under the lock. */
static deja_entry *find_entry(deja_fn *f, const call_key *key, deja_error *err)
{
    const deja_buffer *fields = &key->fields.bytes;
    deja_lookup item = {.key = key->hash, .encoding = fields->data, .encoding_len = fields->len};
    if (deja_cache_lookup(f->d->cache, &item, 1, err) < 0 || !item.entry)
        return NULL;
    if (item.entry->has_value)
        return item.entry;
    deja_entry_free(item.entry);
    return NULL;
}

/* The same when it is valid. */
static deja_entry *valid_entry(deja_fn *f, const call_key *key, deja_error *err)
{
    deja_entry *entry = find_entry(f, key, err);
    if (!entry || function_allows(f, entry))
        return entry;
    deja_entry_free(entry);
    return NULL;
}

/* The key, and the lock; without a cache 0 and no lock, else 1 or a negative code. */
static int enter_with_key(deja_fn *f, const deja_value *args, size_t n, call_key *key, deja_error *err)
{
    if (!f)
        return DEJA_EINVAL;
    if (context_check(err) < 0)
        return DEJA_EINVAL;
    if (!function_is_cached(f))
        return 0;
    if (n > 0 && !args)
        return deja_fail(err, DEJA_EINVAL, "'%s': %zu arguments, but none given", f->name, n);
    int rc = function_key(f, args, n, key, err);
    if (rc == 0)
        rc = context_enter(f->d, err);
    return rc < 0 ? rc : 1;
}

static void wait_stored(deja *d, const deja_hash *hash)
{
    while (flight_keeps(d, hash))
        context_turn(d, INT64_MAX);
}

int deja_is_cached(deja_fn *f, const deja_value *args, size_t n, deja_error *err)
{
    call_key key = {0};
    int rc = enter_with_key(f, args, n, &key, err);
    if (rc == 1) {
        deja_error why = {0};
        wait_stored(f->d, &key.hash);
        deja_entry *entry = valid_entry(f, &key, &why);
        rc = entry != NULL;
        if (!entry && why.code < 0)
            rc = deja_fail(err, why.code, "%s", why.text);
        deja_entry_free(entry);
        context_leave(f->d);
    }
    call_key_done(&key);
    return rc;
}

int deja_forget(deja_fn *f, const deja_value *args, size_t n, deja_error *err)
{
    call_key key = {0};
    int rc = enter_with_key(f, args, n, &key, err);
    if (rc == 1) {
        flight_wait_kept(f->d); /* it would come after */
        rc = deja_cache_forget(f->d->cache, &key.hash, err);
        context_leave(f->d);
    }
    call_key_done(&key);
    return rc;
}

static int is_text(const deja_field *field, const char *text)
{
    return field->value_len == strlen(text) && memcmp(field->value, text, field->value_len) == 0;
}

/* Whether an entry is a result of the function, of whatever version. */
static int is_of_function(void *context, const deja_listed *listed, const void *encoding, size_t len)
{
    const deja_fn *f = context;
    deja_field field;
    int same = 0;
    (void)listed;
    for (size_t at = 0; deja_field_next(encoding, len, &at, &field) > 0;) {
        if (field.tag == DEJA_FIELD_KIND && !is_text(&field, "function"))
            return 0;
        same += field.tag == DEJA_FIELD_SCOPE && is_text(&field, f->scope);
        same += field.tag == DEJA_FIELD_FUNCTION && is_text(&field, f->name);
    }
    return same == 2;
}

int64_t deja_forget_function(deja_fn *f, deja_error *err)
{
    uint64_t count = 0;
    if (!f)
        return DEJA_EINVAL;
    int rc = context_enter(f->d, err);
    if (rc < 0)
        return rc;
    if (f->d->cache) {
        flight_wait_kept(f->d); /* it would come after */
        rc = deja_cache_forget_where(f->d->cache, is_of_function, f, &count, err);
    }
    context_leave(f->d);
    return rc < 0 ? rc : (int64_t)count;
}

int64_t deja_forget_all(deja *d, deja_error *err)
{
    uint64_t count = 0;
    int rc = context_enter(d, err);
    if (rc < 0)
        return rc;
    if (d->cache) {
        flight_wait_kept(d);
        rc = deja_cache_clear(d->cache, &count, err);
    }
    context_leave(d);
    return rc < 0 ? rc : (int64_t)count;
}

/* ---- references ---- */

static void write_reference(const deja_hash *hash, char ret[DEJA_REFERENCE])
{
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(hash, hex);
    snprintf(ret, DEJA_REFERENCE, REFERENCE_SCHEME "%s", hex);
}

/* What the cache has for a call. */
typedef struct kept {
    deja_hash hash;
    int64_t created_ns; /* 0: nothing */
} kept;

/* Whether an entry may be referred to. What was made since `before` is what the call has just computed: no
 * rule is asked whether it may be used again. */
static int may_refer(deja_fn *f, const deja_entry *entry, const kept *before)
{
    if (before && entry->created_ns != before->created_ns)
        return 1;
    return !(f->d->flags & DEJA_REFRESH) && function_allows(f, entry);
}

/* 1 kept, 0 not, or negative. `before`: how it was before the call was computed, else NULL. */
static int is_kept(deja_fn *f, const deja_value *args, size_t n, const kept *before, kept *ret,
                   deja_error *err)
{
    call_key key = {0};
    int rc = enter_with_key(f, args, n, &key, err);
    *ret = (kept){0};
    if (rc == 1) {
        wait_stored(f->d, &key.hash);
        deja_entry *entry = find_entry(f, &key, err);
        rc = entry && may_refer(f, entry, before);
        ret->created_ns = entry ? entry->created_ns : 0;
        deja_entry_free(entry);
        context_leave(f->d);
    }
    ret->hash = key.hash;
    call_key_done(&key);
    return rc;
}

/* Computes it and waits until it is durable; another one's trouble is not its own. */
static int compute_and_keep(deja_fn *f, const deja_value *args, size_t n, deja_error *err)
{
    deja_error own = {0};
    deja_results *r = deja_call(f, args, n, err ? err : &own);
    int rc = r ? context_enter(f->d, err) : err ? err->code : own.code;
    deja_results_free(r);
    if (rc < 0)
        return rc;
    flight_wait_kept(f->d);
    context_leave(f->d);
    return 0;
}

int deja_shelve(deja_fn *f, const deja_value *args, size_t n, char ret[DEJA_REFERENCE], deja_error *err)
{
    kept before, now;
    if (!f)
        return DEJA_EINVAL;
    if (!function_is_cached(f))
        return deja_fail(err, DEJA_EINVAL, "'%s': a reference needs a cache", f->name);
    int rc = is_kept(f, args, n, NULL, &before, err);
    now = before;
    if (rc == 0 && !f->d->claims)
        return deja_fail(err, DEJA_EDENIED, "'%s': there is no result yet, and this cache keeps none",
                         f->name);
    if (rc == 0) {
        rc = compute_and_keep(f, args, n, err);
        if (rc == 0)
            rc = is_kept(f, args, n, &before, &now, err);
        if (rc == 0)
            return deja_fail(err, DEJA_EIO, "'%s': its result could not be kept", f->name);
    }
    if (rc < 0)
        return rc;
    write_reference(&now.hash, ret);
    return 0;
}

static deja_results *results_of_entry(deja *d, deja_entry *entry, deja_error *err)
{
    answer a;
    deja_results *r = results_new(1);
    if (!r) {
        deja_entry_free(entry);
        deja_fail(err, DEJA_ENOMEM, "load a result: out of memory");
        return NULL;
    }
    if (answer_of_entry(d->cache, entry, &a, err) < 0) {
        deja_results_free(r);
        return NULL;
    }
    results_put(r, 0, a);
    return r;
}

deja_results *deja_fetch(deja *d, const char *reference, deja_error *err)
{
    deja_hash hash;
    deja_entry *entry = NULL;
    deja_results *r = NULL;
    size_t len = strlen(REFERENCE_SCHEME);
    if (!d || context_enter(d, err) < 0)
        return NULL;
    if (!reference || strncmp(reference, REFERENCE_SCHEME, len) != 0 ||
        deja_hash_parse(&hash, reference + len) < 0)
        deja_fail(err, DEJA_ESYNTAX, "'%.64s' is no reference of deja", reference ? reference : "");
    else if (!d->cache)
        deja_fail(err, DEJA_ENOTFOUND, "there is no cache to fetch from");
    else if (deja_cache_find(d->cache, reference + len, &entry, err) < 0)
        deja_fail_in(err, "fetch %s", reference);
    else if (!entry->has_value)
        deja_fail(err, DEJA_ETYPE, "%s is the result of a command, not of a function", reference);
    else
        r = results_of_entry(d, deja_take(entry), err);
    deja_entry_free(entry);
    context_leave(d);
    return r;
}
