#ifndef DEJA_STOP_H
#define DEJA_STOP_H
/*
 * A wish to stop, uttered by any thread or signal handler, and looked at from time to time by whoever does
 * something long. Zeroed: no wish.
 */
typedef struct deja_stop {
    int wished;
} deja_stop;

static inline void deja_stop_set(deja_stop *s, int wished)
{
    __atomic_store_n(&s->wished, wished, __ATOMIC_RELAXED);
}

/* NULL is never stopped. */
static inline int deja_stop_wished(const deja_stop *s)
{
    return s && __atomic_load_n(&s->wished, __ATOMIC_RELAXED);
}

#endif
