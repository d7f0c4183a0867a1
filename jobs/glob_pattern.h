#ifndef GLOB_PATTERN_H
#define GLOB_PATTERN_H
/*
 * A pattern as a machine that is fed the names along a path. Its states are its components; a set of states
 * is a word of bits, so that a folder needs to be read only once however many `**` lead to it.
 */
#include <deja/buffer.h>
#include <deja/memory.h>
#include <stdint.h>

enum { GLOB_COMPONENTS = 63 }; /* bits of a set of states, but one for the end */

typedef struct glob_component {
    const char *text;
    size_t len;
    const char *literal; /* without escapes; NULL for a pattern */
    int any_depth;       /* `**` */
} glob_component;

typedef struct glob_pattern {
    glob_component components[GLOB_COMPONENTS];
    size_t count;
    int want_folders; /* it ends with a slash */
} glob_pattern;

/* Bit s: component s may match the next name. Bit `count`: the path so far matches. */
typedef uint64_t glob_states;

/*
 * Splits `text`: what stands before the first component with a pattern in it goes into `prefix`, without
 * escapes. Memory from `arena`; DEJA_ELIMIT for more than GLOB_COMPONENTS.
 */
int glob_pattern_split(glob_pattern *ret, const char *text, deja_buffer *prefix, deja_arena *arena,
                       deja_error *err);

glob_states glob_pattern_begin(const glob_pattern *p);

/* The states behind `name`, 0 when nothing matches it; `**` takes only folders. */
glob_states glob_pattern_next(const glob_pattern *p, glob_states states, const char *name, int is_folder);

/* The part of the states from which something may follow, and 1 when the path so far matches. */
glob_states glob_pattern_inside(const glob_pattern *p, glob_states states);
int glob_pattern_is_end(const glob_pattern *p, glob_states states);

/* 1 when only reading the folder tells which names match. */
int glob_pattern_must_read(const glob_pattern *p, glob_states states);

#endif
