/* How far a run is: jobs/cli/progress.h. */
#include "pipes.h"
#include "progress.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/text.h>
#include <pty.h>
#include <sys/ioctl.h>

static const flow_totals some = {
    .total = 1000, .done = 100, .hits = 50, .ran = 49, .failed = 1, .running = 2, .ran_ns = 49 * DEJA_S_NS};

static const char *format(const flow_totals *t, const char *longest, size_t columns, int color)
{
    static char text[1024];
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    progress_line l = {.totals = t,
                       .longest = longest,
                       .slots = 2,
                       .elapsed_ns = 25 * DEJA_S_NS,
                       .left_ns = -1,
                       .columns = columns,
                       .color = color};
    progress_format(&b, &l);
    snprintf(text, sizeof text, "%s", deja_buffer_string(&b));
    return text;
}

static void test_progress__a_line_says_how_far_it_is(void **state)
{
    (void)state;
    assert_string_equal(format(&some, "a[n=1]", 0, 0),
                        "100/1000, 50 hits, 2 running, 1 failed, 4.0/s, ETA 7m 30s, a[n=1]");
    flow_totals t = {.total = 3, .unexpanded = 1};
    assert_string_equal(format(&t, NULL, 0, 0), "0/3+, 0 hits, 0 running, 0 failed");
}

static void test_progress__a_line_is_never_wider_than_it_may_be(void **state)
{
    (void)state;
    const char *name = "j\xc3\xb6"
                       "b[\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97=x\ny]\033[31m";
    for (size_t columns = 1; columns < 200; columns++) {
        const char *text = format(&some, name, columns, 0);
        assert_true(deja_text_columns(text, strlen(text)) <= columns);
        assert_true(deja_text_is_utf8(text, strlen(text)));
        assert_null(strpbrk(text, "\n\033"));
    }
}

static void test_progress__failures_are_red_where_colours_are(void **state)
{
    (void)state;
    assert_non_null(strstr(format(&some, NULL, 0, 1), "\033[31m, 1 failed\033[0m"));
    flow_totals t = {.total = 3};
    assert_null(strchr(format(&t, NULL, 0, 1), '\033'));
}

static void test_progress__the_eta_comes_from_jobs_that_ran(void **state)
{
    (void)state;
    assert_int_equal(progress_eta(&some, 2), 450 * DEJA_S_NS);
    assert_int_equal(progress_eta(&some, 10000), DEJA_S_NS); /* no faster than one job */
    flow_totals t = some;
    t.ran = 0;
    assert_int_equal(progress_eta(&t, 2), -1);
    t = some;
    t.hits = 0; /* hits never feed it */
    assert_int_equal(progress_eta(&t, 2), 450 * DEJA_S_NS);
    t.unexpanded = 1;
    assert_int_equal(progress_eta(&t, 2), -1);
    t = some;
    t.done = t.total;
    assert_int_equal(progress_eta(&t, 2), -1);
}

static void test_progress__the_eta_comes_from_the_record_where_there_is_one(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    progress_format(
        &b, &(progress_line){
                .totals = &some, .slots = 2, .elapsed_ns = 25 * DEJA_S_NS, .left_ns = 90 * DEJA_S_NS});
    assert_string_equal(deja_buffer_string(&b), "100/1000, 50 hits, 2 running, 1 failed, 4.0/s, ETA 1m 30s");
}

static const char *summary(const flow_totals *t, int64_t ns, int dry)
{
    static char text[512];
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    progress_summary(&b, t, ns, dry);
    snprintf(text, sizeof text, "%s", deja_buffer_string(&b));
    return text;
}

static void test_progress__the_summary_in_all_its_forms(void **state)
{
    (void)state;
    flow_totals t = {.total = 10, .done = 10, .hits = 3, .ran = 7, .saved_ns = 240 * DEJA_S_NS};
    assert_string_equal(summary(&t, 1200 * DEJA_MS_NS, 0),
                        "10 jobs: 3 hits, 7 ran, 0 failed in 1.2 s, saved 4m 00s");
    assert_string_equal(summary(&t, 1200 * DEJA_MS_NS, 1),
                        "10 jobs: 7 would run, 3 would be answered in 1.2 s");
    flow_totals bad = {.total = 9, .done = 5, .hits = 1, .ran = 1, .failed = 1, .skipped = 2, .not_kept = 1};
    assert_string_equal(summary(&bad, 1200 * DEJA_MS_NS, 0),
                        "9 jobs: 1 hit, 1 ran, 1 failed, 2 skipped, 1 not kept, 4 not started in 1.2 s");
    flow_totals one = {.total = 1, .done = 1, .ran = 1};
    assert_string_equal(summary(&one, 1200 * DEJA_MS_NS, 0), "1 job: 0 hits, 1 ran, 0 failed in 1.2 s");
}

static void test_progress__elsewhere_a_line_comes_every_ten_seconds(void **state)
{
    (void)state;
    pipes p;
    progress line;
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    pipes_open(&p, 0);
    progress_begin(&line, p.box, 2, 0);
    for (int64_t ms = 0; ms < 35000; ms += 50)
        progress_tick(&line, &some, "a", ms * DEJA_MS_NS);
    progress_hide(&line);
    pipes_drain(&p, &out, &err);
    int lines = 0;
    for (const char *c = deja_buffer_string(&err); *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 3);
    assert_memory_equal(err.data, "deja: 100/1000, 50 hits", 23);
    assert_null(strchr(err.data, '\r'));
    pipes_close(&p);
}

/* A terminal of 30 columns. */
static int open_terminal(int *ret_master, outbox **ret)
{
    int slave;
    struct winsize size = {.ws_col = 30, .ws_row = 5};
    assert_int_equal(openpty(ret_master, &slave, NULL, NULL, &size), 0);
    assert_int_equal(fcntl(*ret_master, F_SETFL, O_NONBLOCK), 0);
    outbox_options o = {.out_fd = slave, .err_fd = slave};
    assert_int_equal(outbox_open(ret, &o, NULL), 0);
    return slave;
}

static void test_progress__on_a_terminal_it_draws_at_most_ten_times_a_second(void **state)
{
    (void)state;
    int master;
    outbox *box;
    progress line;
    DEJA_AUTO_BUFFER deja_buffer shown = {0};
    int slave = open_terminal(&master, &box);
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    progress_begin(&line, box, 2, 0);
    progress_tick(&line, &some, NULL, 199 * DEJA_MS_NS);
    assert_int_equal(line.drawn, 0);
    progress_tick(&line, &some, "a long name that does not fit", 200 * DEJA_MS_NS);
    expect_on(master, box, "\r100/1000, 50 hits, 2 running\033[K");
    for (int64_t ms = 200; ms < 2200; ms += 7) {
        progress_tick(&line, &some, "a long name that does not fit", ms * DEJA_MS_NS);
        outbox_pump(box);
        pipes_read(master, &shown);
    }
    int draws = 0;
    for (const char *c = deja_buffer_string(&shown); (c = strchr(c, '\r')); c++)
        draws++;
    assert_in_range(draws, 0, 20);
    progress_hide(&line);
    outbox_close(box);
    close(slave);
    close(master);
}

static void test_progress__the_line_follows_the_window(void **state)
{
    (void)state;
    int master;
    outbox *box;
    progress line;
    struct winsize size = {.ws_col = 12, .ws_row = 5};
    int slave = open_terminal(&master, &box);
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    progress_begin(&line, box, 2, 0);
    progress_tick(&line, &some, NULL, DEJA_S_NS);
    expect_on(master, box, "\r100/1000, 50 hits, 2 running\033[K");
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
    progress_resize(&line);
    progress_tick(&line, &some, NULL, DEJA_S_NS + 1);
    expect_on(master, box, "\r100/1000\033[K");
    outbox_close(box);
    close(slave);
    close(master);
}

static void test_progress__a_run_that_is_being_ended_says_so(void **state)
{
    (void)state;
    int master;
    outbox *box;
    progress line;
    struct winsize size = {.ws_col = 80, .ws_row = 5};
    int slave = open_terminal(&master, &box);
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    progress_begin(&line, box, 2, 0);
    progress_tick(&line, &some, "a", DEJA_S_NS);
    expect_on(master, box, "\r100/1000, 50 hits, 2 running, 1 failed, 100/s, ETA 7m 30s, a\033[K");
    progress_ending(&line);
    progress_tick(&line, &some, "a", DEJA_S_NS + 1);
    expect_on(master, box, "\r100/1000, 50 hits, 2 running, 1 failed, ending (Ctrl-C kills at once)\033[K");
    outbox_close(box);
    close(slave);
    close(master);
}

static void test_progress__a_dumb_terminal_gets_plain_lines(void **state)
{
    (void)state;
    int master;
    outbox *box;
    progress line;
    int slave = open_terminal(&master, &box);
    assert_int_equal(setenv("TERM", "dumb", 1), 0);
    progress_begin(&line, box, 2, 0);
    assert_int_equal(line.terminal, 0);
    outbox_close(box);
    close(slave);
    close(master);
}

static void test_progress__it_says_when_it_wants_to_be_asked_again(void **state)
{
    (void)state;
    pipes p;
    progress line;
    pipes_open(&p, 0);
    progress_begin(&line, p.box, 2, 0);
    assert_int_equal(progress_wait_ms(&line, 0), 10000);
    assert_int_equal(progress_wait_ms(&line, 9999 * DEJA_MS_NS), 1);
    assert_int_equal(progress_wait_ms(&line, 20000 * DEJA_MS_NS), 0);
    pipes_close(&p);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_progress__a_line_says_how_far_it_is),
        CASE(test_progress__a_line_is_never_wider_than_it_may_be),
        CASE(test_progress__failures_are_red_where_colours_are),
        CASE(test_progress__the_eta_comes_from_jobs_that_ran),
        CASE(test_progress__the_eta_comes_from_the_record_where_there_is_one),
        CASE(test_progress__the_summary_in_all_its_forms),
        CASE(test_progress__elsewhere_a_line_comes_every_ten_seconds),
        CASE(test_progress__on_a_terminal_it_draws_at_most_ten_times_a_second),
        CASE(test_progress__the_line_follows_the_window),
        CASE(test_progress__a_run_that_is_being_ended_says_so),
        CASE(test_progress__a_dumb_terminal_gets_plain_lines),
        CASE(test_progress__it_says_when_it_wants_to_be_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
