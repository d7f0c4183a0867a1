#ifndef DEJA_PARENTS_H
#define DEJA_PARENTS_H

/* The folder that holds `path`: "a" for "a/b" and "a/b/", "." for "b", "/" for "/b". Free with deja_free;
   NULL when out of memory. */
char *parents_folder(const char *path);

#endif
