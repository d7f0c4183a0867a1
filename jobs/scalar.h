#ifndef SCALAR_H
#define SCALAR_H
/*
 * What a scalar without quotes is by YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema):
 * null, a truth value, a number, or else a text.
 */
#include <deja/value.h>

/* A text borrows `text` (NUL-terminated). Whole numbers are i64, or u64 where only that fits. DEJA_ELIMIT: a
 * number that is too large. */
int scalar_of(const char *text, size_t len, deja_value *ret, deja_error *err);

#endif
