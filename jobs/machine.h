#ifndef MACHINE_H
#define MACHINE_H
/*
 * How much the machine has to do, and how much memory it has. Both come from a source, NULL or zeroed memory
 * that of the machine that we run on; tests put others in its place.
 */
#include <deja/clock.h>

typedef struct machine_source {
    double (*load)(void *context);          /* the load average of the last minute; negative: not known */
    uint64_t (*memory_free)(void *context); /* bytes that programs can have now; 0: not known */
    void *context;
    const deja_clock *clock;
} machine_source;

double machine_load(const machine_source *m);
uint64_t machine_memory_free(const machine_source *m);

/* Bytes of memory that the machine has; 0: not known. */
uint64_t machine_memory(void);

#endif
