#ifndef FUNCTION_H
#define FUNCTION_H
/*
 * Defined functions: their identity, and the keys of their calls.
 */
#include "context.h"
#include <deja/key.h>

struct deja_fn {
    deja_fn *next;
    deja *d;
    char *name, *version, *scope;
    deja_job_fn function;
    deja_fn_options options; /* `scope` is not kept */
    deja_pool_function *pooled;
    unsigned char build[64]; /* strict: build-id */
    size_t build_len;
};

/* 1: its results are looked up or kept. */
int function_is_cached(const deja_fn *f);

/* What a call is looked up by, and the files among its arguments as they were then. Zeroed memory is ready.
 */
typedef struct call_key {
    deja_key fields;
    deja_hash hash;
    deja_digest_item *files; /* paths are owned */
    size_t file_count, file_cap;
} call_key;

void call_key_clear(call_key *k);
void call_key_done(call_key *k);

/* 0, or DEJA_EINVAL: what is wrong with an argument, naming function and argument. */
int function_check(const deja_fn *f, const deja_value *args, size_t n, deja_error *err);

/*
 * The key of a call. Not under the lock, which is taken while files are hashed. 0 or negative: what is wrong
 * with an argument, naming function and argument.
 */
int function_key(deja_fn *f, const deja_value *args, size_t n, call_key *ret, deja_error *err);

/* One argument or field of a memo by its value. Not under the lock. 0 or negative. */
int function_add_argument(deja *d, call_key *key, const char *name, const deja_value *v, deja_error *err);

/* Appends "simulate(1000, 0.01)", for people; long arguments are cut. */
void function_label(deja_buffer *b, const deja_fn *f, const deja_value *args, size_t n);

/* 1: by age and rule the result may be used. The rule is called without the lock, which is held before and
 * after. */
int function_allows(deja_fn *f, const deja_entry *entry);

void function_free_all(deja *d);

#endif
