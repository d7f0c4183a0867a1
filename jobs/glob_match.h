#ifndef GLOB_MATCH_H
#define GLOB_MATCH_H
/*
 * Matching of one component of a path.
 */
#include <stddef.h>

/* 1 when `name` (no slash in it) matches the component `pattern`. `**` is like `*` here. */
int glob_match_name(const char *pattern, size_t pattern_len, const char *name, size_t name_len);

#endif
