#ifndef VALUE_ZOO_H
#define VALUE_ZOO_H
/*
 * A zoo of values, no two of them equal; those of tests/golden/value-1/encodings.txt by the same names. The
 * two files that it names are made by zoo_setup, in a folder of the case's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/value.h>
#include <fcntl.h>
#include <math.h>

#define ZOO_MOST 80

typedef struct zoo_item {
    const char *name;
    deja_value value;
} zoo_item;

typedef struct zoo {
    zoo_item item[ZOO_MOST];
    size_t count;
} zoo;

static inline void zoo_add(zoo *z, const char *name, deja_value v)
{
    assert_true(z->count < ZOO_MOST);
    z->item[z->count++] = (zoo_item){name, v};
}

static inline const deja_value *zoo_get(const zoo *z, const char *name)
{
    for (size_t i = 0; i < z->count; i++)
        if (strcmp(z->item[i].name, name) == 0)
            return &z->item[i].value;
    fail_msg("no '%s' in the zoo", name);
    return NULL;
}

static inline void zoo_add_scalars(zoo *z)
{
    zoo_add(z, "null", deja_null());
    zoo_add(z, "false", deja_bool(0));
    zoo_add(z, "true", deja_bool(7));
    zoo_add(z, "0", deja_i64(0));
    zoo_add(z, "1", deja_i64(1));
    zoo_add(z, "-1", deja_i64(-1));
    zoo_add(z, "i64 least", deja_i64(INT64_MIN));
    zoo_add(z, "i64 most", deja_u64(INT64_MAX));
    zoo_add(z, "2^63", deja_u64(UINT64_C(1) << 63));
    zoo_add(z, "u64 most", deja_u64(UINT64_MAX));
    zoo_add(z, "0.0", deja_f64(0.0));
    zoo_add(z, "-0.0", deja_f64(-0.0));
    zoo_add(z, "1.0", deja_f64(1.0));
    zoo_add(z, "0.1", deja_f64(0.1));
    zoo_add(z, "denormal", deja_f64(5e-324));
    zoo_add(z, "inf", deja_f64((double)INFINITY));
    zoo_add(z, "-inf", deja_f64((double)-INFINITY));
    zoo_add(z, "nan", deja_f64((double)NAN));
}

static inline void zoo_add_texts(zoo *z)
{
    zoo_add(z, "text empty", deja_string(""));
    zoo_add(z, "text 0", deja_string("0"));
    zoo_add(z, "text a", deja_string("a"));
    zoo_add(z, "text of 8", deja_string("12345678"));
    zoo_add(z, "text utf-8", deja_string("\xc3\xa9\xe2\x82\xac"));
    zoo_add(z, "text not utf-8", deja_string("\xff\xfe"));
    zoo_add(z, "bytes empty", deja_bytes(NULL, 0));
    zoo_add(z, "bytes a", deja_bytes("a", 1));
    zoo_add(z, "bytes nul", deja_bytes("\0", 1));
    zoo_add(z, "bytes two nul", deja_bytes("\0\0", 2));
    zoo_add(z, "file one", deja_file("one"));
    zoo_add(z, "file empty", deja_file("empty"));
}

/* Two elements, 0 and 1, of each type. */
static inline void zoo_add_dtypes(zoo *z)
{
    static const int64_t two[] = {2};
    static uint8_t b[] = {0, 1};
    static uint16_t h[] = {0, 1};
    static uint32_t w[] = {0, 1};
    static uint64_t q[] = {0, 1};
    static float f[] = {0, 1};
    static double d[] = {0, 1};
    static float cf[] = {0, 0, 1, 0};
    static double cd[] = {0, 0, 1, 0};
    static const struct {
        const char *name;
        uint32_t dtype;
        void *data;
    } types[] = {{"array bool", DEJA_BOOL, b}, {"array i8", DEJA_I8, b},   {"array u8", DEJA_U8, b},
                 {"array i16", DEJA_I16, h},   {"array u16", DEJA_U16, h}, {"array i32", DEJA_I32, w},
                 {"array u32", DEJA_U32, w},   {"array i64", DEJA_I64, q}, {"array u64", DEJA_U64, q},
                 {"array f32", DEJA_F32, f},   {"array f64", DEJA_F64, d}, {"array c64", DEJA_C64, cf},
                 {"array c128", DEJA_C128, cd}};
    static deja_array arrays[sizeof types / sizeof *types];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        arrays[i] = (deja_array){.data = types[i].data, .dtype = types[i].dtype, .ndim = 1, .shape = two};
        zoo_add(z, types[i].name, deja_of_array(&arrays[i]));
    }
}

/* The same six numbers in all shapes and orders; the strided ones are 1 to 6 in C order where they say "of".
 */
static inline void zoo_add_shapes(zoo *z)
{
    static double six[] = {1, 2, 3, 4, 5, 6};
    static double spread[] = {1, -1, 2, -1, 3, -1, 4, -1, 5, -1, 6};
    static const int64_t shapes[][3] = {{6}, {2, 3}, {3, 2}, {1, 6}, {0}, {0, 3}, {3, 0}, {1}};
    static const int64_t fortran[] = {8, 16}, every_second[] = {16}, backwards[] = {-8}, still[] = {0};
    static deja_array a[] = {
        {.data = six, .dtype = DEJA_F64, .ndim = 1, .shape = shapes[0]},
        {.data = six, .dtype = DEJA_F64, .ndim = 2, .shape = shapes[1]},
        {.data = six, .dtype = DEJA_F64, .ndim = 2, .shape = shapes[2]},
        {.data = six, .dtype = DEJA_F64, .ndim = 2, .shape = shapes[3]},
        {.data = NULL, .dtype = DEJA_F64, .ndim = 1, .shape = shapes[4]},
        {.data = NULL, .dtype = DEJA_F64, .ndim = 2, .shape = shapes[5]},
        {.data = NULL, .dtype = DEJA_F64, .ndim = 2, .shape = shapes[6]},
        {.data = six, .dtype = DEJA_F64, .ndim = 0},
        {.data = six, .dtype = DEJA_F64, .ndim = 1, .shape = shapes[7]},
        {.data = six, .dtype = DEJA_F64, .ndim = 2, .shape = shapes[1], .strides = fortran},
        {.data = spread + 2, .dtype = DEJA_F64, .ndim = 1, .shape = shapes[1] + 1, .strides = every_second},
        {.data = six + 5, .dtype = DEJA_F64, .ndim = 1, .shape = shapes[0], .strides = backwards},
        {.data = six, .dtype = DEJA_F64, .ndim = 1, .shape = shapes[0], .strides = still},
    };
    static const char *const names[] = {"shape 6",           "shape 2,3",   "shape 3,2",    "shape 1,6",
                                        "shape 0",           "shape 0,3",   "shape 3,0",    "shape of none",
                                        "shape 1",           "fortran 2,3", "every second", "backwards",
                                        "six times the same"};
    for (size_t i = 0; i < sizeof a / sizeof *a; i++)
        zoo_add(z, names[i], deja_of_array(&a[i]));
}

static inline void zoo_add_nested(zoo *z)
{
    static deja_value items[8], inner[2];
    static deja_pair pairs[3], other[2];
    items[0] = deja_i64(1);
    items[1] = deja_string("a");
    items[2] = deja_list(items, 2);
    items[3] = deja_list(NULL, 0);
    items[4] = deja_null();
    zoo_add(z, "list empty", deja_list(NULL, 0));
    zoo_add(z, "list 1", deja_list(items, 1));
    zoo_add(z, "list 1,a", deja_list(items, 2));
    zoo_add(z, "list of a list", deja_list(items + 2, 1));
    zoo_add(z, "list of a list and an empty one", deja_list(items + 2, 2));
    zoo_add(z, "list of an empty list", deja_list(items + 3, 1));
    zoo_add(z, "list of a null", deja_list(items + 4, 1));
    pairs[0] = (deja_pair){"b", deja_i64(2)};
    pairs[1] = (deja_pair){"a", deja_i64(1)};
    pairs[2] = (deja_pair){"", deja_list(items, 2)};
    other[0] = (deja_pair){"b", deja_i64(1)};
    other[1] = (deja_pair){"a", deja_i64(2)};
    inner[0] = deja_map_of(pairs, 3);
    inner[1] = *zoo_get(z, "fortran 2,3");
    zoo_add(z, "map empty", deja_map_of(NULL, 0));
    zoo_add(z, "map of an empty key", deja_map_of(pairs + 2, 1));
    zoo_add(z, "map a1 b2", deja_map_of(pairs, 2));
    zoo_add(z, "map a2 b1", deja_map_of(other, 2));
    zoo_add(z, "map of three", deja_map_of(pairs, 3));
    zoo_add(z, "list of a map and an array", deja_list(inner, 2));
}

static inline zoo zoo_all(void)
{
    zoo z = {.count = 0};
    zoo_add_scalars(&z);
    zoo_add_texts(&z);
    zoo_add_dtypes(&z);
    zoo_add_shapes(&z);
    zoo_add_nested(&z);
    return z;
}

static inline int zoo_setup(void **state)
{
    if (scratch_setup(state))
        return -1;
    return deja_file_replace(AT_FDCWD, "one", "one\n", 4, 0644, 0, NULL) ||
           deja_file_replace(AT_FDCWD, "empty", NULL, 0, 0644, 0, NULL);
}

#define zoo_test(f) cmocka_unit_test_setup_teardown(f, zoo_setup, scratch_teardown)

#endif
