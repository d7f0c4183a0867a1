#ifndef DEPFILE_H
#define DEPFILE_H
/*
 * Depfiles: what a compiler read, as a rule of a makefile. Formats: `gcc -MD` and kin (GCC manual,
 * Preprocessor Options), of GNU make (manual, Rule Syntax) what these write: targets, a colon, prerequisites;
 * backslash and newline join lines; `\ ` and `\#` are a blank and a hash, `$$` a dollar. Rules without
 * prerequisites (-MP) say nothing.
 */
#include <deja/error.h>
#include <stddef.h>

/* A prerequisite; non-zero ends the parse and is its result. Borrowed during the call. */
typedef int (*depfile_each)(void *context, const char *path, deja_error *err);

/* Calls `each` for every prerequisite of every rule, in the order written, repetitions included. DEJA_EINVAL
 * with the line: a NUL byte, a rule without a colon; DEJA_ENOMEM. */
int depfile_parse(const char *text, size_t len, depfile_each each, void *context, deja_error *err);

#endif
