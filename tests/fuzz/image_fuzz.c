/*
 * Any bytes as an image: it is damaged, or a value that all other calls take, and that is the same when it is
 * written and read again.
 */
#include "replay.h"
#include <deja/encoding.h>
#include <deja/image.h>

static int no_file(void *context, const char *path, deja_hash *ret, uint64_t *ret_size, deja_error *err)
{
    (void)context;
    (void)err;
    *ret = deja_hash_bytes(path, strlen(path));
    *ret_size = 0;
    return 0;
}

static void check_value(const deja_value *v)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer image = {0};
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    DEJA_AUTO_BUFFER deja_buffer encoding = {0};
    deja_encoding_options options = {.file_hash = no_file};
    deja_value again;
    require(deja_value_check(v, NULL) == 0, "read, and no value");
    deja_image_add(&image, v);
    require(!image.failed, "not written again");
    require(deja_image_read(image.data, image.len, NULL, &arena, &again, NULL) == 0, "not read again");
    require(deja_value_equal(v, &again), "another value");
    deja_value_json(&text, v, 10);
    require(text.len > 0, "no text");
    require(deja_encode(&encoding, v, &options, NULL) == 0, "not encoded");
    DEJA_AUTO_FREE deja_value *copy = deja_value_dup(v);
    require(copy && deja_value_equal(copy, v), "another copy");
}

/* With a head that is right half of the time, so that a search comes behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[8] = "deja\1\0\0";
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_FREE uint8_t *copy = deja_realloc(NULL, size);
    uint64_t heap[8] = {0};
    deja_image_heap shared = {.base = heap, .len = sizeof heap};
    deja_value v;
    deja_error err;
    require(copy != NULL, "out of memory");
    if (size)
        memcpy(copy, data, size);
    if (size >= sizeof head && copy[5])
        memcpy(copy, head, sizeof head);
    int r = deja_image_read(copy, size, size % 16 ? NULL : &shared, &arena, &v, &err);
    if (r)
        require((r == DEJA_ECORRUPT || r == DEJA_EVERSION) && err.text[0], "an odd failure");
    else
        check_value(&v);
    return 0;
}
