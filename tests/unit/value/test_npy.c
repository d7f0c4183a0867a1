/*
 * numpy's files: heads of all formats, byte orders and memory orders, what is refused, and numpy itself as a
 * witness.
 */
#include "failing_alloc.h"
#include "npy.h"
#include "value_zoo.h"

#include <deja/dump.h>

/* An .npy of format `major`.0 with this literal and these elements. */
static void make_npy(const char *path, int major, const char *literal, const void *data, size_t len)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    size_t n = strlen(literal);
    unsigned char fixed[12] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)major, 0, (unsigned char)n, (unsigned char)(n >> 8)};
    deja_buffer_add(&b, fixed, major == 1 ? 10 : 12);
    deja_buffer_add(&b, literal, n);
    deja_buffer_add(&b, data, len);
    assert_int_equal(deja_file_replace(AT_FDCWD, path, deja_buffer_string(&b), b.len, 0644, 0, NULL), 0);
}

static deja_loaded *load(const char *path)
{
    deja_loaded *l = NULL;
    deja_error err;
    if (deja_load(path, &l, &err))
        fail_msg("%s", err.text);
    assert_int_equal(deja_value_check(deja_loaded_value(l), NULL), 0);
    return l;
}

static void assert_loads(const char *path, const deja_array *expected)
{
    deja_loaded *l = load(path);
    deja_value v = deja_of_array(expected);
    assert_true(deja_value_equal(deja_loaded_value(l), &v));
    deja_loaded_free(l);
}

static void assert_refused(const char *literal, int code, const char *text)
{
    deja_loaded *l = NULL;
    deja_error err;
    make_npy("bad.npy", 1, literal, (double[8]){0}, 64);
    assert_int_equal(deja_load("bad.npy", &l, &err), code);
    assert_null(l);
    if (!strstr(err.text, text))
        fail_msg("%s", err.text);
    assert_non_null(strstr(err.text, "load 'bad.npy': "));
}

static const int64_t shape_23[] = {2, 3};
static double six[] = {1, 2, 3, 4, 5, 6};
static const deja_array plain = {.data = six, .dtype = DEJA_F64, .ndim = 2, .shape = shape_23};

static void test_npy__saved_is_loaded_again(void **state)
{
    (void)state;
    zoo z = zoo_all();
    for (size_t i = 0; i < z.count; i++) {
        const deja_value *v = &z.item[i].value;
        if (v->kind != DEJA_ARRAY)
            continue;
        assert_int_equal(deja_npy_save("a.npy", v->array, NULL), 0);
        assert_loads("a.npy", v->array);
    }
}

/* So that numpy.load(mmap_mode="r") maps it, and deja_load does. */
static void test_npy__data_are_aligned_and_mapped(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(deja_npy_save("a.npy", &plain, NULL), 0);
    assert_int_equal(deja_file_load(AT_FDCWD, "a.npy", 1 << 20, &b, NULL), 0);
    assert_int_equal(b.len, 128 + sizeof six);
    assert_memory_equal(
        b.data, "\x93NUMPY\1\0\x76\0{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 10 + 59);
    assert_memory_equal(b.data + 128, six, sizeof six);
    deja_loaded *l = load("a.npy");
    assert_int_equal((uintptr_t)deja_loaded_value(l)->array->data % 64, 0);
    deja_loaded_free(l);
}

static void test_npy__all_formats_are_read(void **state)
{
    (void)state;
    static const char literal[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }        \n";
    for (int major = 1; major <= 3; major++) {
        make_npy("a.npy", major, literal, six, sizeof six);
        assert_loads("a.npy", &plain);
    }
    make_npy("a.npy", 1, "{\"shape\":(2L,3L),\"fortran_order\":False,\"descr\":\"<f8\"}", six, sizeof six);
    assert_loads("a.npy", &plain);
}

/* Elements where no processor likes them are copied to where it does. */
static void test_npy__misaligned_data_are_copied(void **state)
{
    (void)state;
    static const char literal[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }        ";
    for (int blanks = 0; blanks < 8; blanks++) {
        char shorter[sizeof literal];
        snprintf(shorter, sizeof shorter, "%.*s", (int)(sizeof literal - 1) - blanks, literal);
        make_npy("a.npy", 1, shorter, six, sizeof six);
        deja_loaded *l = load("a.npy");
        assert_int_equal((uintptr_t)deja_loaded_value(l)->array->data % 8, 0);
        deja_loaded_free(l);
        assert_loads("a.npy", &plain);
    }
}

static void test_npy__big_endian_is_turned_around(void **state)
{
    (void)state;
    static const unsigned char big[] = {0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0};
    static const int64_t two[] = {2}, one[] = {1};
    deja_array a = {.data = (double[]){1, -2}, .dtype = DEJA_F64, .ndim = 1, .shape = two};
    make_npy("a.npy", 1, "{'descr': '>f8', 'fortran_order': False, 'shape': (2,), }\n", big, sizeof big);
    assert_loads("a.npy", &a);
    deja_array c = {.data = (double[]){1, -2}, .dtype = DEJA_C128, .ndim = 1, .shape = one};
    make_npy("a.npy", 1, "{'descr': '>c16', 'fortran_order': False, 'shape': (1,), }\n", big, sizeof big);
    assert_loads("a.npy", &c);
}

static void test_npy__fortran_order_becomes_strides(void **state)
{
    (void)state;
    zoo z = zoo_all();
    make_npy("a.npy", 1, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }\n", six, sizeof six);
    deja_loaded *l = load("a.npy");
    const deja_array *a = deja_loaded_value(l)->array;
    assert_non_null(a->strides);
    assert_int_equal(a->strides[0], 8);
    assert_int_equal(a->strides[1], 16);
    assert_true(deja_value_equal(deja_loaded_value(l), zoo_get(&z, "fortran 2,3")));
    deja_loaded_free(l);
}

static void test_npy__other_elements_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const types[] = {"|O",  "<U3", "|S5", "<M8[ns]", "<f2", "<f16", "<c32",
                                        "|V8", "<i3", "|i4", "f8",      "",    "<f08x"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char literal[128], shown[16];
        snprintf(literal, sizeof literal, "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }\n",
                 types[i]);
        snprintf(shown, sizeof shown, "'%s'", types[i]);
        assert_refused(literal, DEJA_ETYPE, shown);
    }
    assert_refused("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,), }\n", DEJA_ETYPE,
                   "named fields");
    assert_refused("{'descr': '\x1b[2J', 'fortran_order': False, 'shape': (2,), }\n", DEJA_ETYPE, "'?[2J'");
}

static void test_npy__damaged_heads_are_refused(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "",
        "{",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)",
        "{'descr': '<f8', 'fortran_order': False, }",
        "{'descr': '<f8', 'fortran_order': Maybe, 'shape': (2,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 2, }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-2,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (9,), }", /* more than there is */
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'more': 1, }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), } x",
        "{'descr' '<f8'}",
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        assert_refused(heads[i], DEJA_ECORRUPT, "");
    make_npy("bad.npy", 4, "{}", NULL, 0);
    deja_loaded *l = NULL;
    assert_int_equal(deja_load("bad.npy", &l, NULL), DEJA_EVERSION);
}

static void test_npy__cut_anywhere_is_no_fault(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(deja_npy_save("a.npy", &plain, NULL), 0);
    assert_int_equal(deja_file_load(AT_FDCWD, "a.npy", 1 << 20, &b, NULL), 0);
    for (size_t len = 0; len < b.len; len++) {
        npy_head head;
        DEJA_AUTO_FREE char *copy = deja_realloc(NULL, len);
        if (len)
            memcpy(copy, b.data, len);
        assert_int_equal(npy_parse(copy, len, &head, NULL), len < 128 ? DEJA_ECORRUPT : 0);
        assert_int_equal(deja_file_replace(AT_FDCWD, "cut.npy", copy, len, 0644, 0, NULL), 0);
        deja_loaded *l = NULL;
        assert_int_equal(deja_load("cut.npy", &l, NULL), DEJA_ECORRUPT);
    }
}

static void test_npy__of_no_array_is_an_error(void **state)
{
    (void)state;
    deja_error err;
    deja_array a = {.data = six, .dtype = DEJA_MAP, .ndim = 2, .shape = shape_23};
    assert_int_equal(deja_npy_save("a.npy", &a, &err), DEJA_ETYPE);
    assert_non_null(strstr(err.text, "write 'a.npy': "));
    assert_int_equal(deja_npy_save("a.npy", NULL, &err), DEJA_EINVAL);
    assert_int_equal(deja_npy_save("none/a.npy", &plain, &err), DEJA_ENOTFOUND);
    for (long n = 1;; n++) {
        failing_alloc_at(n);
        int r = deja_npy_save("a.npy", &plain, NULL);
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_int_equal(r, hits ? DEJA_ENOMEM : 0);
        if (!hits)
            break;
        if (access("a.npy", F_OK) == 0) /* named, but its folder was not synced */
            assert_loads("a.npy", &plain);
    }
}

static int python(const char *program)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_addf(
        &b, "ASAN_OPTIONS= PYTHONDONTWRITEBYTECODE=1 timeout 60 /usr/bin/python3 -c \"%s\" 2>err", program);
    return system(deja_buffer_string(&b));
}

/* numpy reads what deja wrote, mapped; and deja reads what numpy wrote. */
static void test_npy__numpy_agrees(void **state)
{
    (void)state;
    if (python("import numpy"))
        skip();
    zoo z = zoo_all();
    assert_int_equal(deja_npy_save("strided.npy", zoo_get(&z, "fortran 2,3")->array, NULL), 0);
    assert_int_equal(deja_npy_save("none.npy", zoo_get(&z, "shape 0,3")->array, NULL), 0);
    assert_int_equal(deja_npy_save("one.npy", zoo_get(&z, "shape of none")->array, NULL), 0);
    assert_int_equal(deja_npy_save("bool.npy", zoo_get(&z, "array bool")->array, NULL), 0);
    assert_int_equal(deja_npy_save("c64.npy", zoo_get(&z, "array c64")->array, NULL), 0);
    assert_int_equal(
        python(
            "import numpy as n\n"
            "a = n.load('strided.npy', mmap_mode='r')\n"
            "assert isinstance(a, n.memmap) and a.dtype == 'f8' and a.tolist() == [[1, 3, 5], [2, 4, 6]]\n"
            "assert n.load('none.npy').shape == (0, 3) and n.load('one.npy').shape == () and "
            "n.load('one.npy') == 1\n"
            "assert n.load('bool.npy').tolist() == [False, True] and n.load('c64.npy').tolist() == [0, 1]\n"
            "n.save('f.npy', n.asfortranarray([[1., 3, 5], [2, 4, 6]]))\n"
            "n.save('b.npy', n.array([[1, 3, 5], [2, 4, 6]], dtype='>f8'))\n"
            "n.save('o.npy', n.array([None], dtype=object), allow_pickle=True)\n"),
        0);
    assert_loads("f.npy", zoo_get(&z, "fortran 2,3")->array);
    assert_loads("b.npy", zoo_get(&z, "fortran 2,3")->array);
    deja_loaded *l = NULL;
    assert_int_equal(deja_load("o.npy", &l, NULL), DEJA_ETYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        zoo_test(test_npy__saved_is_loaded_again),
        zoo_test(test_npy__data_are_aligned_and_mapped),
        zoo_test(test_npy__all_formats_are_read),
        zoo_test(test_npy__misaligned_data_are_copied),
        zoo_test(test_npy__big_endian_is_turned_around),
        zoo_test(test_npy__fortran_order_becomes_strides),
        zoo_test(test_npy__other_elements_are_refused_by_name),
        zoo_test(test_npy__damaged_heads_are_refused),
        zoo_test(test_npy__cut_anywhere_is_no_fault),
        zoo_test(test_npy__of_no_array_is_an_error),
        zoo_test(test_npy__numpy_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
