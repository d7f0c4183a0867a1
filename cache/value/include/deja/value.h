#ifndef DEJA_VALUE_H
#define DEJA_VALUE_H
/*
 * Values: what functions get and return. A value is 32 bytes that the caller may copy; what it points to
 * (text, items, numbers of an array) stays the owner's. Making one allocates nothing:
 *
 *     deja_value row[2] = {deja_i64(1000), deja_f64(0.01)};
 *     deja_value all = deja_map_of((deja_pair[]){{"rows", deja_list(row, 2)}, {"name", deja_string("dt")}},
 * 2);
 *
 * What is equal. Kinds differ: true, 1 and 1.0 are three values. Integers are equal by number, signed or not.
 * 0.0 and -0.0 differ (1/x tells them apart); all NaN are one value, but in arrays, which are equal by type,
 * shape and bytes. Lists are equal item by item, maps whatever their order. A text and bytes differ. A file
 * is equal by its content: its name is no part of the value. Two values are equal when their canonical
 * encodings are (deja/encoding.h).
 *
 * Layout is ABI: fixed-size fields, offsets held fixed by static assertions, so that ctypes and LuaJIT read
 * this file. Any thread may read a value that nobody writes.
 */
#include <deja/error.h>
#include <stddef.h>
#include <string.h>

/* Kinds of values; those of fixed size are element types of arrays as well. Numbers are part of every format.
 */
typedef enum deja_kind {
    DEJA_NULL = 0,
    DEJA_BOOL = 1, /* as an element: one byte, 0 or 1 */
    DEJA_I64 = 2,
    DEJA_U64 = 3,
    DEJA_F64 = 4,
    DEJA_STRING = 5, /* text without NUL, UTF-8 by custom */
    DEJA_BYTES = 6,
    DEJA_ARRAY = 7,
    DEJA_LIST = 8,
    DEJA_MAP = 9,
    DEJA_FILE = 10, /* a path; means the content of that file */
    /* elements of arrays only */
    DEJA_I8 = 16,
    DEJA_I16 = 17,
    DEJA_I32 = 18,
    DEJA_U8 = 19,
    DEJA_U16 = 20,
    DEJA_U32 = 21,
    DEJA_F32 = 22,
    DEJA_C64 = 23,  /* two F32: real, imaginary */
    DEJA_C128 = 24, /* two F64 */
} deja_kind;

#define DEJA_NDIM_MAX 32
#define DEJA_DEPTH_MAX                                                                                       \
    64 /* lists and maps within each other; of arguments and results of functions one less */

/* An array of numbers: a view, whoever owns the memory. */
typedef struct deja_array {
    void *data;             /* of results and of what a job gets: read-only, a write faults */
    uint32_t dtype;         /* deja_kind */
    uint32_t ndim;          /* 0 to DEJA_NDIM_MAX; 0 is one element */
    const int64_t *shape;   /* ndim lengths, none negative */
    const int64_t *strides; /* ndim distances in bytes, may be 0 or negative; NULL: C order without gaps */
    struct deja_shared *shared; /* private; NULL for memory of the caller's own */
} deja_array;

typedef struct deja_value {
    uint32_t kind;     /* deja_kind */
    uint32_t reserved; /* 0 */
    uint64_t len;      /* STRING, BYTES, FILE: bytes; LIST: items; MAP: pairs; else 0 */
    union {
        int64_t i64; /* BOOL too: 0 or 1 */
        uint64_t u64;
        double f64;
        const char *string; /* STRING, FILE: followed by a NUL that `len` does not count */
        const void *bytes;
        const deja_array *array;
        const struct deja_value *list;
        const struct deja_pair *map;
    };
    uint64_t reserved2; /* 0 */
} deja_value;

typedef struct deja_pair {
    const char *key; /* NUL-terminated; no two of a map are equal */
    deja_value value;
} deja_pair;

#ifdef __cplusplus
#define DEJA_STATIC_ASSERT static_assert
#else
#define DEJA_STATIC_ASSERT _Static_assert
#endif
DEJA_STATIC_ASSERT(sizeof(deja_value) == 32 && offsetof(deja_value, len) == 8 &&
                       offsetof(deja_value, i64) == 16,
                   "the layout of deja_value is ABI");
DEJA_STATIC_ASSERT(sizeof(deja_pair) == 40 && offsetof(deja_pair, value) == 8,
                   "the layout of deja_pair is ABI");
DEJA_STATIC_ASSERT(sizeof(deja_array) == 40 && offsetof(deja_array, shape) == 16,
                   "the layout of deja_array is ABI");

/* ---- making: no symbols; everything pointed to is borrowed ---- */

static inline deja_value deja_value_of(uint32_t kind, uint64_t len)
{
    deja_value v;
    v.kind = kind;
    v.reserved = 0;
    v.len = len;
    v.u64 = 0;
    v.reserved2 = 0;
    return v;
}

static inline deja_value deja_null(void)
{
    return deja_value_of(DEJA_NULL, 0);
}

static inline deja_value deja_bool(int truth)
{
    deja_value v = deja_value_of(DEJA_BOOL, 0);
    v.i64 = truth != 0;
    return v;
}

static inline deja_value deja_i64(int64_t x)
{
    deja_value v = deja_value_of(DEJA_I64, 0);
    v.i64 = x;
    return v;
}

static inline deja_value deja_u64(uint64_t x)
{
    deja_value v = deja_value_of(DEJA_U64, 0);
    v.u64 = x;
    return v;
}

static inline deja_value deja_f64(double x)
{
    deja_value v = deja_value_of(DEJA_F64, 0);
    v.f64 = x;
    return v;
}

/* `len` bytes of text, followed by a NUL. */
static inline deja_value deja_string_n(const char *text, uint64_t len)
{
    deja_value v = deja_value_of(DEJA_STRING, len);
    v.string = text;
    return v;
}

/* NULL makes a null. */
static inline deja_value deja_string(const char *text)
{
    return text ? deja_string_n(text, strlen(text)) : deja_null();
}

static inline deja_value deja_bytes(const void *data, uint64_t len)
{
    deja_value v = deja_value_of(DEJA_BYTES, len);
    v.bytes = data;
    return v;
}

static inline deja_value deja_file(const char *path)
{
    deja_value v = deja_string(path);
    if (v.kind == DEJA_STRING)
        v.kind = DEJA_FILE;
    return v;
}

/* NULL makes a null, so that a failed deja_array_new is refused by the function and not by a fault. */
static inline deja_value deja_of_array(const deja_array *a)
{
    deja_value v = deja_value_of(a ? DEJA_ARRAY : DEJA_NULL, 0);
    v.array = a;
    return v;
}

static inline deja_value deja_list(const deja_value *items, uint64_t count)
{
    deja_value v = deja_value_of(DEJA_LIST, count);
    v.list = items;
    return v;
}

static inline deja_value deja_map_of(const deja_pair *pairs, uint64_t count)
{
    deja_value v = deja_value_of(DEJA_MAP, count);
    v.map = pairs;
    return v;
}

/* ---- looking in ---- */

/* The value under `key`, NULL when there is none or `map` is no map (NULL is fine). Borrowed. */
DEJA_API const deja_value *deja_map_get(const deja_value *map, const char *key);

/* Bytes of one element; 0 for a kind that is none. */
DEJA_API uint64_t deja_dtype_size(uint32_t dtype);

/* Elements of all, product of the shape; bytes of them without gaps. UINT64_MAX where that does not fit. */
DEJA_API uint64_t deja_array_count(const deja_array *a);
DEJA_API uint64_t deja_array_bytes(const deja_array *a);

/* 1: in C order without gaps (whatever `strides` says about lengths of 0 and 1). */
DEJA_API int deja_array_is_plain(const deja_array *a);

/* Copies the elements in C order without gaps to `to`, which has room for deja_array_bytes. */
DEJA_API void deja_array_pack(const deja_array *a, void *to);

/* DEJA_EINVAL or DEJA_ETYPE with the place ("argument 2: key 'x': ...") for a value that cannot be encoded:
 * unknown kind, NULL where something is pointed to, a NUL inside of text, bad shape, equal keys, too deep.
 * Reads no file. */
DEJA_API int deja_value_check(const deja_value *v, deja_error *err);

/* "null", "array", "f64"...; "unknown kind" for a number that is none. Static memory. */
DEJA_API const char *deja_kind_name(uint32_t kind);

/* 1: equal by the rule above (files: equal paths). Neither may be NULL. */
DEJA_API int deja_value_equal(const deja_value *a, const deja_value *b);

/* A deep copy in one allocation (arrays packed), deja_free gives it back. NULL when out of memory or no
 * value. */
DEJA_API deja_value *deja_value_dup(const deja_value *v);

/*
 * Appends JSON: whole numbers exact, f64 and f32 by the shortest text that reads back equal, with a point or
 * an exponent ("1.0"), NaN and infinities as strings ("nan", "-inf"). Bytes and text that is not UTF-8 are
 * {"base64": ...}, files {"file": path}, arrays {"dtype":"f64","shape":[2,3],"data":[...]} in C order with at
 * most `most_elements` of the data, then "..." as a last item (0: all); a complex number is a pair. `v` was
 * checked.
 */
struct deja_buffer;
DEJA_API void deja_value_json(struct deja_buffer *b, const deja_value *v, uint64_t most_elements);

#endif
