/*
 * Values: whether one is well made, whether two are equal, and deep copies.
 */
#include "array.h"
#include "pairs.h"

#include <deja/memory.h>

/* Images and encodings are used and hashed where they lie. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the formats of values are little-endian");

#define LENGTH_MAX (UINT64_C(1) << 55) /* bytes or items; as ARRAY_BYTES_MAX */
#define ALIGNMENT  16                  /* of what is copied, as malloc's */

static int check_text(const char *text, uint64_t len, deja_error *err)
{
    if (!text)
        return deja_fail(err, DEJA_EINVAL, "a text is NULL");
    if (memchr(text, 0, len))
        return deja_fail(err, DEJA_EINVAL, "a text has a NUL inside");
    if (text[len])
        return deja_fail(err, DEJA_EINVAL, "a text is not followed by a NUL");
    return 0;
}

static int check_leaf(const deja_value *v, deja_error *err)
{
    switch (v->kind) {
    case DEJA_STRING:
    case DEJA_FILE:
        return check_text(v->string, v->len, err);
    case DEJA_BYTES:
        return v->bytes || !v->len ? 0 : deja_fail(err, DEJA_EINVAL, "bytes are NULL");
    case DEJA_ARRAY:
        return v->array ? array_check(v->array, err) : deja_fail(err, DEJA_EINVAL, "an array is NULL");
    default:
        return deja_fail(err, DEJA_ETYPE, "a value of kind %u (%s)", v->kind, deja_kind_name(v->kind));
    }
}

static int check_keys(const deja_value *map, deja_error *err)
{
    const char *twice;
    for (uint64_t i = 0; i < map->len; i++)
        if (!map->map[i].key)
            return deja_fail(err, DEJA_EINVAL, "a key is NULL");
    int r = pairs_find_twice(map, &twice);
    if (r)
        return deja_fail(err, r, "compare keys: out of memory");
    return twice ? deja_fail(err, DEJA_EINVAL, "the key '%s' is there twice", twice) : 0;
}

static int check_scalar(const deja_value *v, deja_error *err)
{
    if (v->kind == DEJA_BOOL && v->u64 > 1)
        return deja_fail(err, DEJA_EINVAL, "a bool is neither 0 nor 1");
    return 0;
}

/* An error names keys and items down to here. */
#define NAMED_MOST 4

/* `depth`: lists and maps around it. */
static int check(const deja_value *v, int depth, deja_error *err)
{
    if (v->kind <= DEJA_F64)
        return check_scalar(v, err);
    if (v->len > LENGTH_MAX)
        return deja_fail(err, DEJA_EINVAL, "a length of %llu is too large", (unsigned long long)v->len);
    if (v->kind != DEJA_LIST && v->kind != DEJA_MAP)
        return check_leaf(v, err);
    if (depth == DEJA_DEPTH_MAX)
        return deja_fail(err, DEJA_EINVAL, "lists and maps are nested deeper than %d", DEJA_DEPTH_MAX);
    if (v->len && !v->list)
        return deja_fail(err, DEJA_EINVAL, "a %s is NULL", deja_kind_name(v->kind));
    int r = v->kind == DEJA_MAP ? check_keys(v, err) : 0;
    for (uint64_t i = 0; !r && i < v->len; i++) {
        r = check(v->kind == DEJA_MAP ? &v->map[i].value : &v->list[i], depth + 1, err);
        if (r && depth >= NAMED_MOST)
            continue;
        if (r && v->kind == DEJA_MAP)
            deja_fail_in(err, "key '%s'", v->map[i].key);
        else if (r)
            deja_fail_in(err, "item %llu", (unsigned long long)i);
    }
    return r;
}

static int equal_lists(const deja_value *a, const deja_value *b)
{
    for (uint64_t i = 0; i < a->len; i++)
        if (!deja_value_equal(&a->list[i], &b->list[i]))
            return 0;
    return 1;
}

/* Out of memory it compares each with each. */
static int equal_maps(const deja_value *a, const deja_value *b)
{
    pairs sorted_a = {0}, sorted_b = {0};
    int sorted = pairs_sort(&sorted_a, a) == 0 && pairs_sort(&sorted_b, b) == 0, equal = 1;
    for (uint64_t i = 0; equal && i < a->len; i++) {
        const deja_pair *p = sorted ? pairs_at(&sorted_a, a, i) : &a->map[i];
        const deja_pair *q = sorted ? pairs_at(&sorted_b, b, i) : NULL;
        const deja_value *other = q ? &q->value : deja_map_get(b, p->key);
        equal = (!q || strcmp(p->key, q->key) == 0) && other && deja_value_equal(&p->value, other);
    }
    pairs_done(&sorted_a);
    pairs_done(&sorted_b);
    return equal;
}

static int equal_f64(double a, double b)
{
    return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0;
}

static int is_integer(const deja_value *v)
{
    return v->kind == DEJA_I64 || v->kind == DEJA_U64;
}

/* Room in one allocation; without memory it only measures. */
typedef struct copying {
    char *base;
    uint64_t at;
} copying;

static void *room_for(copying *c, uint64_t size)
{
    char *room = c->base ? c->base + c->at : NULL;
    c->at += (size + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
    return room;
}

static const void *copy_bytes(copying *c, const void *data, uint64_t len)
{
    char *to = room_for(c, len + 1);
    if (to && len)
        memcpy(to, data, len);
    if (to)
        to[len] = '\0';
    return to;
}

static const deja_array *copy_array(copying *c, const deja_array *a)
{
    deja_array *to = room_for(c, sizeof *to);
    int64_t *shape = room_for(c, a->ndim * sizeof *shape);
    void *data = room_for(c, deja_array_bytes(a));
    if (!to)
        return NULL;
    if (a->ndim)
        memcpy(shape, a->shape, a->ndim * sizeof *shape);
    deja_array_pack(a, data);
    *to = (deja_array){.data = data, .dtype = a->dtype, .ndim = a->ndim, .shape = shape};
    return to;
}

static deja_value copy_value(copying *c, const deja_value *v);

static const deja_value *copy_list(copying *c, const deja_value *v)
{
    deja_value *to = room_for(c, v->len * sizeof *to);
    for (uint64_t i = 0; i < v->len; i++) {
        deja_value item = copy_value(c, &v->list[i]);
        if (to)
            to[i] = item;
    }
    return to;
}

static const deja_pair *copy_map(copying *c, const deja_value *v)
{
    deja_pair *to = room_for(c, v->len * sizeof *to);
    for (uint64_t i = 0; i < v->len; i++) {
        deja_pair pair = {copy_bytes(c, v->map[i].key, strlen(v->map[i].key)),
                          copy_value(c, &v->map[i].value)};
        if (to)
            to[i] = pair;
    }
    return to;
}

static deja_value copy_value(copying *c, const deja_value *v)
{
    deja_value to = deja_value_of(v->kind, v->kind <= DEJA_F64 ? 0 : v->len);
    switch (v->kind) {
    case DEJA_STRING:
    case DEJA_BYTES:
    case DEJA_FILE:
        to.bytes = copy_bytes(c, v->bytes, v->len);
        break;
    case DEJA_ARRAY:
        to.array = copy_array(c, v->array);
        break;
    case DEJA_LIST:
        to.list = copy_list(c, v);
        break;
    case DEJA_MAP:
        to.map = copy_map(c, v);
        break;
    default:
        to.u64 = v->kind == DEJA_NULL ? 0 : v->u64;
    }
    return to;
}

const deja_value *deja_map_get(const deja_value *map, const char *key)
{
    if (!map || map->kind != DEJA_MAP || !key)
        return NULL;
    for (uint64_t i = 0; i < map->len; i++)
        if (strcmp(map->map[i].key, key) == 0)
            return &map->map[i].value;
    return NULL;
}

const char *deja_kind_name(uint32_t kind)
{
    static const char *const names[] = {
        [DEJA_NULL] = "null", [DEJA_BOOL] = "bool",     [DEJA_I64] = "i64",     [DEJA_U64] = "u64",
        [DEJA_F64] = "f64",   [DEJA_STRING] = "string", [DEJA_BYTES] = "bytes", [DEJA_ARRAY] = "array",
        [DEJA_LIST] = "list", [DEJA_MAP] = "map",       [DEJA_FILE] = "file",   [DEJA_I8] = "i8",
        [DEJA_I16] = "i16",   [DEJA_I32] = "i32",       [DEJA_U8] = "u8",       [DEJA_U16] = "u16",
        [DEJA_U32] = "u32",   [DEJA_F32] = "f32",       [DEJA_C64] = "c64",     [DEJA_C128] = "c128"};
    const char *name = kind < sizeof names / sizeof *names ? names[kind] : NULL;
    return name ? name : "unknown kind";
}

int deja_value_check(const deja_value *v, deja_error *err)
{
    return v ? check(v, 0, err) : deja_fail(err, DEJA_EINVAL, "no value");
}

int deja_value_equal(const deja_value *a, const deja_value *b)
{
    if (is_integer(a) && is_integer(b))
        return a->u64 == b->u64 && (a->kind == b->kind || a->i64 >= 0);
    if (a->kind != b->kind)
        return 0;
    switch (a->kind) {
    case DEJA_NULL:
        return 1;
    case DEJA_BOOL:
        return a->u64 == b->u64;
    case DEJA_F64:
        return equal_f64(a->f64, b->f64);
    case DEJA_ARRAY:
        return array_equal(a->array, b->array);
    case DEJA_LIST:
        return a->len == b->len && equal_lists(a, b);
    case DEJA_MAP:
        return a->len == b->len && equal_maps(a, b);
    default:
        return a->len == b->len && (!a->len || memcmp(a->bytes, b->bytes, a->len) == 0);
    }
}

deja_value *deja_value_dup(const deja_value *v)
{
    copying c = {0};
    if (deja_value_check(v, NULL))
        return NULL;
    room_for(&c, sizeof *v);
    copy_value(&c, v);
    c.base = deja_realloc(NULL, c.at);
    if (!c.base)
        return NULL;
    c.at = 0;
    deja_value *to = room_for(&c, sizeof *v);
    *to = copy_value(&c, v);
    return to;
}
