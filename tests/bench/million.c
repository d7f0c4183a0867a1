/*
 * Fills a cache for a matrix that nobody ran:
 *     million FOLDER N
 * The cache at FOLDER holds one entry, of the job whose last argument is 1: it gets those of the jobs 2 to N,
 * which differ from it in that argument only. The key comes from deja itself, whatever it consists of.
 */
#include "fill.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <stdio.h>
#include <string.h>

typedef struct filler {
    deja_entry *first;
    size_t at;      /* of the field that holds the last argument */
    deja_key key;   /* of the entry being filled in */
    char label[32]; /* of the same */
} filler;

static int take_only(void *context, const deja_listed *entry)
{
    deja_hash *key = context;
    *key = entry->key;
    return 1;
}

static int load_first(filler *f, const char *folder, deja_error *err)
{
    deja_cache_options options = {.size = sizeof options, .folder = folder};
    deja_cache *c = NULL;
    deja_hash key;
    char hex[DEJA_HASH_HEX];
    int r = deja_cache_open(&c, &options, err);
    if (r)
        return r;
    r = deja_cache_list(c, take_only, &key, err);
    if (r == 1) {
        deja_hash_hex(&key, hex);
        r = deja_cache_find(c, hex, &f->first, err);
    } else if (r == 0) {
        r = deja_fail(err, DEJA_ENOTFOUND, "the cache is empty");
    }
    deja_cache_close(c);
    return r;
}

static int find_argument(filler *f, deja_error *err)
{
    size_t at = 0, begin = 0, found = 0;
    deja_field field;
    while (deja_field_next(f->first->encoding, f->first->encoding_len, &at, &field) == 1) {
        if (field.tag == DEJA_FIELD_WORD)
            found = field.value_len == 1 && field.value[0] == '1' ? begin : 0;
        begin = at;
    }
    f->at = found;
    return found ? 0 : deja_fail(err, DEJA_EINVAL, "the last argument of the entry is not 1");
}

static int each(void *context, uint64_t i, deja_entry *ret, deja_error *err)
{
    filler *f = context;
    const char *encoding = f->first->encoding;
    deja_field field;
    size_t after = f->at;
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)i + 2);
    snprintf(f->label, sizeof f->label, "job[n=%s]", number);
    deja_buffer_clear(&f->key.bytes);
    deja_buffer_add(&f->key.bytes, encoding, f->at);
    if (deja_field_next(encoding, f->first->encoding_len, &after, &field) != 1)
        return deja_fail(err, DEJA_ECORRUPT, "the encoding has changed");
    deja_key_add_string(&f->key, DEJA_FIELD_WORD, "", number);
    deja_buffer_add(&f->key.bytes, encoding + after, f->first->encoding_len - after);
    *ret = *f->first;
    ret->label = f->label;
    ret->encoding = f->key.bytes.data;
    ret->encoding_len = f->key.bytes.len;
    return deja_key_finish(&f->key, &ret->key) ? deja_fail(err, DEJA_ENOMEM, "out of memory") : 0;
}

int main(int argc, char **argv)
{
    int64_t count = 0;
    if (argc != 3 || deja_text_int(argv[2], &count) || count < 2) {
        fprintf(stderr, "usage: million FOLDER N\n");
        return 2;
    }
    filler f = {0};
    deja_error err = {0};
    int r = load_first(&f, argv[1], &err);
    if (!r)
        r = find_argument(&f, &err);
    if (!r)
        r = fill_cache(argv[1], (uint64_t)count - 1, each, &f, &err);
    if (r)
        fprintf(stderr, "million: %s\n", err.text);
    deja_entry_free(f.first);
    deja_key_done(&f.key);
    return r ? 1 : 0;
}
