/*
 * Reading images that anybody may have made. The nodes follow each other, so an image of n bytes has at most
 * n/8 of them however it was forged, and a node takes at most five times its bytes from the arena.
 */
#include "array.h"
#include "image_format.h"
#include "pairs.h"

#include <deja/image.h>

#define PAIR_LEAST 24 /* bytes of a pair: the word of its key, the key, the word of its value */

typedef struct reading {
    const char *base;
    uint64_t at, len; /* multiples of 8 */
    const deja_image_heap *heap;
    deja_arena *arena;
    deja_error *err;
} reading;

static int corrupt(const reading *r, const char *what)
{
    return deja_fail(r->err, DEJA_ECORRUPT, "damaged image: %s near byte %llu", what,
                     (unsigned long long)r->at);
}

static int no_memory(const reading *r)
{
    return deja_fail(r->err, DEJA_ENOMEM, "read an image: out of memory");
}

static uint64_t left(const reading *r)
{
    return r->len - r->at;
}

/* The next `len` bytes and their padding; NULL where they are not there. */
static const void *take(reading *r, uint64_t len)
{
    if (len > left(r))
        return NULL;
    const char *at = r->base + r->at;
    r->at += image_round(len, IMAGE_WORD);
    return at;
}

static int take_word(reading *r, uint64_t *ret)
{
    const void *at = take(r, sizeof *ret);
    if (!at)
        return corrupt(r, "it ends early");
    memcpy(ret, at, sizeof *ret);
    return 0;
}

/* Text is what C takes for it: one NUL, at its end. */
static int take_text(reading *r, uint64_t len, const char **ret)
{
    const char *text = take(r, len + 1);
    if (!text)
        return corrupt(r, "a text ends early");
    if (text[len] || memchr(text, 0, len))
        return corrupt(r, "a text's end is misplaced");
    *ret = text;
    return 0;
}

static int take_inline(reading *r, deja_array *a, uint64_t bytes)
{
    uint64_t at = image_round(r->at, IMAGE_DATA_ALIGN);
    if (at > r->len || bytes > r->len - at)
        return corrupt(r, "an array ends early");
    r->at = at;
    a->data = (void *)(uintptr_t)take(r, bytes);
    return 0;
}

static int take_from_heap(reading *r, deja_array *a, uint64_t bytes)
{
    uint64_t offset;
    int code = take_word(r, &offset);
    if (code)
        return code;
    if (!r->heap || offset > r->heap->len || bytes > r->heap->len - offset ||
        offset % array_alignment(a->dtype))
        return corrupt(r, "a reference leads nowhere");
    a->data = (char *)(uintptr_t)r->heap->base + offset;
    return 0;
}

static int read_array(reading *r, uint64_t word, deja_value *ret)
{
    uint32_t dtype = word >> 8 & 0xff, ndim = word >> 16 & 0xff;
    uint64_t place = word >> 24;
    const int64_t *shape = take(r, ndim * sizeof *shape);
    if (!shape || place > IMAGE_HEAP || array_check_shape(dtype, ndim, shape, NULL))
        return corrupt(r, "an array without a shape");
    deja_array *a = deja_arena_alloc(r->arena, sizeof *a);
    if (!a)
        return no_memory(r);
    *a = (deja_array){.dtype = dtype, .ndim = ndim, .shape = shape};
    *ret = deja_of_array(a);
    uint64_t bytes = deja_array_bytes(a);
    return place == IMAGE_HEAP ? take_from_heap(r, a, bytes) : take_inline(r, a, bytes);
}

static int read_node(reading *r, int depth, deja_value *ret);

static int read_list(reading *r, uint64_t count, int depth, deja_value *ret)
{
    if (depth == DEJA_DEPTH_MAX || count > left(r) / IMAGE_WORD)
        return corrupt(r, "a list that is too long or too deep");
    deja_value *items = count ? deja_arena_alloc(r->arena, count * sizeof *items) : NULL;
    if (count && !items)
        return no_memory(r);
    *ret = deja_list(items, count);
    int code = 0;
    for (uint64_t i = 0; !code && i < count; i++)
        code = read_node(r, depth + 1, &items[i]);
    return code;
}

static int read_pair(reading *r, int depth, deja_pair *ret)
{
    uint64_t word = 0;
    int code = take_word(r, &word);
    if (!code && (word & 0xff) != DEJA_STRING)
        code = corrupt(r, "a key that is no text");
    if (!code)
        code = take_text(r, word >> 8, &ret->key);
    return code ? code : read_node(r, depth + 1, &ret->value);
}

static int check_keys(reading *r, const deja_value *map)
{
    const char *twice;
    if (pairs_find_twice(map, &twice))
        return no_memory(r);
    return twice ? corrupt(r, "a key that is there twice") : 0;
}

static int read_map(reading *r, uint64_t count, int depth, deja_value *ret)
{
    if (depth == DEJA_DEPTH_MAX || count > left(r) / PAIR_LEAST)
        return corrupt(r, "a map that is too long or too deep");
    deja_pair *items = count ? deja_arena_alloc(r->arena, count * sizeof *items) : NULL;
    if (count && !items)
        return no_memory(r);
    *ret = deja_map_of(items, count);
    int code = 0;
    for (uint64_t i = 0; !code && i < count; i++)
        code = read_pair(r, depth, &items[i]);
    return code ? code : check_keys(r, ret);
}

static int read_text(reading *r, uint32_t kind, uint64_t len, deja_value *ret)
{
    *ret = deja_value_of(kind, len);
    return take_text(r, len, &ret->string);
}

static int read_bytes(reading *r, uint64_t len, deja_value *ret)
{
    *ret = deja_bytes(take(r, len), len);
    return ret->bytes ? 0 : corrupt(r, "bytes end early");
}

static int read_number(reading *r, uint32_t kind, uint64_t len, deja_value *ret)
{
    *ret = deja_value_of(kind, 0);
    return len ? corrupt(r, "a number with a length") : take_word(r, &ret->u64);
}

/* `len` is what the word holds beside the kind: of a bool its truth. */
static int read_small(reading *r, uint32_t kind, uint64_t len, deja_value *ret)
{
    if (len > (kind == DEJA_BOOL))
        return corrupt(r, "a bool or null that is none");
    *ret = deja_value_of(kind, 0);
    ret->u64 = len;
    return 0;
}

static int read_node(reading *r, int depth, deja_value *ret)
{
    uint64_t word;
    int code = take_word(r, &word);
    if (code)
        return code;
    uint32_t kind = word & 0xff;
    uint64_t len = word >> 8;
    switch (kind) {
    case DEJA_NULL:
    case DEJA_BOOL:
        return read_small(r, kind, len, ret);
    case DEJA_I64:
    case DEJA_U64:
    case DEJA_F64:
        return read_number(r, kind, len, ret);
    case DEJA_STRING:
    case DEJA_FILE:
        return read_text(r, kind, len, ret);
    case DEJA_BYTES:
        return read_bytes(r, len, ret);
    case DEJA_ARRAY:
        return read_array(r, word, ret);
    case DEJA_LIST:
        return read_list(r, len, depth, ret);
    case DEJA_MAP:
        return read_map(r, len, depth, ret);
    default:
        return corrupt(r, "an unknown kind");
    }
}

static int read_head(reading *r)
{
    uint64_t head;
    int code = take_word(r, &head);
    if (code)
        return code;
    if ((uint32_t)head != IMAGE_MAGIC)
        return corrupt(r, "another beginning");
    if (head >> 32 > IMAGE_FORMAT)
        return deja_fail(r->err, DEJA_EVERSION, "an image of format %u, known is %u", (unsigned)(head >> 32),
                         IMAGE_FORMAT);
    return head >> 32 == IMAGE_FORMAT ? 0 : corrupt(r, "no format");
}

int deja_image_read(const void *image, size_t len, const deja_image_heap *heap, deja_arena *arena,
                    deja_value *ret, deja_error *err)
{
    reading r = {.base = image, .len = len, .heap = heap, .arena = arena, .err = err};
    deja_value v;
    if ((uintptr_t)image % IMAGE_WORD)
        return deja_fail(err, DEJA_EINVAL, "an image at an address that is no multiple of %d", IMAGE_WORD);
    if (len % IMAGE_WORD)
        return corrupt(&r, "an odd length");
    int code = read_head(&r);
    if (!code)
        code = read_node(&r, 0, &v);
    if (!code && r.at != r.len)
        code = corrupt(&r, "more than a value");
    if (!code)
        *ret = v;
    return code;
}
