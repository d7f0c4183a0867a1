#ifndef GLOB_MATCH_H
#define GLOB_MATCH_H
/*
 * Matching of one component of a path.
 */
#include <stddef.h>

/* 1 when `name` (no slash in it) matches the component `pattern`. `**` is like `*` here. */
int glob_match_name(const char *pattern, size_t pattern_len, const char *name, size_t name_len);

/* The same for a text that is no path: slashes and a leading dot are characters like any other. */
int glob_match_text(const char *pattern, size_t pattern_len, const char *text, size_t len);

#endif
