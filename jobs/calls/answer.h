#ifndef ANSWER_H
#define ANSWER_H
/*
 * The answer to one call: a value or a failure, and what the value lies in. Numbers lie in the answer itself;
 * all else in a holder, shared by whoever needs it: results handed out, and the store while it keeps them.
 */
#include <deja/cache.h>
#include <deja/memory.h>
#include <deja/pool.h>

/* What a value lies in: a product fresh from the pool, or an entry of the cache. */
typedef struct holder {
    _Atomic uint32_t users;
    deja_product product;
    deja_entry *entry;
    deja_mapped mapped;
    deja_arena arena; /* nodes */
    deja_value *copy; /* of the caller's own */
} holder;

typedef struct answer {
    deja_value value;
    holder *in; /* NULL: nowhere, it is a number */
    char *text; /* why it failed; NULL when it did not */
    int32_t code;
    int32_t was_cached;
    int64_t wall_ns;
} answer;

/* Another user of the same holder where that is mapped read-only, else a copy: whoever writes to memory
 * handed out changes it for himself alone. Out of memory turns it into a failure. */
answer answer_share(const answer *a);

/* A failure with the text of `err`. */
answer answer_of_error(const deja_error *err);

/* What a task made. Takes the outcome's product and text. */
answer answer_of_outcome(deja_task_outcome *o);

/* Its value stays, the file of it is closed: results may be many, and descriptors are few. */
answer answer_without_file(answer a);

/* What the cache has; takes `entry`. DEJA_ENOTFOUND or DEJA_ECORRUPT when its value turns out unusable: a
 * miss. Under the lock. */
int answer_of_entry(deja_cache *c, deja_entry *entry, answer *ret, deja_error *err);

/* A copy of `v`. 0 or DEJA_ENOMEM. */
int answer_of_copy(const deja_value *v, answer *ret);

void holder_release(holder *h);

/* Zeroed is fine. */
void answer_done(answer *a);

#endif
