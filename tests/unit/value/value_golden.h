#ifndef VALUE_GOLDEN_H
#define VALUE_GOLDEN_H
/*
 * Where golden files are, and the value that tests/golden/value-1 has as an image and in files.
 */
#include <deja/buffer.h>
#include <deja/value.h>

/* `source` is the TEST_FILE of a test. */
static inline void golden_path(deja_buffer *b, const char *source, const char *name)
{
    const char *slash = strrchr(source, '/');
    deja_buffer_add(b, source, (size_t)(slash - source));
    deja_buffer_addf(b, "/../../golden/value-1/%s", name);
}

static inline deja_value golden_value(void)
{
    static double six[] = {1, 2, 3, 4, 5, 6};
    static int8_t minus_one = -1;
    static const int64_t shape[] = {2, 3}, none[] = {0, 2};
    static const deja_array arrays[] = {{.data = six, .dtype = DEJA_F64, .ndim = 2, .shape = shape},
                                        {.data = NULL, .dtype = DEJA_F32, .ndim = 2, .shape = none},
                                        {.data = &minus_one, .dtype = DEJA_I8, .ndim = 0}};
    static deja_value items[3];
    static deja_pair pairs[14];
    items[0] = deja_i64(1);
    items[1] = deja_list(NULL, 0);
    items[2] = deja_map_of(NULL, 0);
    const deja_pair all[] = {{"null", deja_null()},
                             {"true", deja_bool(1)},
                             {"false", deja_bool(0)},
                             {"i", deja_i64(-5)},
                             {"u", deja_u64(UINT64_C(1) << 63)},
                             {"x", deja_f64(-0.0)},
                             {"t", deja_string("text")},
                             {"", deja_string("")},
                             {"b", deja_bytes("\0\1", 2)},
                             {"f", deja_file("one")},
                             {"l", deja_list(items, 3)},
                             {"a", deja_of_array(&arrays[0])},
                             {"none", deja_of_array(&arrays[1])},
                             {"one", deja_of_array(&arrays[2])}};
    memcpy(pairs, all, sizeof all);
    return deja_map_of(pairs, sizeof all / sizeof *all);
}

#endif
