/* sheet.h: columns of CSV and of JSON objects. */
#include "batch_fixture.h"

#include "failing_alloc.h"
#include "sheet.h"
#include <deja/cleanup.h>
#include <fcntl.h>

/* "a:1|2|+x b:..." with + in front of what was in quotes, or the error. Static memory. */
static const char *read_text(const char *text, int is_json, char separator, const char *const *columns,
                             size_t count, int strict)
{
    static char result[4096];
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    matrix_axis axes[4];
    deja_error err;
    sheet_file f = {.dirfd = AT_FDCWD, .path = "t", .is_json = is_json, .separator = separator};
    write_file("t", text);
    if (sheet_read(&f, columns, columns, count, strict, axes, &err)) {
        snprintf(result, sizeof result, "%s", err.text);
        return result;
    }
    for (size_t i = 0; i < count; i++) {
        deja_buffer_addf(&b, "%s%s:", i ? " " : "", axes[i].name);
        for (uint32_t v = 0; v < axes[i].count; v++)
            deja_buffer_addf(&b, "%s%s%s", v ? "|" : "", matrix_is_plain(&axes[i], v) ? "" : "+",
                             matrix_text(&axes[i], v));
        matrix_axis_done(&axes[i]);
    }
    snprintf(result, sizeof result, "%s", deja_buffer_string(&b));
    return result;
}

static const char *csv(const char *text)
{
    return read_text(text, 0, ',', (const char *const[]){"a", "b"}, 2, 0);
}

static const char *json(const char *text)
{
    return read_text(text, 1, ',', (const char *const[]){"a", "b"}, 2, 0);
}

static void test_sheet__csv_has_columns_by_its_first_line(void **state)
{
    (void)state;
    assert_string_equal(csv("a,b\n1,x\n2,y\n"), "a:1|2 b:x|y");
    assert_string_equal(csv("b,c,a\n1,2,3\n4,5,6"), "a:3|6 b:1|4");
    assert_string_equal(csv("\xef\xbb\xbf"
                            "a,b\r\n1,x\r\n\r\n2,\r\n"),
                        "a:1|2 b:x|+");
    assert_string_equal(csv("a,b\n"), "a: b:");
    assert_string_equal(read_text("a;b\n1,5;2\n", 0, ';', (const char *const[]){"a"}, 1, 0), "a:1,5");
    assert_string_equal(read_text("a\tb\n1 2\t3\n", 0, '\t', (const char *const[]){"b", "a"}, 2, 1),
                        "b:3 a:1 2");
    assert_string_equal(read_text("a\n\n1\n\"\"\n", 0, ',', (const char *const[]){"a"}, 1, 0), "a:1|+");
}

static void test_sheet__csv_in_quotes_holds_anything(void **state)
{
    (void)state;
    assert_string_equal(csv("\"a\",b\n\"x, \"\"y\"\"\nz\",\"\"\n\"1\",\"r\r\n\"\r\n"),
                        "a:+x, \"y\"\nz|+1 b:+|+r\r\n");
}

static void test_sheet__csv_that_is_none_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_string_equal(csv(""), "'t' is empty: expected a first line with the names of the columns");
    assert_string_equal(csv("a,b\n1,2\n\"x\ny\",2\n3\n"), "'t', line 5: 1 value, expected 2");
    assert_string_equal(csv("a,b\n1,2,3\n"), "'t', line 2: 3 values, expected 2");
    assert_string_equal(csv("a,b\n1,\"2\n"),
                        "'t', line 2: the quote that begins a value here is never closed");
    assert_string_equal(csv("a,b\n1,2\"\n"),
                        "'t', line 2: a quote inside a value: put the whole value into quotes and double it");
    assert_string_equal(csv("a,b\n1,\"2\"3\n"), "'t', line 2: text behind the quote that ends a value");
    assert_string_equal(csv("a,c\n1,2\n"), "'t', line 1: no column 'b'");
    assert_string_equal(csv("a,b,a\n1,2,3\n"), "'t', line 1: the column 'a' stands twice");
    assert_string_equal(read_text("a,b\n1,2\n", 0, ',', (const char *const[]){"a"}, 1, 1),
                        "'t' has other columns than when the batch was loaded");
}

static void test_sheet__json_has_columns_by_the_names_of_its_objects(void **state)
{
    (void)state;
    assert_string_equal(json("{\"a\": 1, \"b\": \"x\"}\n\n {\"b\":\"2\" , \"a\":-1.5e+3 } \r\n"),
                        "a:1|-1.5e+3 b:+x|+2");
    assert_string_equal(json("{\"a\":true,\"b\":null,\"c\":[1,{\"}\":\"]\"}]}"), "a:true b:null");
    assert_string_equal(json("{\"a\":\"\\u00e9\\\"\\\\\\n\\ud83d\\ude00\",\"b\":\"\"}"),
                        "a:+\xc3\xa9\"\\\n\xf0\x9f\x98\x80 b:+");
    assert_string_equal(json(""), "a: b:");
}

static void test_sheet__json_that_is_none_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_string_equal(json("{\"a\":1,\"b\":2}\n[1]\n"),
                        "'t', line 2: expected an object, {\"NAME\": VALUE, ...}");
    assert_string_equal(json("{\"a\":1}\n"), "'t', line 1: no column 'b'");
    assert_string_equal(json("{\"a\":1,\"b\":2,\"a\":3}\n"), "'t', line 1: the column 'a' stands twice");
    assert_string_equal(json("{\"a\":[],\"b\":2}\n"),
                        "'t', line 1: 'a' is a list or an object, expected a single value");
    assert_string_equal(json("{\"a\":1,\"b\":2} x\n"),
                        "'t', line 1: text behind the object: each has a line of its own");
    assert_string_equal(json("{\"a\":1,\"b\":2,}\n"), "'t', line 1: expected a name in quotes");
    assert_string_equal(json("{\"a\":01,\"b\":2}\n"),
                        "'t', line 1: expected a value: a string in quotes, a number, true, false or null");
    assert_string_equal(json("{\"a\":1.,\"b\":2}\n"), "'t', line 1: a number that is none");
    assert_string_equal(json("{\"a\":\"\\u0000\",\"b\":2}\n"),
                        "'t', line 1: a wrong escape in a string (or \\u0000, which no value can hold)");
    assert_string_equal(json("{\"a\":\"\\ud800x\",\"b\":2}\n"),
                        "'t', line 1: a wrong escape in a string (or \\u0000, which no value can hold)");
    assert_string_equal(json("{\"a\":[1,\n2],\"b\":2}\n"),
                        "'t', line 1: a list or an object that does not end on its line");
    assert_string_equal(json("{\"a\":[1},\"b\":2}\n"), "'t', line 1: brackets that do not match");
    assert_string_equal(json("{\"a\":1,\n\"b\":2}\n"), "'t', line 1: expected a name in quotes");
    assert_string_equal(json("{\"a\":1"),
                        "'t', line 1: expected ',' or '}' behind a value (an object has one line)");
    assert_string_equal(read_text("{\"a\":1,\"b\":2}\n", 1, ',', (const char *const[]){"a"}, 1, 1),
                        "'t', line 1: 2 values, expected 1");
}

static void test_sheet__names_are_those_of_the_first_row(void **state)
{
    (void)state;
    deja_arena arena = {0};
    deja_error err;
    const char *const *names;
    size_t count;
    sheet_file f = {.dirfd = AT_FDCWD, .path = "t", .separator = ','};
    write_file("t", "x,\"y z\"\n1\n");
    assert_int_equal(sheet_names(&f, &arena, &names, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(names[1], "y z");
    f.is_json = 1;
    write_file("t", "{\"p\": 1, \"q\": []}\nnonsense");
    assert_int_equal(sheet_names(&f, &arena, &names, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_string_equal(names[1], "q");
    f.path = "missing";
    assert_int_equal(sheet_names(&f, &arena, &names, &count, &err), DEJA_ENOTFOUND);
    deja_arena_done(&arena);
}

/* Every beginning of a text, and it with any byte changed: an answer or an error. */
static void test_sheet__survives_anything(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a,\"b\"\r\n1,\"x\"\"\n\"\n2,3\n",
        "{\"a\":\"\\ud83d\\ude00\\n\",\"b\":[{\"c\":\"]\"},1]}\n{\"a\":-1e5,\"b\":null}\n"};
    static const char bytes[] = "\"\\,\n{}[]:u0e. \xff";
    for (int is_json = 0; is_json < 2; is_json++) {
        char text[128];
        size_t len = strlen(texts[is_json]);
        for (size_t i = 0; i <= len; i++) {
            snprintf(text, i + 1, "%s", texts[is_json]);
            is_json ? json(text) : csv(text);
            for (size_t k = 0; k < sizeof bytes && i < len; k++) {
                snprintf(text, sizeof text, "%s", texts[is_json]);
                text[i] = bytes[k];
                is_json ? json(text) : csv(text);
            }
        }
    }
}

static void test_sheet__survives_every_failed_allocation(void **state)
{
    (void)state;
    for (int is_json = 0; is_json < 2; is_json++)
        for (long n = 1, hits = 1; hits; n++) {
            write_file("t", "");
            failing_alloc_at(n);
            const char *got = is_json ? json("{\"a\":1,\"b\":2}\n") : csv("a,b\n1,2\n");
            hits = failing_alloc_hits;
            failing_alloc_at(0);
            if (!hits)
                assert_string_equal(got, "a:1 b:2");
        }
}

static void test_sheet__a_million_rows(void **state)
{
    (void)state;
    enum { ROWS = 1000000 };
    matrix_axis axis;
    deja_error err;
    const char *const name = "n";
    sheet_file f = {.dirfd = AT_FDCWD, .path = "t", .separator = ','};
    FILE *out = fopen("t", "w");
    assert_non_null(out);
    fprintf(out, "n,text\n");
    for (int i = 0; i < ROWS; i++)
        fprintf(out, "%d,x\n", i);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(sheet_read(&f, &name, &name, 1, 0, &axis, &err), 0);
    assert_int_equal(axis.count, ROWS);
    assert_string_equal(matrix_text(&axis, ROWS - 1), "999999");
    matrix_axis_done(&axis);
}

#define in_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_scratch(test_sheet__csv_has_columns_by_its_first_line),
        in_scratch(test_sheet__csv_in_quotes_holds_anything),
        in_scratch(test_sheet__csv_that_is_none_is_refused_with_its_line),
        in_scratch(test_sheet__json_has_columns_by_the_names_of_its_objects),
        in_scratch(test_sheet__json_that_is_none_is_refused_with_its_line),
        in_scratch(test_sheet__names_are_those_of_the_first_row),
        in_scratch(test_sheet__survives_anything),
        in_scratch(test_sheet__survives_every_failed_allocation),
        in_scratch(test_sheet__a_million_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
