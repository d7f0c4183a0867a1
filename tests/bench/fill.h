#ifndef FILL_H
#define FILL_H
/*
 * Fills a cache with many entries without running anything: rows are written straight through the inside of
 * the cache, in large transactions. For benchmarks only.
 */
#include <deja/cache.h>

/*
 * Stores `count` entries in the cache at `folder`, which is made when missing. `each` is called with a zeroed
 * entry for each i from 0: it sets key, encoding, label and whatever else matters, contents INLINE or RECORD;
 * all that is borrowed until the next call. A negative code of `each` ends the filling.
 */
int fill_cache(const char *folder, uint64_t count,
               int (*each)(void *context, uint64_t i, deja_entry *ret, deja_error *err), void *context,
               deja_error *err);

#endif
