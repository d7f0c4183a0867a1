/* The jobs that failed: jobs/cli/failures.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failures.h"
#include "scratch.h"
#include <deja/cleanup.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

static const char *outcome(int status, int sig, const char *reason)
{
    static char text[512];
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    flow_event e = {.exit_status = status, .signal = sig, .reason = reason};
    failures_outcome(&b, &e);
    snprintf(text, sizeof text, "%s", deja_buffer_string(&b));
    return text;
}

static const char *report(const flow_event *e, const char *log)
{
    static char text[16384];
    failures f = {.count = 0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    failures_add(&f, e, log);
    failures_report(&f, NULL, &b);
    snprintf(text, sizeof text, "%s", deja_buffer_string(&b));
    failures_done(&f);
    return text;
}

static flow_event failed(const char *err)
{
    static const batch_job def;
    return (flow_event){.kind = FLOW_FAILED,
                        .def = &def,
                        .name = "job",
                        .exit_status = 1,
                        .out = {.fd = -1},
                        .err = {.data = err, .len = strlen(err), .fd = -1}};
}

static void test_failures__what_happened_is_said_in_words(void **state)
{
    (void)state;
    assert_string_equal(outcome(3, 0, NULL), "exit status 3");
    assert_string_equal(outcome(-1, SIGSEGV, NULL), "killed by signal 11 (segmentation fault)");
    assert_string_equal(outcome(127, 0, "execute 'x': not found"), "exit status 127: execute 'x': not found");
    assert_string_equal(outcome(-1, 0, "input 'x' does not exist"), "input 'x' does not exist");
    assert_string_equal(outcome(-1, 0, "one\033\ntwo\n"), "one\\x1b\n    two");
}

static void test_failures__the_last_lines_are_shown_escaped(void **state)
{
    (void)state;
    flow_event e = failed("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n\033[31m12");
    assert_string_equal(report(&e, "log/x\n"),
                        "deja: failed: job: exit status 1\n"
                        "    3\n    4\n    5\n    6\n    7\n    8\n    9\n    10\n    11\n"
                        "    \\x1b[31m12\n"
                        "    log: log/x\\n\n");
    e = failed("only\n");
    assert_string_equal(report(&e, NULL), "deja: failed: job: exit status 1\n    only\n");
    e = failed("");
    assert_string_equal(report(&e, NULL), "deja: failed: job: exit status 1\n");
    e = failed("\n\n");
    assert_string_equal(report(&e, NULL), "deja: failed: job: exit status 1\n    \n    \n");
}

static void test_failures__a_long_line_is_cut(void **state)
{
    (void)state;
    char line[20000];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = 0;
    flow_event e = failed(line);
    const char *text = report(&e, NULL);
    assert_true(strlen(text) < 500);
    assert_string_equal(text + strlen(text) - 4, "...\n");
}

static void test_failures__the_lines_may_be_in_a_file(void **state)
{
    (void)state;
    int fd = open("err", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 5000; i++)
        dprintf(fd, "line %d\n", i);
    off_t len = lseek(fd, 0, SEEK_CUR);
    flow_event e = failed("");
    e.err = (flow_bytes){.fd = fd, .len = (uint64_t)len};
    const char *text = report(&e, NULL);
    assert_non_null(strstr(text, "\n    line 4990\n"));
    assert_null(strstr(text, "line 4989"));
    assert_non_null(strstr(text, "    line 4999\n"));
    close(fd);
}

/* Failures that come in some order, twice FAILURES_SHOWN of them: the even half of job 0, the odd of job 1.
 */
static void add_all(failures *f, uint32_t from, uint32_t step)
{
    const batch_job defs[2] = {{.number = 0}, {.number = 1}};
    const uint32_t n = 2 * FAILURES_SHOWN;
    for (uint32_t i = 0, at = from; i < n; i++, at = (at + step) % n) {
        char name[32];
        flow_event e = failed("");
        e.def = &defs[at % 2];
        e.index = at / 2;
        e.name = name;
        snprintf(name, sizeof name, "%u/%u", at % 2, at / 2);
        failures_add(f, &e, NULL);
    }
}

static void test_failures__are_told_in_batch_order_the_first_of_many(void **state)
{
    (void)state;
    const uint32_t steps[] = {1, 2 * FAILURES_SHOWN - 1, 7, 13};
    DEJA_AUTO_BUFFER deja_buffer expected = {0};
    for (int i = 0; i < FAILURES_SHOWN; i++)
        deja_buffer_addf(&expected, "deja: failed: 0/%d: exit status 1\n", i);
    deja_buffer_addf(&expected, "deja: and %d more failed, see runs/1/jobs.jsonl\n", FAILURES_SHOWN);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        failures f = {.count = 0};
        DEJA_AUTO_BUFFER deja_buffer b = {0};
        add_all(&f, (uint32_t)i * 11, steps[i]);
        failures_report(&f, "runs/1", &b);
        assert_string_equal(deja_buffer_string(&b), deja_buffer_string(&expected));
        failures_done(&f);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_failures__what_happened_is_said_in_words),
        CASE(test_failures__the_last_lines_are_shown_escaped),
        CASE(test_failures__a_long_line_is_cut),
        CASE(test_failures__the_lines_may_be_in_a_file),
        CASE(test_failures__are_told_in_batch_order_the_first_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
