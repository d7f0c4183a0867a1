/* run_folder.h: the folder of one run, and how others see that the run lives. */
#include "batch_fixture.h"

#include "run_folder.h"
#include <deja/clock.h>
#include <dirent.h>
#include <fcntl.h>

#define START_NS (1795166609 * DEJA_S_NS)

static run_folder make(const char *runs)
{
    run_folder f;
    deja_error err;
    run_folder_init(&f, runs, START_NS, 4);
    if (run_folder_make(&f, &err))
        fail_msg("%s", err.text);
    return f;
}

static int count_names(const char *folder)
{
    DIR *d = opendir(folder);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_run_folder__nothing_is_made_before_it_is_asked_for(void **state)
{
    (void)state;
    run_folder f;
    run_folder_init(&f, "deja/runs", START_NS, 4);
    assert_true(runs_is_id(f.id));
    assert_int_equal(f.runs_fd, -1);
    assert_int_equal(f.fd, -1);
    assert_int_equal(f.state_fd, -1);
    run_folder_close(&f);
    assert_int_equal(count_names("."), 0);
}

static void test_run_folder__is_made_with_what_it_lies_in(void **state)
{
    (void)state;
    char path[300];
    mode_t mask = umask(0);
    run_folder f = make("deja/runs");
    snprintf(path, sizeof path, "deja/runs/%s", f.id);
    umask(mask);
    assert_int_equal(mode_of("deja/runs"), 0700);
    assert_int_equal(mode_of(path), 0700);
    assert_string_equal(read_file("deja/.gitignore"), "*\n");
    assert_int_equal(faccessat(f.fd, "../../runs", F_OK, 0), 0);
    run_folder_close(&f);
    assert_int_equal(f.fd, -1);
    run_folder_close(&f);
}

/* Only who makes the folder of runs puts a file beside it. */
static void test_run_folder__what_is_there_already_is_left_as_it_is(void **state)
{
    (void)state;
    mkdir("deja", 0700);
    mkdir("deja/runs", 0700);
    assert_int_equal(chmod("deja/runs", 0755), 0);
    run_folder f = make("deja/runs");
    assert_int_equal(mode_of("deja/runs"), 0755);
    assert_null(read_file("deja/.gitignore"));
    run_folder_close(&f);
    mkdir("other", 0700);
    write_file("other/.gitignore", "mine\n");
    f = make("other/runs");
    assert_string_equal(read_file("other/.gitignore"), "mine\n");
    run_folder_close(&f);
}

static void test_run_folder__a_taken_id_is_replaced(void **state)
{
    (void)state;
    run_folder f[3];
    char first[RUNS_ID];
    for (int i = 0; i < 3; i++) {
        f[i] = make("runs");
        assert_true(runs_is_id(f[i].id));
    }
    snprintf(first, sizeof first, "%s", f[0].id);
    assert_int_equal(strncmp(f[1].id, first, strlen(first)), 0);
    assert_string_not_equal(f[1].id, first);
    assert_string_not_equal(f[2].id, f[1].id);
    assert_int_equal(count_names("runs"), 3);
    for (int i = 0; i < 3; i++)
        run_folder_close(&f[i]);
}

static void test_run_folder__that_others_may_write_to_is_refused(void **state)
{
    (void)state;
    static const mode_t modes[] = {0770, 0702};
    mkdir("runs", 0700);
    for (int i = 0; i < 2; i++) {
        run_folder f;
        deja_error err = {0};
        assert_int_equal(chmod("runs", modes[i]), 0);
        run_folder_init(&f, "runs", START_NS, 4);
        assert_int_equal(run_folder_make(&f, &err), DEJA_EDENIED);
        assert_non_null(strstr(err.text, "'runs'"));
        run_folder_close(&f);
        assert_int_equal(count_names("runs"), 0);
    }
}

static void test_run_folder__of_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* may give no file away */
    run_folder f;
    mkdir("runs", 0700);
    assert_int_equal(chown("runs", 12345, (gid_t)-1), 0);
    run_folder_init(&f, "runs", START_NS, 4);
    assert_int_equal(run_folder_make(&f, NULL), DEJA_EDENIED);
    run_folder_close(&f);
}

static void test_run_folder__a_file_in_its_place_is_an_error(void **state)
{
    (void)state;
    run_folder f;
    deja_error err = {0};
    write_file("runs", "");
    run_folder_init(&f, "runs", START_NS, 4);
    assert_true(run_folder_make(&f, &err) < 0);
    assert_non_null(strstr(err.text, "'runs'"));
    run_folder_close(&f);
    assert_string_equal(read_file("runs"), "");
}

static void test_run_folder__lives_until_it_is_closed(void **state)
{
    (void)state;
    runs_state seen;
    run_folder f = make("runs");
    int runs = open("runs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(runs_alive(runs, f.id, &seen), 0);
    assert_int_equal(run_folder_live(&f, NULL), 0);
    assert_int_equal(runs_alive(runs, f.id, &seen), 1);
    assert_memory_equal(seen.magic, "dejarun1", 8);
    assert_int_equal(seen.pid, getpid());
    assert_int_equal(seen.slots, 4);
    assert_int_equal(seen.started_ns, START_NS);
    assert_int_equal(seen.updated_ns, START_NS);
    assert_int_equal(seen.total, 0);
    struct stat st;
    assert_int_equal(fstat(f.state_fd, &st), 0);
    assert_int_equal(st.st_size, RUNS_STATE_SIZE);
    assert_int_equal(st.st_mode & 0777, 0600);
    run_folder_close(&f);
    assert_int_equal(runs_alive(runs, f.id, NULL), 0);
    close(runs);
}

static void test_run_folder__tells_how_far_the_run_is(void **state)
{
    (void)state;
    runs_state seen;
    deja_error err = {0};
    flow_totals t = {.total = 70, .done = 60, .hits = 50, .ran = 7, .failed = 2, .skipped = 1, .running = 3};
    run_folder f = make("runs");
    assert_int_equal(run_folder_live(&f, NULL), 0);
    assert_int_equal(run_folder_tell(&f, &t, NULL, 0, START_NS + 5, NULL), 0);
    assert_int_equal(runs_alive(f.runs_fd, f.id, &seen), 1);
    assert_int_equal(seen.total, 70);
    assert_int_equal(seen.done, 60);
    assert_int_equal(seen.hits, 50);
    assert_int_equal(seen.ran, 7);
    assert_int_equal(seen.failed, 2);
    assert_int_equal(seen.skipped, 1);
    assert_int_equal(seen.running, 3);
    assert_int_equal(seen.started_ns, START_NS);
    assert_int_equal(seen.updated_ns, START_NS + 5);
    run_folder_close(&f);
    assert_true(run_folder_tell(&f, &t, NULL, 0, START_NS, &err) < 0);
    assert_non_null(strstr(err.text, "/state'"));
}

static void test_run_folder__a_state_of_somebody_else_is_not_taken(void **state)
{
    (void)state;
    deja_error err = {0};
    run_folder f = make("runs");
    write_file("there", "kept");
    assert_int_equal(symlinkat("../../there", f.fd, "state"), 0);
    assert_int_equal(run_folder_live(&f, &err), DEJA_EEXIST);
    assert_string_equal(read_file("there"), "kept");
    run_folder_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_run_folder__nothing_is_made_before_it_is_asked_for),
        CASE(test_run_folder__is_made_with_what_it_lies_in),
        CASE(test_run_folder__what_is_there_already_is_left_as_it_is),
        CASE(test_run_folder__a_taken_id_is_replaced),
        CASE(test_run_folder__that_others_may_write_to_is_refused),
        CASE(test_run_folder__of_another_user_is_refused),
        CASE(test_run_folder__a_file_in_its_place_is_an_error),
        CASE(test_run_folder__lives_until_it_is_closed),
        CASE(test_run_folder__tells_how_far_the_run_is),
        CASE(test_run_folder__a_state_of_somebody_else_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
