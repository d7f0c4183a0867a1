/* What happens as JSON: jobs/cli/events.h. */
#include "events.h"
#include "pipes.h"
#include <deja/cleanup.h>
#include <deja/text.h>

enum { CHUNK = 65535 }; /* bytes of a file that the events handle at a time */

/* A file that is one character of `text` in a row, `len` bytes of it, after `odd` bytes of 'o'. */
static int file_of(const char *text, size_t odd, size_t len)
{
    int fd = open("stream", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    for (size_t i = 0; i < odd; i++)
        deja_buffer_add_char(&b, 'o');
    while (b.len < len)
        deja_buffer_add_string(&b, text);
    assert_int_equal(write(fd, b.data, b.len), b.len);
    return fd;
}

static flow_event finished(int fd, uint64_t len)
{
    return (flow_event){.kind = FLOW_FINISHED,
                        .name = "a",
                        .out = {.fd = fd, .len = len},
                        .err = {.data = "e", .len = 1, .fd = -1}};
}

static int ends_with(const deja_buffer *b, const char *end)
{
    return b->len >= strlen(end) && !strcmp(b->data + b->len - strlen(end), end);
}

static void test_events__characters_across_chunks_stay_whole(void **state)
{
    (void)state;
    for (size_t odd = 0; odd < 5; odd++) {
        pipes p;
        pipes_open(&p, 0);
        events e = {.box = p.box};
        DEJA_AUTO_BUFFER deja_buffer out = {0};
        DEJA_AUTO_BUFFER deja_buffer err = {0};
        DEJA_AUTO_CLOSE int fd = file_of("\360\237\230\200", odd, 3 * CHUNK);
        flow_event event = finished(fd, (uint64_t)lseek(fd, 0, SEEK_END));
        events_job(&e, &event);
        pipes_drain(&p, &out, &err);
        assert_non_null(strstr(out.data, "\"stdout\":\""));
        assert_true(ends_with(&out, "\360\237\230\200\",\"stderr\":\"e\"}\n"));
        assert_true(deja_text_is_utf8(out.data, out.len));
        assert_int_equal(outbox_trouble(p.box, NULL), 0);
        events_done(&e);
        pipes_close(&p);
    }
}

static void test_events__bytes_that_are_no_text_are_base64_of_all(void **state)
{
    (void)state;
    pipes p;
    pipes_open(&p, 0);
    events e = {.box = p.box};
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    DEJA_AUTO_CLOSE int fd = file_of("\377", 2 * CHUNK, 2 * CHUNK + 1);
    flow_event event = finished(fd, 2 * CHUNK + 1);
    events_job(&e, &event);
    pipes_drain(&p, &out, &err);
    const char *start = strstr(out.data, "\"stdout_base64\":\"b29v");
    assert_non_null(start);
    assert_true(ends_with(&out, "b29v/w==\",\"stderr\":\"e\"}\n"));
    assert_int_equal(strcspn(start + 17, "\""), (2 * CHUNK + 1 + 2) / 3 * 4);
    events_done(&e);
    pipes_close(&p);
}

/* The event says so, and the run does not end well. */
static void test_events__a_stream_that_cannot_be_read_is_lost_output(void **state)
{
    (void)state;
    pipes p;
    pipes_open(&p, 0);
    deja_error trouble;
    events e = {.box = p.box};
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    DEJA_AUTO_CLOSE int fd = file_of("x", 0, 10);
    flow_event event = finished(fd, 3 * CHUNK);
    events_job(&e, &event);
    pipes_drain(&p, &out, &err);
    assert_true(
        ends_with(&out, "\"stdout_base64\":\"eHh4eHh4eHh4eA==\",\"stdout_cut\":true,\"stderr\":\"e\"}\n"));
    assert_int_equal(outbox_trouble(p.box, &trouble), 1);
    assert_string_equal(trouble.text, "write an event: the output of a job ended early");
    events_done(&e);
    pipes_close(&p);
}

/* Both streams are one pipe that is full after the first part. */
static void test_events__nothing_comes_into_a_long_event(void **state)
{
    (void)state;
    pipes p;
    pipes_open(&p, 0);
    outbox_close(p.box);
    outbox_options o = {.out_fd = p.out[1], .err_fd = p.out[1]};
    assert_int_equal(outbox_open(&p.box, &o, NULL), 0);
    events e = {.box = p.box};
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    DEJA_AUTO_BUFFER deja_buffer err = {0};
    DEJA_AUTO_CLOSE int fd = file_of("x", 0, 5 * CHUNK);
    flow_event event = finished(fd, 5 * CHUNK);
    events_note(&e, "before");
    events_job(&e, &event);
    outbox_line(p.box, "ours\n", 5);
    events_note(&e, "after");
    pipes_drain(&p, &out, &err);
    const char *ours = strstr(out.data, "ours\n");
    assert_non_null(ours);
    assert_int_equal(ours[-1], '\n');
    events_done(&e);
    pipes_close(&p);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_events__characters_across_chunks_stay_whole),
        CASE(test_events__bytes_that_are_no_text_are_base64_of_all),
        CASE(test_events__a_stream_that_cannot_be_read_is_lost_output),
        CASE(test_events__nothing_comes_into_a_long_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
