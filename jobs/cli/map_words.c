/* The words of `deja map`, see map_words.h. */
#include "map_words.h"
#include <string.h>

/* Whether a word begins a source, and of which kind. */
static int is_mark(const char *word, int *ret_files, int *ret_linked)
{
    size_t colons = strspn(word, ":");
    *ret_files = colons == 4;
    *ret_linked = word[colons] == '+';
    return (colons == 3 || colons == 4) && word[colons + (size_t)*ret_linked] == '\0';
}

static int no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "read arguments: out of memory");
}

static int open_file(map_words *m, rows *r, const char *path, int linked, deja_error *err)
{
    int is_stdin = strcmp(path, "-") == 0;
    if (is_stdin && m->has_stdin)
        return deja_fail(err, DEJA_EINVAL, "standard input is named twice: it can be read only once");
    m->has_stdin |= is_stdin;
    item_source *s = rows_add(r, linked);
    if (!s)
        return no_memory(err);
    s->separator = m->separator;
    return item_source_open(s, path, err);
}

/* The words behind a mark, up to the next one. */
static int add_source(map_words *m, rows *r, const char *const *list, size_t count, int files, int linked,
                      deja_error *err)
{
    if (linked && r->count == 0)
        return deja_fail(err, DEJA_EINVAL, "'%s+' links to the source before it, and there is none",
                         files ? "::::" : ":::");
    if (files && count == 0)
        return deja_fail(err, DEJA_EINVAL, "'::::' needs the names of files; - is standard input");
    for (size_t i = 0; files && i < count; i++) {
        int code = open_file(m, r, list[i], linked, err);
        if (code)
            return code;
    }
    item_source *s = files ? NULL : rows_add(r, linked);
    if (s)
        *s = (item_source){.words = list, .word_count = count, .fd = -1};
    return files || s ? 0 : no_memory(err);
}

/* An empty line keeps linked sources in step; and what is written between two NULs is meant. */
static void keep_empty(const map_words *m, rows *r)
{
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < r->groups[i].count; k++)
            r->groups[i].sources[k].keeps_empty = m->separator == '\0' || r->groups[i].count > 1;
}

int map_words_split(map_words *m, const words *all, int none_is_stdin, rows *ret, deja_error *err)
{
    int files, linked, code = 0;
    size_t i = 0;
    for (; i < all->count && !code && !is_mark(all->list[i], &files, &linked); i++)
        code = words_add(&m->command, all->list[i], err);
    while (i < all->count && !code) {
        is_mark(all->list[i], &files, &linked);
        size_t first = ++i;
        int next_files, next_linked;
        while (i < all->count && !is_mark(all->list[i], &next_files, &next_linked))
            i++;
        code = add_source(m, ret, all->list + first, i - first, files, linked, err);
    }
    if (!code && ret->count == 0 && none_is_stdin) {
        m->from_stdin = 1;
        code = open_file(m, ret, "-", 0, err);
    }
    if (!code)
        keep_empty(m, ret);
    return code;
}

void map_words_done(map_words *m)
{
    words_done(&m->command);
}
