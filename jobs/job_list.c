/* Lists of paths as contents of files, see job_list.h. */
#include "job_list.h"
#include <deja/cleanup.h>
#include <deja/hash.h>
#include <stdio.h>
#include <string.h>

static int no_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "list of paths: out of memory");
}

static int fill(deja_buffer *b, const char *const *items, size_t count, char separator, deja_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (separator == '\n' && strchr(items[i], '\n'))
            return deja_fail(err, DEJA_EINVAL,
                             "'%s' has a newline in its name: '.list0' separates names by NUL instead",
                             items[i]);
        deja_buffer_add_string(b, items[i]);
        deja_buffer_add_char(b, separator);
    }
    return b->failed ? no_memory(err) : 0;
}

static const job_list *find(const job *j, const char *path)
{
    for (size_t i = 0; i < j->list_count; i++)
        if (strcmp(j->lists[i].path, path) == 0)
            return &j->lists[i];
    return NULL;
}

static int append(job *j, const char *path, const deja_buffer *content, deja_error *err)
{
    job_list *more = deja_arena_alloc(&j->arena, (j->list_count + 1) * sizeof *more);
    const char *kept = deja_arena_dup(&j->arena, path, strlen(path));
    const char *data = deja_arena_dup(&j->arena, content->len ? content->data : "", content->len);
    if (!more || !kept || !data)
        return no_memory(err);
    if (j->list_count)
        memcpy(more, j->lists, j->list_count * sizeof *more);
    more[j->list_count++] = (job_list){.path = kept, .data = data, .len = content->len};
    j->lists = more;
    return 0;
}

int job_list_add(job *j, const char *const *items, size_t count, char separator, const char **ret_path,
                 deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer content = {0};
    char hex[DEJA_HASH_HEX], path[sizeof JOB_LIST_FOLDER + DEJA_HASH_HEX + 1];
    int status = fill(&content, items, count, separator, err);
    if (status < 0)
        return status;
    deja_hash hash = deja_hash_bytes(content.len ? content.data : "", content.len);
    deja_hash_hex(&hash, hex);
    snprintf(path, sizeof path, "%s/%s", JOB_LIST_FOLDER, hex);
    if (!find(j, path))
        status = append(j, path, &content, err);
    if (status == 0)
        *ret_path = find(j, path)->path;
    return status;
}
