#ifndef YAML_CHECK_H
#define YAML_CHECK_H
/*
 * What is looked at around libyaml: the bytes of a file before it reads them, what follows the document, and
 * its complaints, said in words of the file.
 */
#include "source.h"

/*
 * Refuses what is too large, is no UTF-8 or begins with directives other than %YAML. `*ret_empty` is 1 when
 * the text has nothing but blanks and comments.
 */
int yaml_check_text(const source *s, int *ret_empty, deja_error *err);

/* Refuses anything but blanks, comments and "..." from byte `offset` on, where the document has ended: with
 * "..." when `ended`. */
int yaml_check_rest(const source *s, size_t offset, int ended, deja_error *err);

/* Fails with libyaml's complaint at `at`, about what began at `begin` (line 0: unknown). */
int yaml_problem(const source *s, mark at, mark begin, const char *problem, const char *context,
                 deja_error *err);

#endif
