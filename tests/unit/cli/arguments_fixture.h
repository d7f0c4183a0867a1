#ifndef ARGUMENTS_FIXTURE_H
#define ARGUMENTS_FIXTURE_H
/*
 * Sources of arguments for tests: words, pipes, and what comes out of them as one text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rows.h"
#include <deja/cleanup.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static inline void write_to(int fd, const void *data, size_t len)
{
    assert_int_equal(write(fd, data, len), (ssize_t)len);
}

/* A source of the words in `text`, which blanks separate and which is taken apart. */
static inline void add_words(rows *r, int linked, char *text, const char **list)
{
    size_t count = 0;
    for (char *word = strtok_r(text, " ", &text); word; word = strtok_r(NULL, " ", &text))
        list[count++] = word;
    item_source *s = rows_add(r, linked);
    assert_non_null(s);
    *s = (item_source){.words = list, .word_count = count, .fd = -1};
}

/* A source that reads a pipe; returns the end to write to. */
static inline int add_pipe(rows *r, int linked)
{
    int ends[2];
    item_source *s = rows_add(r, linked);
    assert_non_null(s);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    *s = (item_source){.name = "a pipe", .fd = ends[0], .separator = '\n'};
    return ends[1];
}

/* A number that looks random, the same in each run. */
static inline uint32_t next_number(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

#endif
