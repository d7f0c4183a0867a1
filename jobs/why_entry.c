/*
 * Of a job whose key is as it was and which is not answered all the same: what the cache still has. Its
 * result may have been made of more than the key says (inputs that the job discovered itself), or cannot be
 * used.
 */
#include "why.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 16 };

/* The hash of all of a file: 1, 0 when it cannot be read. */
static int hash_file(int fd, deja_hash *ret)
{
    DEJA_AUTO_FREE char *chunk = deja_realloc(NULL, CHUNK_BYTES);
    deja_hasher *h = deja_hasher_new();
    ssize_t n = -1;
    for (uint64_t at = 0; chunk && h && (n = deja_file_read_at(fd, chunk, CHUNK_BYTES, at)) > 0;
         at += (uint64_t)n)
        deja_hasher_add(h, chunk, (size_t)n);
    if (h)
        *ret = deja_hasher_result(h);
    deja_hasher_free(h);
    return h && n == 0;
}

/* 1 when a file is not what it was. What cannot be told counts as the same. */
static int is_changed(int root_fd, const deja_digest_item *was)
{
    struct stat st;
    deja_hash hash;
    if (was->content.kind != DEJA_CONTENT_FILE && was->content.kind != DEJA_CONTENT_ABSENT)
        return 0;
    DEJA_AUTO_CLOSE int fd = openat(root_fd, was->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || was->content.kind == DEJA_CONTENT_ABSENT)
        return (fd < 0) != (was->content.kind == DEJA_CONTENT_ABSENT) && (fd >= 0 || errno == ENOENT);
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != was->content.size)
        return 1;
    return hash_file(fd, &hash) && !deja_hash_equal(&hash, &was->content.hash);
}

static void note_stale(why *w, const char *path)
{
    if (w->stale_count++ < WHY_STALE_NAMED)
        deja_buffer_add(&w->stale, path, strlen(path) + 1);
}

void why_look_into_cache(why *w, const why_options *options, const flow_event *e)
{
    char hex[DEJA_HASH_HEX];
    deja_entry *entry = NULL;
    deja_hash_hex(&e->key, hex);
    if (!options->cache || deja_cache_find(options->cache, hex, &entry, NULL) < 0)
        return;
    for (size_t i = 0; i < entry->discovered_count; i++)
        if (is_changed(options->root_fd, &entry->discovered[i]))
            note_stale(w, entry->discovered[i].path);
    w->kind = w->stale_count ? WHY_DISCOVERED : WHY_UNUSABLE;
    deja_entry_free(entry);
}
