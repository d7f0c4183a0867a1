/*
 * Images: what was written is read back, where it lies; and any other bytes are refused without a fault.
 * BEHAVIOURS 46, 52, 53, c.
 */
#include "array.h"
#include "failing_alloc.h"
#include "image_format.h"
#include "value_zoo.h"

#include <deja/image.h>

#define IMAGE_MOST 8192

typedef struct frame {
    _Alignas(64) unsigned char data[IMAGE_MOST];
    uint64_t len;
    deja_arena arena;
} frame;

static void write_image(frame *f, deja_value v, const deja_image_heap *heap)
{
    memset(f->data, 0xaa, sizeof f->data);
    f->len = deja_image_size(&v, heap);
    assert_true(f->len <= IMAGE_MOST);
    assert_int_equal(f->len % 8, 0);
    assert_int_equal(deja_image_write(&v, heap, f->data), f->len);
    if (f->len < IMAGE_MOST)
        assert_int_equal(f->data[f->len], 0xaa);
}

static deja_value read_image(frame *f, const deja_image_heap *heap)
{
    deja_value v;
    deja_error err;
    if (deja_image_read(f->data, f->len, heap, &f->arena, &v, &err))
        fail_msg("%s", err.text);
    assert_int_equal(deja_value_check(&v, NULL), 0);
    return v;
}

static void assert_corrupt(frame *f, int code)
{
    deja_value v = deja_i64(77);
    deja_error err;
    assert_int_equal(deja_image_read(f->data, f->len, NULL, &f->arena, &v, &err), code);
    assert_int_equal(err.code, code);
    assert_true(v.kind == DEJA_I64 && v.i64 == 77);
}

static deja_value whole_zoo(deja_value *items)
{
    zoo z = zoo_all();
    for (size_t i = 0; i < z.count; i++)
        items[i] = z.item[i].value;
    return deja_list(items, z.count);
}

static void test_image__is_read_as_it_was_written(void **state)
{
    (void)state;
    zoo z = zoo_all();
    frame f = {.len = 0};
    for (size_t i = 0; i < z.count; i++) {
        write_image(&f, z.item[i].value, NULL);
        deja_value back = read_image(&f, NULL);
        assert_true(deja_value_equal(&back, &z.item[i].value));
        assert_int_equal(back.kind, z.item[i].value.kind);
    }
    deja_value items[ZOO_MOST], all = whole_zoo(items);
    write_image(&f, all, NULL);
    deja_value back = read_image(&f, NULL);
    assert_true(deja_value_equal(&back, &all));
    deja_arena_done(&f.arena);
}

/* Equal bytes for equal values in equal order: nothing of the memory around it gets in. */
static void test_image__has_no_undefined_bytes(void **state)
{
    (void)state;
    static frame f, g;
    deja_value items[ZOO_MOST], all = whole_zoo(items);
    write_image(&f, all, NULL);
    g.len = deja_image_size(&all, NULL);
    memset(g.data, 0x55, sizeof g.data);
    deja_image_write(&all, NULL, g.data);
    assert_memory_equal(f.data, g.data, f.len);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_image_add(&b, &all);
    assert_int_equal(b.len, f.len);
    assert_memory_equal(b.data, f.data, f.len);
}

static void test_image__of_scalars_allocates_nothing(void **state)
{
    (void)state;
    frame f = {.len = 0};
    failing_alloc_at(1);
    write_image(&f, deja_f64(0.5), NULL);
    assert_true(read_image(&f, NULL).f64 == 0.5);
    write_image(&f, deja_string("some text"), NULL);
    assert_string_equal(read_image(&f, NULL).string, "some text");
    assert_int_equal(failing_alloc_hits, 0);
    failing_alloc_at(0);
    assert_null(f.arena.block);
}

/* BEHAVIOURS 53: aligned to 64 where the image is; text and elements lie in it. */
static void test_image__lends_what_it_holds(void **state)
{
    (void)state;
    frame f = {.len = 0};
    deja_value items[ZOO_MOST], all = whole_zoo(items);
    write_image(&f, all, NULL);
    deja_value back = read_image(&f, NULL);
    for (uint64_t i = 0; i < back.len; i++) {
        const deja_value *v = &back.list[i];
        const unsigned char *at = v->kind == DEJA_ARRAY ? v->array->data : v->bytes;
        if (v->kind == DEJA_ARRAY)
            assert_int_equal((uintptr_t)at % 64, 0);
        if (v->kind == DEJA_ARRAY || v->kind == DEJA_STRING || v->kind == DEJA_BYTES)
            assert_true(at >= f.data && at <= f.data + f.len);
        if (v->kind == DEJA_ARRAY)
            assert_true(!v->array->strides && !v->array->shared);
    }
    deja_arena_done(&f.arena);
}

/* BEHAVIOURS 46: arrays of shared memory go by reference, views without gaps too. */
static void test_image__refers_to_arrays_of_the_heap(void **state)
{
    (void)state;
    static _Alignas(64) double memory[64];
    deja_image_heap heap = {.base = memory, .len = sizeof memory};
    static const int64_t shape[] = {4}, gaps[] = {16};
    frame f = {.len = 0};
    deja_array a = {.data = memory + 60, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
    write_image(&f, deja_of_array(&a), &heap);
    assert_int_equal(f.len, 8 + 8 + 8 + 8);
    assert_ptr_equal(read_image(&f, &heap).array->data, memory + 60);
    assert_corrupt(&f, DEJA_ECORRUPT); /* without a heap */
    heap.len -= 8;
    write_image(&f, deja_of_array(&a), &heap); /* reaches out of it */
    assert_true((unsigned char *)read_image(&f, &heap).array->data > f.data);
    heap.len += 8;
    a.strides = gaps;
    a.data = memory;
    write_image(&f, deja_of_array(&a), &heap);
    assert_true((unsigned char *)read_image(&f, &heap).array->data > f.data);
    a.strides = NULL;
    a.data = (char *)memory + 4; /* would be read misaligned */
    write_image(&f, deja_of_array(&a), &heap);
    assert_true((unsigned char *)read_image(&f, &heap).array->data > f.data);
    deja_arena_done(&f.arena);
}

static int is_before(const void *limit, const void *data, uint64_t len)
{
    return (const char *)data + len <= (const char *)limit;
}

static void test_image__copies_what_is_not_fixed(void **state)
{
    (void)state;
    static _Alignas(64) double memory[64];
    deja_image_heap heap = {
        .base = memory, .len = sizeof memory, .is_fixed = is_before, .context = memory + 32};
    static const int64_t shape[] = {4};
    frame f = {.len = 0};
    deja_array a = {.data = memory + 28, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
    write_image(&f, deja_of_array(&a), &heap);
    assert_ptr_equal(read_image(&f, &heap).array->data, memory + 28);
    a.data = memory + 29;
    write_image(&f, deja_of_array(&a), &heap);
    assert_true((unsigned char *)read_image(&f, &heap).array->data > f.data);
    assert_true((double *)read_image(&f, &heap).array->data < memory ||
                (double *)read_image(&f, &heap).array->data >= memory + 64);
    deja_arena_done(&f.arena);
}

static void test_image__references_stay_in_the_heap(void **state)
{
    (void)state;
    static double memory[8];
    deja_image_heap heap = {.base = memory, .len = sizeof memory};
    static const int64_t shape[] = {4};
    frame f = {.len = 0};
    deja_array a = {.data = memory, .dtype = DEJA_F64, .ndim = 1, .shape = shape};
    write_image(&f, deja_of_array(&a), &heap);
    static const uint64_t wrong[] = {40, 64, 65, 4, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        deja_value v;
        memcpy(f.data + 24, &wrong[i], 8);
        assert_int_equal(deja_image_read(f.data, f.len, &heap, &f.arena, &v, NULL), DEJA_ECORRUPT);
    }
    deja_arena_done(&f.arena);
}

static void test_image__of_an_array_written_later(void **state)
{
    (void)state;
    static frame f, g;
    int64_t shape[DEJA_NDIM_MAX] = {2, 3};
    double six[] = {1, 2, 3, 4, 5, 6};
    uint64_t offset, size;
    assert_int_equal(deja_image_array_head(DEJA_F64, 2, shape, f.data, &offset, &size, NULL), 0);
    assert_int_equal(offset % 64, 0);
    memcpy(f.data + offset, six, sizeof six);
    f.len = size;
    deja_array a = {.data = six, .dtype = DEJA_F64, .ndim = 2, .shape = shape};
    write_image(&g, deja_of_array(&a), NULL);
    assert_int_equal(f.len, g.len);
    assert_memory_equal(f.data, g.data, f.len);
    for (uint32_t i = 0; i < DEJA_NDIM_MAX; i++)
        shape[i] = 1;
    assert_int_equal(deja_image_array_head(DEJA_U8, DEJA_NDIM_MAX, shape, f.data, &offset, &size, NULL), 0);
    assert_true(offset <= DEJA_IMAGE_HEAD_MOST);
    assert_int_equal(size, offset + 8);
    shape[0] = INT64_MAX;
    assert_int_equal(deja_image_array_head(DEJA_F64, 1, shape, f.data, &offset, &size, NULL), DEJA_EINVAL);
    assert_int_equal(deja_image_array_head(DEJA_LIST, 1, shape, f.data, &offset, &size, NULL), DEJA_ETYPE);
    assert_int_equal(deja_image_array_head(DEJA_F64, 33, shape, f.data, &offset, &size, NULL), DEJA_EINVAL);
}

static void test_image__of_no_value_has_no_size(void **state)
{
    (void)state;
    deja_value v = deja_value_of(99, 0);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(deja_image_size(&v, NULL), UINT64_MAX);
    deja_image_add(&b, &v);
    assert_true(b.failed);
}

/* A copy of exactly so many bytes, so that AddressSanitizer sees a step too far. */
static int read_copy(const unsigned char *data, size_t len, deja_value *ret)
{
    static deja_arena arena;
    DEJA_AUTO_FREE unsigned char *copy = deja_realloc(NULL, len);
    if (len)
        memcpy(copy, data, len);
    int r = deja_image_read(copy, len, NULL, &arena, ret, NULL);
    if (!r) {
        assert_int_equal(deja_value_check(ret, NULL), 0);
        DEJA_AUTO_FREE deja_value *dup = deja_value_dup(ret);
        assert_non_null(dup);
    }
    deja_arena_done(&arena);
    return r;
}

static void test_image__cut_anywhere_is_damaged(void **state)
{
    (void)state;
    static frame f;
    deja_value items[ZOO_MOST], v;
    write_image(&f, whole_zoo(items), NULL);
    for (uint64_t len = 0; len < f.len; len++)
        assert_int_equal(read_copy(f.data, len, &v), DEJA_ECORRUPT);
    assert_int_equal(read_copy(f.data, f.len, &v), 0);
    memset(f.data + f.len, 0, 8);
    assert_int_equal(read_copy(f.data, f.len + 8, &v), DEJA_ECORRUPT);
}

/* BEHAVIOURS c: a flipped byte is another value or none, never a fault (whether it is another, checksums
 * around images tell). */
static void test_image__flipped_anywhere_is_no_fault(void **state)
{
    (void)state;
    static frame f;
    deja_value items[ZOO_MOST], v;
    write_image(&f, whole_zoo(items), NULL);
    static const unsigned char flips[] = {0x01, 0x02, 0x08, 0x80, 0xff};
    int refused = 0;
    for (uint64_t at = 0; at < f.len; at++)
        for (size_t i = 0; i < sizeof flips; i++) {
            f.data[at] ^= flips[i];
            int r = read_copy(f.data, f.len, &v);
            assert_true(r == 0 || r == DEJA_ECORRUPT || r == DEJA_EVERSION);
            refused += r != 0;
            f.data[at] ^= flips[i];
        }
    assert_true(refused > 1000);
}

static void put_words(frame *f, const uint64_t *words, size_t n)
{
    uint64_t head = IMAGE_MAGIC | (uint64_t)IMAGE_FORMAT << 32;
    memcpy(f->data, &head, 8);
    memcpy(f->data + 8, words, 8 * n);
    f->len = 8 + 8 * n;
}

static void test_image__forged_lengths_take_no_memory(void **state)
{
    (void)state;
    frame f = {.len = 0};
    static const uint32_t kinds[] = {DEJA_STRING, DEJA_BYTES, DEJA_LIST, DEJA_MAP, DEJA_FILE};
    static const uint64_t lens[] = {2, 1000, UINT64_C(1) << 32, (UINT64_C(1) << 56) - 1,
                                    (UINT64_C(1) << 56) - 8};
    failing_alloc_at(1);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (size_t k = kinds[i] == DEJA_STRING || kinds[i] == DEJA_FILE || kinds[i] == DEJA_BYTES; k < 5;
             k++) {
            put_words(&f, (uint64_t[]){image_word(kinds[i], lens[k]), 0}, 2);
            assert_corrupt(&f, DEJA_ECORRUPT);
        }
    assert_int_equal(failing_alloc_hits, 0);
    failing_alloc_at(0);
}

static void assert_words_corrupt(const uint64_t *words, size_t n)
{
    frame f = {.len = 0};
    put_words(&f, words, n);
    assert_corrupt(&f, DEJA_ECORRUPT);
    deja_arena_done(&f.arena);
}

static void test_image__what_no_writer_writes_is_damaged(void **state)
{
    (void)state;
    uint64_t f64 = image_array_word(DEJA_ARRAY, DEJA_F64, 1, IMAGE_INLINE);
    assert_words_corrupt((uint64_t[]){image_word(DEJA_NULL, 1)}, 1);
    assert_words_corrupt((uint64_t[]){image_word(DEJA_BOOL, 2)}, 1);
    assert_words_corrupt((uint64_t[]){image_word(DEJA_I64, 1), 0}, 2);
    assert_words_corrupt((uint64_t[]){image_word(DEJA_I64, 0)}, 1);
    assert_words_corrupt((uint64_t[]){image_word(11, 0), 0}, 2);
    assert_words_corrupt((uint64_t[]){image_word(DEJA_STRING, 3), 0x00620061}, 2); /* "a", NUL, "b" */
    assert_words_corrupt((uint64_t[]){image_word(DEJA_STRING, 7), UINT64_MAX}, 2); /* no NUL behind it */
    assert_words_corrupt((uint64_t[]){f64, UINT64_MAX}, 2);                        /* a length of -1 */
    assert_words_corrupt((uint64_t[]){f64, 1}, 2);                                 /* no elements */
    assert_words_corrupt((uint64_t[]){f64, UINT64_C(1) << 60}, 2);
    assert_words_corrupt((uint64_t[]){image_array_word(DEJA_ARRAY, DEJA_MAP, 0, 0)}, 1);
    assert_words_corrupt((uint64_t[]){image_array_word(DEJA_ARRAY, DEJA_F64, 0, 2), 0}, 2);
    uint64_t key = image_word(DEJA_STRING, 1), null = image_word(DEJA_NULL, 0);
    assert_words_corrupt((uint64_t[]){image_word(DEJA_MAP, 2), key, 'a', null, key, 'a', null}, 7);
    assert_words_corrupt((uint64_t[]){image_word(DEJA_MAP, 1), image_word(DEJA_BYTES, 1), 'a', null}, 4);
}

static void test_image__nested_too_deep_is_damaged(void **state)
{
    (void)state;
    uint64_t words[DEJA_DEPTH_MAX + 2];
    frame f = {.len = 0};
    for (int i = 0; i <= DEJA_DEPTH_MAX; i++)
        words[i] = image_word(DEJA_LIST, 1);
    words[DEJA_DEPTH_MAX] = image_word(DEJA_NULL, 0);
    put_words(&f, words, DEJA_DEPTH_MAX + 1);
    read_image(&f, NULL);
    words[DEJA_DEPTH_MAX] = image_word(DEJA_LIST, 1);
    words[DEJA_DEPTH_MAX + 1] = image_word(DEJA_NULL, 0);
    put_words(&f, words, DEJA_DEPTH_MAX + 2);
    assert_corrupt(&f, DEJA_ECORRUPT);
    deja_arena_done(&f.arena);
}

static void test_image__of_later_times_is_another_version(void **state)
{
    (void)state;
    frame f = {.len = 0};
    write_image(&f, deja_i64(1), NULL);
    f.data[4] = 2;
    assert_corrupt(&f, DEJA_EVERSION);
    f.data[4] = 0;
    assert_corrupt(&f, DEJA_ECORRUPT);
    f.data[4] = 1;
    f.data[0] = 'x';
    assert_corrupt(&f, DEJA_ECORRUPT);
}

static void test_image__survives_failing_allocations(void **state)
{
    (void)state;
    static frame f;
    deja_value items[ZOO_MOST], all = whole_zoo(items), v;
    write_image(&f, all, NULL);
    for (long n = 1;; n++) {
        deja_arena arena = {0};
        failing_alloc_at(n);
        int r = deja_image_read(f.data, f.len, NULL, &arena, &v, NULL);
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_int_equal(r, hits ? DEJA_ENOMEM : 0);
        deja_arena_done(&arena);
        if (!hits)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image__is_read_as_it_was_written),
        cmocka_unit_test(test_image__has_no_undefined_bytes),
        cmocka_unit_test(test_image__of_scalars_allocates_nothing),
        cmocka_unit_test(test_image__lends_what_it_holds),
        cmocka_unit_test(test_image__refers_to_arrays_of_the_heap),
        cmocka_unit_test(test_image__copies_what_is_not_fixed),
        cmocka_unit_test(test_image__references_stay_in_the_heap),
        cmocka_unit_test(test_image__of_an_array_written_later),
        cmocka_unit_test(test_image__of_no_value_has_no_size),
        cmocka_unit_test(test_image__cut_anywhere_is_damaged),
        cmocka_unit_test(test_image__flipped_anywhere_is_no_fault),
        cmocka_unit_test(test_image__forged_lengths_take_no_memory),
        cmocka_unit_test(test_image__what_no_writer_writes_is_damaged),
        cmocka_unit_test(test_image__nested_too_deep_is_damaged),
        cmocka_unit_test(test_image__of_later_times_is_another_version),
        cmocka_unit_test(test_image__survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
