#ifndef JOB_LIST_H
#define JOB_LIST_H
/*
 * Files that hold lists of paths, for commands that could not take so many words: `${{ count.outputs.list
 * }}`. What an instance knows of them is their content; its name is a hash of that, so that the content is in
 * the key. Private to job*.c.
 */
#include "job.h"

#define JOB_LIST_FOLDER ".deja/lists" /* below the batch's folder */

/* Adds a list with `separator` (newline or NUL) behind each item, once; `ret_path` is its place. DEJA_EINVAL:
 * an item holds a newline. DEJA_ENOMEM. */
int job_list_add(job *j, const char *const *items, size_t count, char separator, const char **ret_path,
                 deja_error *err);

#endif
