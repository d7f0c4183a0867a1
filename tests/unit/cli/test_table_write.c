/* `--table`, written: jobs/cli/table_write.h. */
#include "pipes.h"
#include "table_write.h"
#include <deja/cleanup.h>

/* The row of a job with one parameter that printed `printed`. */
static void add(deja_buffer *rows, const char *name, const char *value, const char *printed)
{
    matrix_axis axis = {0};
    DEJA_AUTO_BUFFER deja_buffer row = {0};
    assert_int_equal(matrix_list(&axis, name, &value, 1, NULL), 0);
    matrix m = {.axes = &axis, .count = 1};
    const batch_job def = {.name = "j", .matrix = &m, .expanded = 1};
    const flow_event event = {.kind = FLOW_FINISHED,
                              .def = &def,
                              .wall_ns = 1500000000,
                              .out = bytes_of(printed),
                              .err = {.fd = -1}};
    assert_int_equal(table_row_make(&row, &event), 1);
    deja_buffer_add(rows, row.data, row.len);
    matrix_axis_done(&axis);
}

/* The same, written. */
static const char *write_rows(deja_buffer *out, table_form form, const deja_buffer *rows)
{
    pipes p;
    pipes_open(&p, 0);
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    const table_writer w = {.form = form, .rows = rows->data, .len = rows->len, .fd = -1, .box = p.box};
    deja_buffer_clear(out);
    assert_int_equal(table_write(&w, NULL), 0);
    pipes_drain(&p, out, &err);
    pipes_close(&p);
    return deja_buffer_string(out);
}

static void test_table_write__columns_are_those_of_all_rows(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer rows = {0};
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    assert_string_equal(write_rows(&out, TABLE_CSV, &rows), "job,event,status,wall_s,cpu_s,stdout\n");
    assert_string_equal(write_rows(&out, TABLE_JSON, &rows), "[\n]\n");
    add(&rows, "b", "x", "1\n");
    add(&rows, "a", "y", "");
    add(&rows, "status", "z", "1\n2\n");
    assert_string_equal(write_rows(&out, TABLE_CSV, &rows),
                        "job,b,a,param.status,event,status,wall_s,cpu_s,stdout\n"
                        "j,x,,,finished,0,1.5,0,1\nj,,y,,finished,0,1.5,0,\nj,,,z,finished,0,1.5,0,\n");
}

/* What becomes of a cell in JSON. */
static void check_json(const char *value, const char *expected)
{
    DEJA_AUTO_BUFFER deja_buffer rows = {0};
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer row = {0};
    add(&rows, "n", value, "");
    deja_buffer_addf(&row,
                     "[\n{\"job\":\"j\",%s,\"event\":\"finished\",\"status\":0,\"wall_s\":1.5,\"cpu_s\":0,"
                     "\"stdout\":null}\n]\n",
                     expected);
    assert_string_equal(write_rows(&out, TABLE_JSON, &rows), row.data);
}

static void test_table_write__numbers_are_those_of_json(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0",   "-0",   "7",      "-12.50",
                                          "1e3", "1E-3", "2.5e+7", "999999999999999"};
    static const char *const texts[] = {"",    "-",  "+1",  "007", "1.",
                                        ".5",  "1e", "1e+", "0x1", "nan",
                                        "inf", " 1", "1 ",  "1,5", "1000000000000000"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "\"n\":%s", numbers[i]);
        check_json(numbers[i], expected);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "\"n\":\"%s\"", texts[i]);
        check_json(texts[i], expected);
    }
    check_json("\377", "\"n_base64\":\"/w==\"");
}

static void test_table_write__csv_quotes_what_needs_it(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a b", "a b"}, {"a,b", "\"a,b\""}, {"\"", "\"\"\"\""}, {"a\nb", "\"a\nb\""}, {"\r", "\"\r\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DEJA_AUTO_BUFFER deja_buffer rows = {0};
        DEJA_AUTO_BUFFER deja_buffer out = {0};
        DEJA_AUTO_BUFFER deja_buffer whole = {0};
        add(&rows, "n,m", cases[i][0], " two words \n");
        deja_buffer_addf(&whole,
                         "job,\"n,m\",event,status,wall_s,cpu_s,stdout\nj,%s,finished,0,1.5,0,two words\n",
                         cases[i][1]);
        assert_string_equal(write_rows(&out, TABLE_CSV, &rows), whole.data);
    }
}

static void test_table_write__rows_that_end_early_are_an_error(void **state)
{
    (void)state;
    deja_error err;
    DEJA_AUTO_BUFFER deja_buffer rows = {0};
    add(&rows, "n", "1", "");
    const table_writer w = {.form = TABLE_CSV, .rows = rows.data, .len = rows.len - 1, .fd = -1};
    assert_int_equal(table_write(&w, &err), DEJA_EIO);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_table_write__columns_are_those_of_all_rows),
        CASE(test_table_write__numbers_are_those_of_json),
        CASE(test_table_write__csv_quotes_what_needs_it),
        CASE(test_table_write__rows_that_end_early_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
