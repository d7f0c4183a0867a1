/* What goes to standard output and standard error: jobs/cli/outbox.h. */
#include "pipes.h"
#include <deja/cleanup.h>
#include <dirent.h>
#include <limits.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

enum { PIPE_BYTES = 65536 }; /* what a pipe takes, see pipe(7) */

static char *filled(size_t len, char c)
{
    char *data = deja_realloc(NULL, len + 1);
    assert_non_null(data);
    memset(data, c, len);
    data[len] = 0;
    return data;
}

static void put(outbox *box, const char *out, const char *err)
{
    flow_bytes a = bytes_of(out), b = bytes_of(err);
    outbox_put(box, &a, &b);
}

static void line(outbox *box, const char *text)
{
    outbox_line(box, text, strlen(text));
}

static void test_outbox__both_streams_come_out_in_order(void **state)
{
    (void)state;
    pipes p;
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    pipes_open(&p, 0);
    put(p.box, "a1 ", "e1 ");
    put(p.box, "a2 ", "");
    put(p.box, "", "e3 ");
    put(p.box, "", "");
    outbox_put(p.box, NULL, NULL);
    pipes_drain(&p, &out, &err);
    assert_string_equal(deja_buffer_string(&out), "a1 a2 ");
    assert_string_equal(deja_buffer_string(&err), "e1 e3 ");
    pipes_close(&p);
}

/* One file for both: the order between the streams shows. */
static void test_outbox__a_jobs_output_is_whole_and_before_its_error(void **state)
{
    (void)state;
    int fd = open("both", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    outbox *box;
    outbox_options o = {.out_fd = fd, .err_fd = fd};
    assert_int_equal(outbox_open(&box, &o, NULL), 0);
    put(box, "a1 ", "e1 ");
    put(box, "a2 ", "e2 ");
    put(box, "", "e3 ");
    put(box, "a4 ", "");
    outbox_pump(box);
    assert_int_equal(outbox_empty(box), 1);
    char text[64] = "";
    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "a1 e1 a2 e2 e3 a4 ");
    outbox_close(box);
    close(fd);
}

static void test_outbox__nobody_reads_and_nothing_blocks(void **state)
{
    (void)state;
    pipes p;
    struct pollfd fds[2];
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    DEJA_AUTO_FREE char *large = filled(10 * PIPE_BYTES, 'x');
    pipes_open(&p, 0);
    for (int i = 0; i < 10; i++)
        put(p.box, large, "e");
    outbox_pump(p.box);
    assert_int_equal(outbox_empty(p.box), 0);
    assert_int_equal(outbox_poll(p.box, fds), 1);
    assert_int_equal(fds[0].fd, p.out[1]);
    assert_int_equal(poll(fds, 1, 0), 0);
    assert_int_equal(fcntl(p.out[1], F_GETFL) & O_NONBLOCK, 0);
    pipes_drain(&p, &out, &err);
    assert_int_equal(out.len, 100 * PIPE_BYTES);
    assert_string_equal(deja_buffer_string(&err), "eeeeeeeeee");
    assert_int_equal(outbox_poll(p.box, fds), 0);
    pipes_close(&p);
}

static int files_here(void)
{
    int n = 0;
    DIR *dir = opendir(".");
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

static void test_outbox__beyond_the_limit_output_waits_in_a_file(void **state)
{
    (void)state;
    pipes p;
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    DEJA_AUTO_BUFFER deja_buffer expected = {0};
    pipes_open(&p, 200000);
    for (int i = 0; i < 3000; i++) {
        char text[512], error[16];
        snprintf(text, sizeof text, "%0500d\n", i);
        snprintf(error, sizeof error, "%d\n", i);
        put(p.box, text, error);
        deja_buffer_add_string(&expected, text);
    }
    assert_int_equal(files_here(), 0); /* it has no name */
    pipes_drain(&p, &out, &err);
    assert_string_equal(deja_buffer_string(&out), deja_buffer_string(&expected));
    assert_int_equal(outbox_trouble(p.box, &(deja_error){0}), 0);
    pipes_close(&p);
}

static void test_outbox__what_is_held_comes_out_when_released(void **state)
{
    (void)state;
    pipes p;
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    DEJA_AUTO_FREE char *large = filled(100000, 'x');
    pipes_open(&p, 200000);
    flow_bytes text[3] = {bytes_of("one "), bytes_of("two "), bytes_of(large)};
    outbox_held *one = outbox_hold(p.box, &text[0], &text[1]);
    outbox_held *two = outbox_hold(p.box, &text[1], NULL);
    outbox_held *three = outbox_hold(p.box, &text[2], &text[2]); /* goes to the file */
    outbox_held *four = outbox_hold(p.box, &text[2], &text[2]);
    assert_null(outbox_hold(p.box, NULL, NULL));
    outbox_release(p.box, two);
    outbox_release(p.box, three);
    outbox_release(p.box, NULL);
    outbox_release(p.box, one);
    outbox_drop(p.box, four);
    pipes_drain(&p, &out, &err);
    assert_int_equal(out.len, 4 + 100000 + 4);
    assert_memory_equal(out.data, "two x", 5);
    assert_string_equal(out.data + out.len - 5, "xone ");
    assert_int_equal(err.len, 100000 + 4);
    pipes_close(&p);
}

static void test_outbox__a_large_file_is_not_copied(void **state)
{
    (void)state;
    pipes p;
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    DEJA_AUTO_FREE char *large = filled(3000000, 'y');
    int fd = open("spooled", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, large, 3000000), 3000000);
    pipes_open(&p, 100000);
    flow_bytes file = {.fd = fd, .len = 2999999}, small = bytes_of("e");
    outbox_held *held = outbox_hold(p.box, &file, &small);
    outbox_put(p.box, &file, &small);
    assert_int_equal(unlink("spooled"), 0);
    close(fd); /* the bytes are borrowed during the call only */
    outbox_release(p.box, held);
    pipes_drain(&p, &out, &err);
    assert_int_equal(out.len, 2 * 2999999);
    assert_string_equal(deja_buffer_string(&err), "ee");
    pipes_close(&p);
}

static void test_outbox__lines_of_ours_stand_between_streams(void **state)
{
    (void)state;
    int ends[2];
    outbox *box;
    DEJA_AUTO_BUFFER deja_buffer all = {0};
    DEJA_AUTO_FREE char *large = filled(3 * PIPE_BYTES, 'x');
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    outbox_options o = {.out_fd = ends[1], .err_fd = ends[1]};
    assert_int_equal(outbox_open(&box, &o, NULL), 0);
    put(box, large, "E");
    line(box, "line\n");
    for (int i = 0; i < 100 && !outbox_empty(box); i++) {
        outbox_pump(box);
        pipes_read(ends[0], &all);
    }
    assert_int_equal(all.len, 3 * PIPE_BYTES + 7);
    assert_string_equal(all.data + 3 * PIPE_BYTES, "E\nline\n");
    outbox_close(box);
    close(ends[0]);
    close(ends[1]);
}

static void test_outbox__a_line_goes_out_while_standard_output_is_stuck(void **state)
{
    (void)state;
    pipes p;
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    DEJA_AUTO_FREE char *large = filled(3 * PIPE_BYTES, 'x');
    pipes_open(&p, 0);
    put(p.box, large, "");
    line(p.box, "line\n");
    outbox_pump(p.box);
    pipes_read(p.err[0], &err);
    assert_string_equal(deja_buffer_string(&err), "line\n");
    pipes_close(&p);
}

static void test_outbox__a_reader_that_went_away_is_told(void **state)
{
    (void)state;
    pipes p;
    deja_error error;
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    pipes_open(&p, 0);
    close(p.out[0]);
    p.out[0] = -1;
    put(p.box, "x", "still told");
    outbox_pump(p.box);
    assert_int_equal(outbox_unread(p.box), 1);
    assert_int_equal(outbox_trouble(p.box, &error), 0);
    assert_int_equal(outbox_empty(p.box), 1);
    pipes_read(p.err[0], &err);
    assert_string_equal(deja_buffer_string(&err), "still told");
    pipes_close(&p);
}

static void test_outbox__a_full_disk_is_trouble_once(void **state)
{
    (void)state;
    deja_error error;
    outbox *box;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    outbox_options o = {.out_fd = full, .err_fd = null};
    assert_int_equal(outbox_open(&box, &o, NULL), 0);
    put(box, "x", "");
    outbox_pump(box);
    put(box, "y", "");
    outbox_pump(box);
    assert_int_equal(outbox_trouble(box, &error), 1);
    assert_int_equal(error.code, DEJA_EFULL);
    assert_string_equal(error.text, "write to standard output: No space left on device");
    assert_int_equal(outbox_unread(box), 0);
    assert_int_equal(outbox_empty(box), 1);
    outbox_close(box);
    close(full);
    close(null);
}

static void test_outbox__bytes_that_cannot_be_had_are_nothing(void **state)
{
    (void)state;
    pipes p;
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    pipes_open(&p, 0);
    flow_bytes gone = {.len = 100, .fd = -1}, small = bytes_of("e");
    outbox_put(p.box, &gone, &small);
    pipes_drain(&p, &out, &err);
    assert_int_equal(out.len, 0);
    assert_string_equal(deja_buffer_string(&err), "e");
    pipes_close(&p);
}

/* A terminal: what is written to `slave` is read from `master`. */
typedef struct terminal {
    int master, slave;
    outbox *box;
} terminal;

static void terminal_open(terminal *t)
{
    assert_int_equal(openpty(&t->master, &t->slave, NULL, NULL, NULL), 0);
    struct termios raw;
    assert_int_equal(tcgetattr(t->slave, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(t->slave, TCSANOW, &raw), 0);
    assert_int_equal(fcntl(t->master, F_SETFL, O_NONBLOCK), 0);
    outbox_options o = {.out_fd = t->slave, .err_fd = t->slave};
    assert_int_equal(outbox_open(&t->box, &o, NULL), 0);
}

static void terminal_close(terminal *t)
{
    outbox_close(t->box);
    close(t->master);
    close(t->slave);
}

static void test_outbox__the_status_line_gives_way_to_everything_else(void **state)
{
    (void)state;
    terminal t;
    terminal_open(&t);
    assert_int_equal(outbox_terminal(t.box), 1);
    outbox_status(t.box, "0/9");
    expect_on(t.master, t.box, "\r0/9\033[K");
    outbox_status(t.box, "");
    expect_on(t.master, t.box, "\r\033[K");
    outbox_status(t.box, "1/2");
    expect_on(t.master, t.box, "\r1/2\033[K");
    outbox_status(t.box, "2/2");
    expect_on(t.master, t.box, "\r2/2\033[K");
    put(t.box, "out\n", "");
    expect_on(t.master, t.box, "\r\033[Kout\n");
    outbox_status(t.box, "again");
    line(t.box, "line\n");
    expect_on(t.master, t.box, "line\n\ragain\033[K");
    outbox_clear_status(t.box);
    expect_on(t.master, t.box, "\r\033[K");
    terminal_close(&t);
}

static void test_outbox__an_unfinished_line_is_not_overwritten(void **state)
{
    (void)state;
    terminal t;
    terminal_open(&t);
    put(t.box, "no newline", "");
    outbox_status(t.box, "status");
    expect_on(t.master, t.box, "no newline\n\rstatus\033[K");
    put(t.box, "nor here", "");
    expect_on(t.master, t.box, "\r\033[Knor here");
    line(t.box, "line\n");
    line(t.box, "next\n");
    expect_on(t.master, t.box, "\nline\nnext\n");
    terminal_close(&t);
}

/* Exit status of a child: 0 when `expected` is what outbox_foreground says in a group of its own or not. */
static int foreground_in_child(const outbox *box, int own_group, int expected)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (own_group)
            setpgid(0, 0);
        _exit(outbox_foreground(box) != expected);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_outbox__the_background_is_told_from_the_foreground(void **state)
{
    (void)state;
    terminal t;
    int status;
    terminal_open(&t);
    assert_int_equal(outbox_foreground(t.box), 1); /* no terminal of ours */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (setsid() < 0 || ioctl(t.slave, TIOCSCTTY, 0))
            _exit(2);
        _exit(foreground_in_child(t.box, 0, 1) || foreground_in_child(t.box, 1, 0));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    terminal_close(&t);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_outbox__both_streams_come_out_in_order),
        CASE(test_outbox__a_jobs_output_is_whole_and_before_its_error),
        CASE(test_outbox__nobody_reads_and_nothing_blocks),
        CASE(test_outbox__beyond_the_limit_output_waits_in_a_file),
        CASE(test_outbox__what_is_held_comes_out_when_released),
        CASE(test_outbox__a_large_file_is_not_copied),
        CASE(test_outbox__lines_of_ours_stand_between_streams),
        CASE(test_outbox__a_line_goes_out_while_standard_output_is_stuck),
        CASE(test_outbox__a_reader_that_went_away_is_told),
        CASE(test_outbox__a_full_disk_is_trouble_once),
        CASE(test_outbox__bytes_that_cannot_be_had_are_nothing),
        CASE(test_outbox__the_status_line_gives_way_to_everything_else),
        CASE(test_outbox__an_unfinished_line_is_not_overwritten),
        CASE(test_outbox__the_background_is_told_from_the_foreground),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
