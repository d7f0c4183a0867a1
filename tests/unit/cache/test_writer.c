/*
 * Group commit: many results, several processes, trouble with the database in between.
 */
#include "db.h"
#include "store_fixture.h"

#include "scratch.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define MANY 2500 /* more than two groups */

typedef struct batch {
    char names[MANY][16];
    deja_result results[MANY];
} batch;

static void begin_all(deja_cache *c, batch *b, const char *prefix, const char *out)
{
    for (int i = 0; i < MANY; i++) {
        snprintf(b->names[i], sizeof b->names[i], "%s%d", prefix, i);
        b->results[i] = result_of(b->names[i], out);
        assert_int_equal(deja_result_seal_begin(c, &b->results[i]), 1);
        assert_int_equal(deja_result_commit_begin(c, &b->results[i]), 0);
    }
}

/* How many steps ended well; the rest ended with `expected`. */
static int end_all(deja_cache *c, int expected)
{
    int good = 0;
    deja_cache_hurry(c);
    for (int finished = 0; finished < MANY;) {
        struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
        assert_true(poll(&p, 1, 30000) == 1 || errno == EINTR);
        for (deja_step *s; (s = deja_cache_next(c)); finished++) {
            if (s->status && s->status != expected)
                fail_msg("commit: %s", s->error.text);
            good += !s->status;
            deja_result_done((deja_result *)s);
        }
    }
    return good;
}

static void test_writer__commits_all_that_waits(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_cache_numbers n;
    batch *b = deja_calloc(1, sizeof *b);
    begin_all(c, b, "k", "out");
    assert_int_equal(end_all(c, 0), MANY);
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, MANY);
    assert_int_equal(n.saved_ns_per_hit, MANY * 1000);
    for (int i = 0; i < MANY; i += 97) {
        deja_entry *e = look(c, b->names[i]);
        assert_out(e, "out");
        deja_entry_free(e);
    }
    deja_free(b);
    deja_cache_close(c);
}

static void test_writer__close_waits_for_what_is_under_way(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_cache_numbers n;
    batch *b = deja_calloc(1, sizeof *b);
    begin_all(c, b, "k", "out");
    deja_cache_close(c);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(b->results[i].step.status, 0);
        deja_result_done(&b->results[i]);
    }
    c = open_cache("cache");
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, MANY);
    deja_free(b);
    deja_cache_close(c);
}

static void test_writer__without_a_hurry_a_result_is_committed_too(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_result r = result_of("one", "out");
    assert_int_equal(deja_result_seal_begin(c, &r), 1);
    assert_int_equal(deja_result_commit_begin(c, &r), 0);
    struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_ptr_equal(deja_cache_next(c), &r.step);
    assert_int_equal(r.step.status, 0);
    deja_result_done(&r);
    deja_cache_close(c);
}

static void store_rounds(int process)
{
    deja_cache *c = open_cache("cache");
    char *data = big(7), name[16], out[32];
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "k%d", i);
        snprintf(out, sizeof out, "value of %d", i);
        if (i % 10 == 0) {
            deja_result r = result_of(name, "");
            r.out = (deja_payload){data, BIG_BYTES, -1};
            assert_int_equal(keep(c, &r), 0);
            deja_result_done(&r);
        } else {
            store(c, name, out);
        }
        deja_entry *e = look(c, name);
        assert_non_null(e);
        deja_entry_free(e);
    }
    assert_warning(c, NULL);
    deja_free(data);
    deja_cache_close(c);
    (void)process;
}

static void test_writer__processes_store_the_same_keys_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 4 };
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            store_rounds(i); /* the folder is made at once by all of them, too */
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    deja_cache *c = open_cache("cache");
    deja_cache_numbers n;
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 60);
    assert_int_equal(n.blobs, 1);
    deja_entry *e = look(c, "k59");
    assert_out(e, "value of 59");
    deja_entry_free(e);
    e = look(c, "k50");
    int fd = deja_cache_open_stored(c, &e->out, NULL);
    assert_true(fd >= 0);
    close(fd);
    deja_entry_free(e);
    deja_cache_close(c);
}

/* Another process may remove the last reference to a blob, and its file, after this one has seen that it is
 * there. */
static void test_writer__a_blob_that_went_before_the_commit_is_published_again(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1), hex[DEJA_HASH_HEX], path[80];
    deja_hash hash = deja_hash_bytes(data, BIG_BYTES);
    deja_hash_hex(&hash, hex);
    snprintf(path, sizeof path, "cache/blobs/%.2s/%s", hex, hex + 2);
    db *lock = NULL;
    assert_int_equal(db_open(&lock, "cache/db", 0, NULL), 0);
    deja_result r = result_of("one", "");
    r.out = (deja_payload){data, BIG_BYTES, -1};
    assert_int_equal(wait_step(c, &r.step, deja_result_seal_begin(c, &r)), 0);
    assert_int_equal(db_write_begin(lock, NULL), 0);
    int begun = deja_result_commit_begin(c, &r);
    deja_cache_hurry(c);
    for (int i = 0; i < 20000 && access(path, F_OK); i++)
        usleep(1000);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(db_commit(lock, NULL), 0);
    db_close(lock);
    assert_int_equal(wait_step(c, &r.step, begun), 0);
    deja_result_done(&r);
    assert_int_equal(access(path, F_OK), 0);
    deja_entry *e = look(c, "one");
    int fd = deja_cache_open_stored(c, &e->out, NULL);
    assert_true(fd >= 0);
    close(fd);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
}

/* What stands in the place of its blob, and cannot be removed, is trouble of one result only. */
static void test_writer__a_result_whose_blob_cannot_be_kept_fails_alone(void **state)
{
    (void)state;
    enum { N = 4, BAD = 2 };
    static const char *const names[N] = {"first", "one", "bad", "two"};
    deja_cache *c = open_cache("cache");
    char *data = big(1), *other = big(2), path[80], hex[DEJA_HASH_HEX];
    deja_hash hash = deja_hash_bytes(data, BIG_BYTES);
    deja_hash_hex(&hash, hex);
    snprintf(path, sizeof path, "cache/blobs/%.2s/%s", hex, hex + 2);
    deja_result r[N];
    for (int i = 0; i < N; i++) {
        r[i] = result_of(names[i], names[i]);
        if (i >= BAD)
            r[i].out = (deja_payload){i == BAD ? data : other, BIG_BYTES, -1};
        assert_int_equal(wait_step(c, &r[i].step, deja_result_seal_begin(c, &r[i])), 0);
    }
    db *lock = NULL;
    assert_int_equal(db_open(&lock, "cache/db", 0, NULL), 0);
    assert_int_equal(db_write_begin(lock, NULL), 0);
    /* While the writer waits for the lock with the first one, the others gather. */
    assert_int_equal(deja_result_commit_begin(c, &r[0]), 0);
    deja_cache_hurry(c);
    usleep(50000);
    for (int i = 1; i < N; i++)
        assert_int_equal(deja_result_commit_begin(c, &r[i]), 0);
    for (int i = 0; i < 20000 && access(path, F_OK); i++)
        usleep(1000);
    assert_int_equal(unlink(path) | mkdir(path, 0700), 0);
    assert_int_equal(db_commit(lock, NULL), 0);
    db_close(lock);
    deja_cache_hurry(c);
    for (int finished = 0; finished < N;) {
        struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
        assert_true(poll(&p, 1, 20000) == 1 || errno == EINTR);
        for (deja_step *s; (s = deja_cache_next(c)); finished++)
            if (s != &r[BAD].step && s->status)
                fail_msg("commit: %s", s->error.text);
    }
    assert_true(r[BAD].step.status < 0);
    assert_non_null(strstr(r[BAD].step.error.text, "/cache': remove 'blobs/"));
    for (int i = 0; i < N; i++) {
        deja_entry *e = look(c, names[i]);
        assert_int_equal(e != NULL, i != BAD);
        deja_entry_free(e);
        deja_result_done(&r[i]);
    }
    deja_cache_numbers n;
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, N - 1);
    assert_int_equal(n.blobs, 1);
    deja_free(data);
    deja_free(other);
    deja_cache_close(c);
}

/* One bit of a record that says this, where it lies in the database file. */
static void damage_record(const char *text)
{
    struct stat st;
    int fd = open("cache/db", O_RDWR | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    char *bytes = deja_calloc(1, (size_t)st.st_size);
    assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
    char *at = memmem(bytes, (size_t)st.st_size, text, strlen(text));
    assert_non_null(at);
    *at ^= 1;
    assert_int_equal(pwrite(fd, at, 1, at - bytes), 1);
    deja_free(bytes);
    close(fd);
}

static int count_files(const char *folder)
{
    int count = 0;
    char name[32];
    for (unsigned n = 0; n < 256; n++) {
        snprintf(name, sizeof name, "%s/%02x", folder, n);
        DIR *dir = opendir(name);
        for (struct dirent *entry; dir && (entry = readdir(dir));)
            count += entry->d_name[0] != '.';
        if (dir)
            closedir(dir);
    }
    return count;
}

static void test_writer__a_repair_removes_the_blobs_of_damaged_rows(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_cache_numbers n;
    static const char *const names[] = {"the sound one", "the damaged one"};
    for (unsigned i = 0; i < 2; i++) {
        char *data = big(i);
        deja_result r = result_of(names[i], "");
        r.out = (deja_payload){data, BIG_BYTES, -1};
        assert_int_equal(keep(c, &r), 0);
        deja_result_done(&r);
        deja_free(data);
    }
    deja_cache_close(c);
    db *d = NULL;
    assert_int_equal(db_open(&d, "cache/db", 0, NULL), 0);
    assert_int_equal(db_totals(d, &n, NULL), 0); /* what was not read has no WAL yet */
    assert_int_equal(db_checkpoint(d, 1, NULL), 0);
    db_close(d);
    damage_record(names[1]);
    assert_int_equal(count_files("cache/blobs"), 2);
    c = open_cache("cache");
    assert_null(look(c, names[1]));
    assert_warning(c, "was damaged");
    store(c, "three", "third");
    store(c, "four", "fourth"); /* once more: blobs go after the commit is acknowledged */
    assert_int_equal(count_files("cache/blobs"), 1);
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 3);
    assert_int_equal(n.blobs, 1);
    assert_int_equal(n.blob_bytes, BIG_BYTES);
    deja_entry *e = look(c, names[0]);
    int fd = deja_cache_open_stored(c, &e->out, NULL);
    assert_true(fd >= 0);
    close(fd);
    deja_entry_free(e);
    deja_cache_close(c);
}

static void break_database(void)
{
    char noise[4096];
    memset(noise, 'n', sizeof noise);
    int fd = open("cache/db", O_WRONLY | O_CLOEXEC);
    for (off_t at = 4096; at < 5 * 4096; at += 4096) /* all but the page with the header */
        assert_int_equal(pwrite(fd, noise, sizeof noise, at), (ssize_t)sizeof noise);
    close(fd);
}

static void test_writer__a_database_that_breaks_meanwhile_is_replaced(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store(c, "one", "first");
    deja_cache_close(c);
    c = open_cache("cache");
    store(c, "two", "second");
    deja_cache_close(c);
    unlink("cache/db-wal");
    break_database();
    c = open_cache("cache");
    store(c, "three", "third");
    assert_warning(c, "db.damaged-1");
    deja_entry *e = look(c, "three");
    assert_out(e, "third");
    deja_entry_free(e);
    deja_cache_close(c);
    c = open_cache("cache");
    e = look(c, "three");
    assert_out(e, "third");
    deja_entry_free(e);
    assert_null(look(c, "one"));
    assert_warning(c, NULL);
    deja_cache_close(c);
}

static void test_writer__who_finds_the_damage_second_moves_nothing(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store(c, "one", "first");
    deja_cache_close(c);
    c = open_cache("cache");
    assert_int_equal(deja_cache_clear(c, NULL, NULL), 0); /* empties the WAL, too */
    deja_cache_close(c);
    c = open_cache("cache");
    deja_cache *second = open_cache("cache");
    break_database();
    assert_null(look(c, "one"));
    assert_warning(c, "db.damaged-1");
    store(c, "two", "second");
    (void)look(second, "two"); /* still reads the old file and finds it damaged */
    assert_warning(second, NULL);
    deja_entry *e = look(second, "two");
    assert_out(e, "second");
    deja_entry_free(e);
    assert_int_equal(access("cache/db.damaged-2", F_OK), -1);
    deja_cache_close(second);
    deja_cache_close(c);
}

static void test_writer__clearing_leaves_no_row_without_its_blob(void **state)
{
    (void)state;
    enum { RESULTS = 40 };
    char name[16];
    deja_cache_close(open_cache("cache"));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        deja_cache *c = open_cache("cache");
        for (int i = 0; i < RESULTS; i++) {
            char *data = big((unsigned)i % 3);
            snprintf(name, sizeof name, "k%d", i);
            deja_result r = result_of(name, "");
            r.out = (deja_payload){data, BIG_BYTES, -1};
            if (keep(c, &r))
                _exit(1);
            deja_result_done(&r);
            deja_free(data);
        }
        deja_cache_close(c);
        _exit(0);
    }
    deja_cache *c = open_cache("cache");
    int status = -1;
    while (waitpid(pid, &status, WNOHANG) == 0)
        assert_int_equal(deja_cache_clear(c, NULL, NULL), 0);
    assert_int_equal(status, 0);
    for (int i = 0; i < RESULTS; i++) {
        snprintf(name, sizeof name, "k%d", i);
        deja_entry *e = look(c, name);
        if (!e)
            continue;
        int fd = deja_cache_open_stored(c, &e->out, NULL);
        if (fd < 0)
            fail_msg("the blob of '%s' is gone", name);
        close(fd);
        deja_entry_free(e);
    }
    deja_cache_close(c);
}

/* A limit on the size of files stands for a full disk where no file system can be mounted. */
static void test_writer__results_that_do_not_fit_fail_and_later_ones_are_kept(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    store(c, "one", "first");
    batch *b = deja_calloc(1, sizeof *b);
    struct rlimit old, small;
    struct stat st;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    assert_int_equal(stat("cache/db-wal", &st), 0);
    small.rlim_cur = (rlim_t)st.st_size + 20000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    char *out = deja_calloc(1, 4000);
    memset(out, 'o', 3999);
    begin_all(c, b, "k", out);
    int good = 0, failed = 0;
    deja_cache_hurry(c);
    while (good + failed < MANY) {
        struct pollfd p = {.fd = deja_cache_fd(c), .events = POLLIN};
        assert_true(poll(&p, 1, 30000) == 1 || errno == EINTR);
        for (deja_step *s; (s = deja_cache_next(c));) {
            s->status ? failed++ : good++;
            deja_result_done((deja_result *)s);
        }
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(failed > 0);
    store(c, "two", "second");
    deja_entry *e = look(c, "one");
    assert_out(e, "first");
    deja_entry_free(e);
    deja_cache_numbers n;
    assert_int_equal(deja_cache_stats(c, &n, NULL), 0);
    assert_int_equal(n.entries, 2 + good);
    assert_warning(c, NULL);
    deja_cache_close(c);
    deja_free(out);
    deja_free(b);
}

/* ---- a WAL that a killed writer leaves ---- */

static void write_and_die(uint32_t rows)
{
    static char record[16000];
    db *d = NULL;
    if (db_open(&d, "cache/db", DB_NO_SYNC, NULL) || db_write_begin(d, NULL))
        _exit(1);
    for (uint32_t i = 0; i < rows; i++) {
        db_put_args row = {.record = record, .len = sizeof record};
        memcpy(row.key.byte, &i, sizeof i);
        if (db_put(d, &row, NULL))
            _exit(1);
    }
    if (db_commit(d, NULL))
        _exit(1);
    kill(getpid(), SIGKILL);
}

static off_t size_of_wal(void)
{
    struct stat st;
    assert_int_equal(stat("cache/db-wal", &st), 0);
    return st.st_size;
}

/* Of rows of 16 KB. */
static void leave_wal(uint32_t rows)
{
    deja_cache *c = open_cache("cache");
    store(c, "a", "A");
    deja_cache_close(c);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        write_and_die(rows);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_true(size_of_wal() > (off_t)rows * 16000);
}

static void assert_hit(void)
{
    deja_cache *c = open_cache("cache");
    deja_entry *e = look(c, "a");
    assert_out(e, "A");
    deja_entry_free(e);
    deja_cache_close(c);
}

static void test_writer__a_wal_that_nobody_adds_to_is_taken_in_by_a_hit(void **state)
{
    (void)state;
    leave_wal(300);
    assert_hit();
    assert_true(size_of_wal() > 0); /* perhaps somebody is just writing */
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, "cache/db-wal", old, 0), 0);
    assert_hit();
    assert_int_equal(size_of_wal(), 0);
    assert_hit();
}

static void test_writer__a_wal_that_was_left_is_taken_in_by_the_next_writer(void **state)
{
    (void)state;
    leave_wal(2200); /* more than a busy writer lets the WAL grow to */
    deja_cache *c = open_cache("cache");
    store(c, "b", "B");
    deja_cache_close(c);
    assert_true(size_of_wal() < (off_t)1 << 20);
    assert_hit();
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_writer__commits_all_that_waits),
        CASE(test_writer__close_waits_for_what_is_under_way),
        CASE(test_writer__without_a_hurry_a_result_is_committed_too),
        CASE(test_writer__processes_store_the_same_keys_at_once),
        CASE(test_writer__a_blob_that_went_before_the_commit_is_published_again),
        CASE(test_writer__a_result_whose_blob_cannot_be_kept_fails_alone),
        CASE(test_writer__a_repair_removes_the_blobs_of_damaged_rows),
        CASE(test_writer__a_database_that_breaks_meanwhile_is_replaced),
        CASE(test_writer__who_finds_the_damage_second_moves_nothing),
        CASE(test_writer__clearing_leaves_no_row_without_its_blob),
        CASE(test_writer__a_wal_that_nobody_adds_to_is_taken_in_by_a_hit),
        CASE(test_writer__a_wal_that_was_left_is_taken_in_by_the_next_writer),
        CASE(test_writer__results_that_do_not_fit_fail_and_later_ones_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
