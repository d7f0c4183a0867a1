/* Jobs whose instances come from a feed: jobs/fed.h by way of the plan, and how they are rendered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "feed.h"
#include "plan.h"
#include "replacement.h"
#include <deja/cleanup.h>
#include <string.h>

/* Rows of two columns, of which the second one may be missing. */
typedef struct table {
    const char *const (*rows)[2];
    size_t count, at;
} table;

static int next(void *context, feed_row **ret, deja_error *err)
{
    table *t = context;
    if (t->at == t->count)
        return FEED_END;
    const char *const *row = t->rows[t->at++];
    const size_t lens[2] = {strlen(row[0]), row[1] ? strlen(row[1]) : 0};
    *ret = feed_row_new(row, lens, row[1] ? 2 : 1);
    return *ret ? 1 : deja_fail(err, DEJA_ENOMEM, "out of memory");
}

static int no_fd(void *context)
{
    (void)context;
    return -1;
}

typedef struct fixture {
    table table;
    feed *feed;
    replacement_syntax syntax;
    batch *batch;
    plan *plan;
} fixture;

static int open_all(fixture *f, const batch_command *command, deja_error *err)
{
    feed_options o = {
        .next = next, .fd = no_fd, .context = &f->table, .rows_most = SIZE_MAX, .bytes_most = SIZE_MAX};
    if (feed_open(&f->feed, &o, err))
        return err->code;
    batch_command c = *command;
    c.feed = f->feed;
    c.syntax = &f->syntax;
    int code = batch_from_command(&f->batch, "/tmp", &c, err);
    return code ? code : plan_open(&f->plan, f->batch, NULL, err);
}

static void close_all(fixture *f)
{
    plan_close(f->plan);
    batch_free(f->batch);
    feed_close(f->feed);
}

static const char *const rows[][2] = {{"a b.c", "1"}, {"$(x)'", NULL}, {"d", "4"}};

/* The words of the next instance in <...>, then its inputs in (...) and outputs in [...]; it is not settled.
 */
static int add_next(fixture *f, deja_buffer *b)
{
    plan_ready ready;
    job j = {0};
    deja_error err;
    if (!plan_next(f->plan, &ready))
        return 0;
    int code =
        ready.error ? ready.error->code : job_render(&j, f->batch, ready.def, ready.index, JOB_ALL, &err);
    job_name(b, ready.def, ready.index);
    deja_buffer_add_char(b, ':');
    for (size_t i = 0; !code && j.argv && j.argv[i]; i++)
        deja_buffer_addf(b, "<%s>", j.argv[i]);
    if (!code && j.text)
        deja_buffer_addf(b, "{%s}", j.text);
    for (size_t i = 0; !code && i < j.input_count; i++)
        deja_buffer_addf(b, "(%s)", j.inputs[i].path);
    for (size_t i = 0; !code && i < j.output_count; i++)
        deja_buffer_addf(b, "[%s]", j.outputs[i].path);
    if (code)
        deja_buffer_addf(b, " %s", ready.error ? ready.error->text : err.text);
    deja_buffer_add_char(b, '\n');
    job_done(&j);
    return 1;
}

static void check(const batch_command *command, const char *is)
{
    fixture f = {.table = {.rows = rows, .count = 3}};
    deja_error err = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    if (open_all(&f, command, &err))
        fail_msg("%s", err.text);
    while (add_next(&f, &b))
        ;
    assert_string_equal(deja_buffer_string(&b), is);
    close_all(&f);
}

static void test_fed__renders_words_and_paths(void **state)
{
    (void)state;
    static const char *const words[] = {"/bin/prog", "{1.}x", "{2}", NULL}, *const plain[] = {"prog", NULL};
    static const char *const inputs[] = {"{1}", "in/{#}*", NULL}, *const outputs[] = {"../{1/}.o", "/abs/{#}",
                                                                                      NULL};
    check(&(batch_command){.argv = words}, "prog[1=a b.c,2=1]:</bin/prog><a bx><1>\n"
                                           "prog[1=$(x)']:</bin/prog><$(x)'x>\n"
                                           "prog[1=d,2=4]:</bin/prog><dx><4>\n");
    check(&(batch_command){.argv = plain, .inputs = inputs, .outputs = outputs},
          "prog[1=a b.c,2=1]:<prog><a b.c><1>(a b.c)(in/1*)[/a b.c.o][/abs/1]\n"
          "prog[1=$(x)']:<prog><$(x)'>($(x)')(in/2*)[/$(x)'.o][/abs/2]\n"
          "prog[1=d,2=4]:<prog><d><4>(d)(in/3*)[/d.o][/abs/3]\n");
}

static void test_fed__quotes_in_a_text(void **state)
{
    (void)state;
    static const char *const text[] = {"cat -- \"{1}\" {1} '{2}'; {", NULL}, *const plain[] = {"wc -l \n",
                                                                                               NULL};
    check(&(batch_command){.argv = plain, .is_shell = 1},
          "wc[1=a b.c,2=1]:<wc><-l><a b.c><1>{wc -l 'a b.c' '1'}\n"
          "wc[1=$(x)']:{wc -l '$(x)'\\'''}\n"
          "wc[1=d,2=4]:<wc><-l><d><4>{wc -l 'd' '4'}\n");
    check(&(batch_command){.argv = text, .is_shell = 1},
          "cat[1=a b.c,2=1]:{cat -- \"a b.c\" 'a b.c' '1'; {}\n"
          "cat[1=$(x)']:{cat -- \"\"'$(x)'\\'''\"\" '$(x)'\\''' ''; {}\n"
          "cat[1=d,2=4]:{cat -- \"d\" 'd' '4'; {}\n");
}

static void test_fed__makes_each_path_once(void **state)
{
    (void)state;
    static const char *const words[] = {"prog", NULL}, *const outputs[] = {"{2}.o", NULL};
    static const char *const twice[][2] = {{"a", "1"}, {"b", "2"}, {"c", "./1"}, {"d", ""}};
    fixture f = {.table = {.rows = twice, .count = 4}};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    assert_int_equal(open_all(&f, &(batch_command){.argv = words, .outputs = outputs}, NULL), 0);
    while (add_next(&f, &b))
        ;
    assert_string_equal(deja_buffer_string(&b),
                        "prog[1=a,2=1]:<prog><a><1>[1.o]\n"
                        "prog[1=b,2=2]:<prog><b><2>[2.o]\n"
                        "prog[1=c,2=./1]: its output '1.o' is that of an earlier job, too\n"
                        "prog[1=d,2=]:<prog><d><>[.o]\n");
    close_all(&f);
}

static void test_fed__is_finished_when_all_are_settled(void **state)
{
    (void)state;
    static const char *const words[] = {"prog", NULL};
    fixture f = {.table = {.rows = rows, .count = 2}};
    plan_ready ready;
    int unexpanded;
    uint32_t count;
    assert_int_equal(open_all(&f, &(batch_command){.argv = words}, NULL), 0);
    assert_int_equal(plan_instances(f.plan, 0, &count), 0);
    assert_true(plan_next(f.plan, &ready));
    assert_int_equal(plan_total(f.plan, &unexpanded), 1);
    assert_true(unexpanded);
    assert_true(plan_next(f.plan, &ready));
    plan_settle(f.plan, ready.def, 1, PLAN_FAILED, NULL, 0);
    assert_false(plan_next(f.plan, &ready));
    assert_int_equal(plan_fd(f.plan), -1);
    assert_int_equal(plan_instances(f.plan, 0, &count), 1);
    assert_int_equal(count, 2);
    assert_true(plan_has(f.plan, 0, 1));
    assert_false(plan_finished(f.plan));
    plan_settle(f.plan, ready.def, 0, PLAN_LEFT, NULL, 0);
    assert_true(plan_finished(f.plan));
    close_all(&f);
}

static void test_fed__survives_every_failed_allocation(void **state)
{
    (void)state;
    static const char *const words[] = {"prog {1} \"{2}\"", NULL};
    static const char *const inputs[] = {"in/{1}", NULL}, *const outputs[] = {"{1}.o", NULL};
    const batch_command command = {.argv = words, .inputs = inputs, .outputs = outputs, .is_shell = 1};
    for (long n = 1;; n++) {
        fixture f = {.table = {.rows = rows, .count = 3}};
        deja_error err;
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        failing_alloc_at(n);
        int code = open_all(&f, &command, &err);
        for (int i = 0; !code && i < 9 && add_next(&f, &b); i++)
            ;
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        if (code)
            assert_int_equal(code, DEJA_ENOMEM);
        close_all(&f);
        if (!hits)
            return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fed__renders_words_and_paths),
        cmocka_unit_test(test_fed__quotes_in_a_text),
        cmocka_unit_test(test_fed__makes_each_path_once),
        cmocka_unit_test(test_fed__is_finished_when_all_are_settled),
        cmocka_unit_test(test_fed__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
