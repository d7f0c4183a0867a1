/* The output of jobs in batch order: jobs/cli/printer.h. */
#include "pipes.h"
#include "printer.h"
#include <deja/cleanup.h>

/* Counts of instances by job; -1 while one is not known. Of each job instances with these bits are not run.
 */
typedef struct counts {
    int of[4];
    unsigned missing[4];
} counts;

static int count(void *context, uint32_t def, uint32_t *ret)
{
    const counts *c = context;
    if (c->of[def] < 0)
        return 0;
    *ret = (uint32_t)c->of[def];
    return 1;
}

static int has(void *context, uint32_t def, uint32_t index)
{
    const counts *c = context;
    return !(c->missing[def] >> index & 1);
}

typedef struct fixture {
    pipes pipes;
    counts counts;
    printer *printer;
    deja_buffer out, err;
} fixture;

static void begin(fixture *f, counts c)
{
    *f = (fixture){.counts = c};
    pipes_open(&f->pipes, 0);
    assert_int_equal(printer_open(&f->printer, f->pipes.box, 4, count, has, &f->counts, NULL), 0);
}

static void end(fixture *f)
{
    printer_close(f->printer);
    pipes_close(&f->pipes);
    deja_buffer_done(&f->out);
    deja_buffer_done(&f->err);
}

/* An instance ends with its own name as output. */
static void add(fixture *f, uint32_t def, uint32_t index)
{
    char text[32];
    snprintf(text, sizeof text, "%u.%u ", def, index);
    flow_bytes out = bytes_of(text), err = bytes_of("e ");
    printer_add(f->printer, def, index, &out, &err);
}

static const char *printed(fixture *f)
{
    pipes_drain(&f->pipes, &f->out, &f->err);
    return deja_buffer_string(&f->out);
}

static void test_printer__what_comes_in_order_goes_out_at_once(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (counts){.of = {2, 1, 0, 1}});
    add(&f, 0, 0);
    assert_string_equal(printed(&f), "0.0 ");
    add(&f, 0, 1);
    add(&f, 1, 0);
    add(&f, 3, 0);
    assert_string_equal(printed(&f), "0.0 0.1 1.0 3.0 ");
    assert_string_equal(deja_buffer_string(&f.err), "e e e e ");
    end(&f);
}

static void test_printer__what_comes_early_waits(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (counts){.of = {3, 2, 1, 1}});
    add(&f, 3, 0);
    add(&f, 1, 1);
    add(&f, 0, 2);
    add(&f, 0, 1);
    assert_string_equal(printed(&f), "");
    add(&f, 0, 0);
    assert_string_equal(printed(&f), "0.0 0.1 0.2 ");
    printer_add(f.printer, 1, 0, NULL, NULL); /* skipped */
    assert_string_equal(printed(&f), "0.0 0.1 0.2 1.1 ");
    add(&f, 2, 0);
    assert_string_equal(printed(&f), "0.0 0.1 0.2 1.1 2.0 3.0 ");
    end(&f);
}

static void test_printer__a_count_that_comes_late_holds_back_what_follows(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (counts){.of = {1, -1, -1, 1}});
    add(&f, 3, 0);
    add(&f, 0, 0);
    assert_string_equal(printed(&f), "0.0 ");
    f.counts.of[2] = 0;
    printer_go_on(f.printer);
    assert_string_equal(printed(&f), "0.0 ");
    f.counts.of[1] = 2;
    add(&f, 1, 0);
    assert_string_equal(printed(&f), "0.0 1.0 ");
    add(&f, 1, 1);
    assert_string_equal(printed(&f), "0.0 1.0 1.1 3.0 ");
    end(&f);
}

static void test_printer__an_instance_nobody_counted_is_printed_all_the_same(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (counts){.of = {0, 1, 0, 0}});
    add(&f, 1, 0);
    add(&f, 0, 5);
    assert_string_equal(printed(&f), "1.0 0.5 ");
    end(&f);
}

static void test_printer__at_the_end_all_comes_out_in_order(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (counts){.of = {3, -1, 1, 3}});
    add(&f, 3, 2);
    add(&f, 3, 1);
    add(&f, 0, 2);
    add(&f, 1, 7);
    printer_finish(f.printer);
    assert_string_equal(printed(&f), "0.2 1.7 3.1 3.2 ");
    end(&f);
}

static void test_printer__closing_gives_back_what_is_held(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (counts){.of = {3, 1, 1, 1}});
    add(&f, 0, 2);
    add(&f, 2, 0);
    end(&f);
    printer_close(NULL);
}

/* Every order of the same events prints the same. */
static void test_printer__the_order_of_ends_makes_no_difference(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer expected = {0};
    for (unsigned seed = 0; seed < 50; seed++) {
        fixture f;
        uint32_t order[60];
        begin(&f, (counts){.of = {20, 0, 30, 10}});
        for (uint32_t i = 0; i < 60; i++)
            order[i] = i;
        unsigned random = seed;
        for (uint32_t i = 59; seed && i > 0; i--) {
            random = random * 1103515245u + 12345u;
            uint32_t j = (random >> 16) % (i + 1), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        for (uint32_t i = 0; i < 60; i++)
            add(&f,
                order[i] < 20   ? 0
                : order[i] < 50 ? 2
                                : 3,
                order[i] < 20   ? order[i]
                : order[i] < 50 ? order[i] - 20
                                : order[i] - 50);
        if (!seed)
            deja_buffer_add_string(&expected, printed(&f));
        assert_string_equal(printed(&f), deja_buffer_string(&expected));
        end(&f);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

static void test_printer__instances_that_are_not_run_are_passed_over(void **state)
{
    (void)state;
    fixture f;
    begin(&f, (counts){.of = {3, 2, 1, 0}, .missing = {5, 2}});
    add(&f, 2, 0);
    add(&f, 1, 0);
    assert_string_equal(printed(&f), "");
    add(&f, 0, 1);
    printer_go_on(f.printer);
    assert_string_equal(printed(&f), "0.1 1.0 2.0 ");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_printer__what_comes_in_order_goes_out_at_once),
        CASE(test_printer__what_comes_early_waits),
        CASE(test_printer__a_count_that_comes_late_holds_back_what_follows),
        CASE(test_printer__an_instance_nobody_counted_is_printed_all_the_same),
        CASE(test_printer__at_the_end_all_comes_out_in_order),
        CASE(test_printer__closing_gives_back_what_is_held),
        CASE(test_printer__the_order_of_ends_makes_no_difference),
        CASE(test_printer__instances_that_are_not_run_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
