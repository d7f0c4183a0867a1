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
    return (flow_event){.kind = FLOW_FAILED,
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

static void test_failures__of_many_only_the_first_are_shown(void **state)
{
    (void)state;
    failures f = {.count = 0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    flow_event e = failed("");
    for (int i = 0; i < FAILURES_SHOWN + 3; i++)
        failures_add(&f, &e, NULL);
    failures_report(&f, "runs/1", &b);
    assert_string_equal(strstr(deja_buffer_string(&b), "deja: and"),
                        "deja: and 3 more failed, see runs/1/jobs.jsonl\n");
    failures_done(&f);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_failures__what_happened_is_said_in_words),
        CASE(test_failures__the_last_lines_are_shown_escaped),
        CASE(test_failures__a_long_line_is_cut),
        CASE(test_failures__the_lines_may_be_in_a_file),
        CASE(test_failures__of_many_only_the_first_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
