/*
 * The database: opened only when it is ours and current, rows and references counted by transaction.
 */
#include "db_fixture.h"
#include "entry.h"

#include <deja/file.h>
#include <grp.h>
#include <sys/wait.h>

static void patch(const char *path, off_t at, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
    close(fd);
}

static void test_db__what_is_missing_or_empty_is_not_found(void **state)
{
    (void)state;
    db *d = NULL;
    deja_error err;
    assert_int_equal(db_open(&d, "db", 0, &err), DEJA_ENOTFOUND);
    assert_int_equal(access("db", F_OK), -1);
    write_file("db", "", 0, 0600);
    assert_int_equal(db_open(&d, "db", 0, &err), DEJA_ENOTFOUND);
    assert_null(d);
    db_close(NULL);
}

static void test_db__what_is_not_ours_is_corrupt(void **state)
{
    (void)state;
    db *d = NULL;
    char noise[5000];
    memset(noise, 'n', sizeof noise);
    write_file("db", noise, sizeof noise, 0600);
    assert_int_equal(db_open(&d, "db", 0, NULL), DEJA_ECORRUPT);
    write_file("db", noise, 20, 0600);
    assert_int_equal(db_open(&d, "db", 0, NULL), DEJA_ECORRUPT);
    unlink("db");
    db_close(open_db());
    patch("db", 68, "abcd", 4);
    assert_int_equal(db_open(&d, "db", 0, NULL), DEJA_ECORRUPT);
    unlink("db");
    assert_int_equal(mkdir("db", 0700), 0);
    assert_int_equal(db_open(&d, "db", 0, NULL), DEJA_ECORRUPT);
}

/* A sound database of some other program is not damaged: it is for its owner to move. */
static void test_db__one_of_another_program_is_refused(void **state)
{
    (void)state;
    db *d = NULL;
    deja_error err;
    deja_buffer file = {0};
    db_close(open_db());
    patch("db", 68, "abcd", 4);
    assert_int_equal(deja_file_load(AT_FDCWD, "db", 1 << 20, &file, NULL), 0);
    for (size_t at = 0; at < 4096; at++) /* of the schema's page: other tables */
        if (!memcmp(file.data + at, "CREATE", 6))
            memcpy(file.data + at, "Create", 6);
    write_file("db", file.data, file.len, 0600);
    deja_buffer_done(&file);
    static const unsigned flags[] = {0, DB_READ_ONLY, DB_AT_REST};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        assert_int_equal(db_open(&d, "db", flags[i], &err), DEJA_EEXIST);
        assert_non_null(strstr(err.text, "not one of deja"));
    }
}

static void test_db__newer_one_is_refused_and_left_alone(void **state)
{
    (void)state;
    db *d = NULL;
    deja_error err;
    struct stat before, after;
    db_close(open_db());
    patch("db", 60, "\0\0\0\2", 4);
    assert_int_equal(stat("db", &before), 0);
    assert_int_equal(db_open(&d, "db", 0, &err), DEJA_EVERSION);
    assert_non_null(strstr(err.text, "format 2"));
    assert_non_null(strstr(err.text, "reads 1"));
    assert_int_equal(stat("db", &after), 0);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before.st_size, after.st_size);
    patch("db", 60, "\x7f\0\0\2", 4); /* no future is that far away */
    assert_int_equal(db_open(&d, "db", 0, &err), DEJA_ECORRUPT);
}

static void test_db__opening_and_looking_write_nothing(void **state)
{
    (void)state;
    struct stat before, after;
    db *d = open_db();
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 1, "one", NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
    db_close(d);
    assert_int_equal(stat("db", &before), 0);
    d = NULL;
    assert_int_equal(db_open(&d, "db", 0, NULL), 0);
    assert_row(d, 1, "one");
    db_close(d);
    assert_int_equal(stat("db", &after), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void test_db__rolled_back_rows_are_gone(void **state)
{
    (void)state;
    db *d = open_db();
    deja_cache_numbers n;
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 1, "one", NULL, 0);
    db_rollback(d);
    assert_row(d, 1, NULL);
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 2, "two", NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_row(d, 2, "two");
    assert_int_equal(db_totals(d, &n, NULL), 0);
    assert_int_equal(n.entries, 1);
    assert_int_equal(n.row_bytes, 3);
    assert_int_equal(n.saved_ns_per_hit, 10);
    db_rollback(d); /* harmless outside a transaction */
    db_close(d);
}

static void assert_unused(db *d, const deja_hash *expected, size_t n)
{
    deja_buffer b;
    db_take_unused(d, &b);
    assert_int_equal(b.len, n * sizeof *expected);
    if (n)
        assert_memory_equal(b.data, expected, b.len);
    deja_buffer_done(&b);
}

static void test_db__references_to_blobs_are_counted(void **state)
{
    (void)state;
    db *d = open_db();
    deja_cache_numbers n;
    db_blob a = {hash(100), 1000}, b = {hash(101), 500}, both[3] = {a, b, a};
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 1, "one", both, 3);
    put(d, 2, "two", &a, 1);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_int_equal(db_totals(d, &n, NULL), 0);
    assert_int_equal(n.blobs, 2);
    assert_int_equal(n.blob_bytes, 1500);
    assert_unused(d, NULL, 0);

    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 1, "one again", NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_unused(d, &b.hash, 1);
    assert_int_equal(db_totals(d, &n, NULL), 0);
    assert_int_equal(n.blobs, 1);
    assert_int_equal(n.blob_bytes, 1000);
    assert_int_equal(db_blob_used(d, &a.hash, NULL), 1);
    assert_int_equal(db_blob_used(d, &b.hash, NULL), 0);
    assert_int_equal(db_write_begin(d, NULL), 0);
    assert_int_equal(db_blob_forget(d, &a.hash, NULL), 0);
    assert_int_equal(db_blob_forget(d, &b.hash, NULL), 1);
    assert_int_equal(db_blob_forget(d, &b.hash, NULL), 0);
    assert_int_equal(db_commit(d, NULL), 0);
    db_close(d);
}

/* With an id only the row that was seen goes, not one that took its place. */
static void test_db__forgets_the_row_that_was_meant(void **state)
{
    (void)state;
    db *d = open_db();
    deja_cache_numbers n;
    deja_hash one = hash(1);
    db_blob blob = {hash(9), 100};
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 1, "one", NULL, 0);
    put(d, 2, "two", NULL, 0);
    put(d, 1, "again", &blob, 1);
    assert_int_equal(db_forget(d, &one, 1, NULL), 0);
    assert_int_equal(db_forget(d, &one, 3, NULL), 1);
    assert_int_equal(db_forget(d, &one, 0, NULL), 0);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_row(d, 1, NULL);
    assert_row(d, 2, "two");
    assert_unused(d, &blob.hash, 1);
    assert_int_equal(db_find_unused(d, NULL), 0); /* nobody has removed it yet */
    assert_unused(d, &blob.hash, 1);
    assert_int_equal(db_totals(d, &n, NULL), 0);
    assert_int_equal(n.entries, 1);
    assert_int_equal(n.row_bytes, 3);
    assert_int_equal(n.blobs, 0);
    assert_int_equal(n.saved_ns_per_hit, 10);
    db_close(d);
}

static void test_db__a_rolled_back_loss_of_a_reference_is_none(void **state)
{
    (void)state;
    db *d = open_db();
    db_blob a = {hash(100), 1000};
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 1, "one", &a, 1);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 1, "again", NULL, 0);
    db_rollback(d);
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 2, "two", NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_unused(d, NULL, 0);
    assert_int_equal(db_blob_used(d, &a.hash, NULL), 1);
    db_close(d);
}

static void test_db__a_reader_keeps_its_snapshot_while_a_writer_commits(void **state)
{
    (void)state;
    db *d = open_db(), *w = NULL;
    assert_int_equal(db_open(&w, "db", DB_NO_SYNC, NULL), 0);
    assert_int_equal(db_read_begin(d, NULL), 0);
    assert_row(d, 1, NULL);
    assert_int_equal(db_write_begin(w, NULL), 0);
    put(w, 1, "one", NULL, 0);
    assert_int_equal(db_commit(w, NULL), 0);
    assert_row(d, 1, NULL);
    db_read_end(d);
    assert_row(d, 1, "one");
    assert_true(db_wal_frames(w) > 0);
    assert_int_equal(db_checkpoint(w, 1, NULL), 0);
    assert_int_equal(db_wal_frames(w), 0);
    db_close(w);
    db_close(d);
}

static void test_db__pages_of_a_listing_follow_one_another(void **state)
{
    (void)state;
    db *d = open_db();
    db_listed rows[2];
    deja_buffer records = {0};
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 1, "a", NULL, 0);
    put(d, 2, "bb", NULL, 0);
    put(d, 3, "ccc", NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_int_equal(db_list(d, INT64_MAX, rows, 2, &records, NULL), 2);
    assert_memory_equal(records.data + rows[0].at, "ccc", 3);
    assert_memory_equal(records.data + rows[1].at, "bb", 2);
    assert_int_equal(db_list(d, rows[1].id, rows, 2, &records, NULL), 1);
    assert_memory_equal(records.data + rows[0].at, "a", 1);
    assert_int_equal(db_list(d, rows[0].id, rows, 2, &records, NULL), 0);
    deja_buffer_done(&records);
    uint64_t entries = 0;
    assert_int_equal(db_write_begin(d, NULL), 0);
    assert_int_equal(db_delete_all(d, &entries, NULL), 0);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_int_equal(entries, 3);
    assert_int_equal(db_shrink(d, NULL), 0);
    db_close(d);
}

static void test_db__a_missing_table_is_corruption(void **state)
{
    (void)state;
    db *d = open_db();
    db_row row;
    deja_hash h = hash(1);
    char zero[4096] = {0};
    db_close(d);
    patch("db", 4096, zero, sizeof zero); /* the root page of `entry` */
    d = NULL;
    assert_int_equal(db_open(&d, "db", 0, NULL), 0);
    int r = db_write_begin(d, NULL);
    if (!r) {
        db_put_args args = {.key = h, .record = "x", .len = 1};
        r = db_find(d, &h, &row, NULL);
        if (r >= 0)
            r = db_put(d, &args, NULL);
    }
    assert_int_equal(r, DEJA_ECORRUPT);
    db_rollback(d);
    db_close(d);
}

/* A statement that cannot run is a fault of ours or of the moment. The database goes only for tables that are
 * not ours. */
static void test_db__a_statement_that_fails_is_no_damage(void **state)
{
    (void)state;
    db *d = open_db();
    deja_error err;
    assert_int_equal(db_write_begin(d, NULL), 0);
    assert_int_equal(db_write_begin(d, &err), DEJA_EIO); /* within a transaction */
    assert_int_equal(err.code, DEJA_EIO);
    db_rollback(d);
    assert_int_equal(db_commit(d, NULL), DEJA_EIO); /* without one */
    db_close(d);
}

static void test_db__tables_of_somebody_else_are_corruption(void **state)
{
    (void)state;
    deja_cache_numbers n;
    deja_error err;
    deja_buffer file = {0};
    db *d = NULL;
    db_close(open_db());
    assert_int_equal(deja_file_load(AT_FDCWD, "db", 1 << 20, &file, NULL), 0);
    for (size_t at = 0; at < 4096; at++) /* of the schema's page */
        if (!memcmp(file.data + at, "totals", 6))
            file.data[at + 5] = 'z';
    write_file("db", file.data, file.len, 0600);
    deja_buffer_done(&file);
    assert_int_equal(db_open(&d, "db", 0, NULL), 0);
    assert_int_equal(db_totals(d, &n, &err), DEJA_ECORRUPT);
    assert_int_equal(err.code, DEJA_ECORRUPT);
    assert_non_null(strstr(err.text, "no such table"));
    db_close(d);
}

static void test_db__knows_that_its_file_was_moved(void **state)
{
    (void)state;
    db *d = open_db();
    assert_int_equal(db_moved(d), 0);
    assert_int_equal(rename("db", "elsewhere"), 0);
    assert_int_equal(db_moved(d), 1);
    db_close(d);
}

static void test_db__rollback_journal_leaves_no_wal(void **state)
{
    (void)state;
    db *d = NULL;
    assert_int_equal(db_make("db", DB_ROLLBACK_JOURNAL, NULL), 0);
    assert_int_equal(db_open(&d, "db", DB_ROLLBACK_JOURNAL, NULL), 0);
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 1, "one", NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
    assert_row(d, 1, "one");
    assert_int_equal(access("db-wal", F_OK), -1);
    db_close(d);
    /* the file system is a local one now */
    d = NULL;
    assert_int_equal(db_open(&d, "db", 0, NULL), 0);
    assert_row(d, 1, "one");
    assert_int_equal(access("db-wal", F_OK), 0);
    db_close(d);
    d = NULL;
    assert_int_equal(db_open(&d, "db", DB_ROLLBACK_JOURNAL, NULL), 0);
    assert_row(d, 1, "one");
    assert_int_equal(access("db-wal", F_OK), -1);
    db_close(d);
}

/* ---- at rest ---- */

static void put_one(db *d, uint8_t key, const char *record)
{
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, key, record, NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
}

static db *open_resting(int at_rest)
{
    db *d = NULL;
    assert_int_equal(db_open(&d, "db", DB_AT_REST, NULL), 0);
    assert_int_equal(db_is_at_rest(d), at_rest);
    return d;
}

static void test_db__is_at_rest_when_nobody_has_written_for_a_while(void **state)
{
    (void)state;
    db *d = open_db();
    put_one(d, 1, "one");
    let_rest("db");
    db_close(open_resting(0)); /* of the row the WAL knows alone */
    assert_int_equal(db_checkpoint(d, 1, NULL), 0);
    db_close(open_resting(0)); /* just written */
    let_rest("db");
    db *resting = open_resting(1);
    assert_row(resting, 1, "one");
    assert_row(resting, 2, NULL);
    assert_int_equal(db_moved(resting), 0);
    db_close(resting);
    db_close(d);
}

static void test_db__at_rest_takes_no_lock_and_makes_no_file(void **state)
{
    (void)state;
    db_close(open_db());
    unlink("db-wal");
    unlink("db-shm");
    let_rest("db");
    db *d = open_resting(1);
    assert_row(d, 1, NULL);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open("db", O_RDWR | O_CLOEXEC);
    assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
    assert_int_equal(lock.l_type, F_UNLCK);
    close(fd);
    db_close(d);
    assert_int_equal(access("db-wal", F_OK), -1);
    assert_int_equal(access("db-shm", F_OK), -1);
}

static void test_db__at_rest_no_more_when_somebody_writes(void **state)
{
    (void)state;
    db_close(open_db());
    let_rest("db");
    db *resting = open_resting(1), *d = NULL;
    assert_int_equal(db_open(&d, "db", 0, NULL), 0);
    assert_row(d, 1, NULL); /* makes an empty WAL */
    assert_int_equal(db_moved(resting), 0);
    put_one(d, 1, "one");
    assert_int_equal(db_moved(resting), 1);
    assert_int_equal(db_checkpoint(d, 1, NULL), 0); /* the WAL is empty again, the file another one */
    assert_int_equal(db_moved(resting), 1);
    db_close(d);
    db_close(resting);
}

static void test_db__what_is_no_database_of_ours_is_not_at_rest(void **state)
{
    (void)state;
    db *d = NULL;
    deja_error err;
    db_close(open_db());
    patch("db", 60, "\0\0\0\2", 4);
    let_rest("db");
    assert_int_equal(db_open(&d, "db", DB_AT_REST, &err), DEJA_EVERSION);
    assert_non_null(strstr(err.text, "format 2"));
    assert_int_equal(unlink("db"), 0);
    assert_int_equal(db_open(&d, "db", DB_AT_REST, &err), DEJA_ENOTFOUND);
}

/* ---- where nothing can be written ---- */

#define ODD "d %41?b#"

/* A database "d %41?b#" with one row in it, of an ordinary user: nothing stops root from writing. */
static void make_ordinary(uid_t uid, int whole)
{
    db *d = NULL;
    assert_int_equal(mkdir("f", 0700), 0);
    assert_int_equal(db_make("f/" ODD, 0, NULL), 0);
    assert_int_equal(db_open(&d, "f/" ODD, 0, NULL), 0);
    assert_int_equal(db_write_begin(d, NULL), 0);
    put(d, 1, "one", NULL, 0);
    assert_int_equal(db_commit(d, NULL), 0);
    if (whole)
        assert_int_equal(db_checkpoint(d, 1, NULL), 0);
    db_close(d);
    static const char *const names[] = {".", "f", "f/" ODD, "f/" ODD "-wal", "f/" ODD "-shm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(chown(names[i], uid, (gid_t)-1), 0);
}

/* Runs `check` in a process of that user, for whom the folder is closed. */
static void as_ordinary(uid_t uid, void (*check)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if ((geteuid() == 0 && (setgroups(0, NULL) || setuid(uid))) || chmod("f/" ODD, 0400) ||
            chmod("f", 0500))
            _exit(2);
        check();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static uid_t ordinary(void)
{
    return geteuid() ? geteuid() : 12345;
}

#define CHECK(condition)                                                                                     \
    do                                                                                                       \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%d: %s\n", __LINE__, #condition);                                               \
            _exit(1);                                                                                        \
        }                                                                                                    \
    while (0)

static void check_row(db *d)
{
    deja_hash h = hash(1);
    db_row row;
    CHECK(db_find(d, &h, &row, NULL) == 1);
    CHECK(row.len == 3 && !memcmp(row.record, "one", 3));
    db_find_done(d);
}

static void check_reading(void)
{
    db *d = NULL;
    deja_error err;
    CHECK(db_open(&d, "f/" ODD, 0, &err) == DEJA_EDENIED);
    CHECK(strstr(err.text, "read-only"));
    CHECK(db_open(&d, "f/" ODD, DB_READ_ONLY, NULL) == 0);
    check_row(d);
    CHECK(db_write_begin(d, NULL) == DEJA_EDENIED);
    CHECK(!db_moved(d));
    db_close(d);
}

static void test_db__is_read_where_nothing_can_be_written(void **state)
{
    (void)state;
    make_ordinary(ordinary(), 0);
    as_ordinary(ordinary(), check_reading);
}

static void test_db__is_read_without_side_files(void **state)
{
    (void)state;
    make_ordinary(ordinary(), 1);
    unlink("f/" ODD "-wal");
    unlink("f/" ODD "-shm");
    as_ordinary(ordinary(), check_reading);
}

static void check_refusal(void)
{
    db *d = NULL;
    deja_error err;
    CHECK(db_open(&d, "f/" ODD, DB_READ_ONLY, &err) == DEJA_EDENIED);
    CHECK(strstr(err.text, "left by a writer"));
}

/* Without its WAL the file alone may be of any earlier time, or half of it. */
static void test_db__is_not_read_without_what_is_in_its_wal(void **state)
{
    (void)state;
    make_ordinary(ordinary(), 0);
    unlink("f/" ODD "-shm");
    as_ordinary(ordinary(), check_refusal);
}

static void check_thaw(void)
{
    db *d = NULL, *writer = NULL;
    CHECK(db_open(&d, "f/" ODD, DB_READ_ONLY, NULL) == 0);
    check_row(d);
    CHECK(chmod("f", 0700) == 0 && chmod("f/" ODD, 0600) == 0);
    CHECK(!db_moved(d));
    CHECK(db_open(&writer, "f/" ODD, 0, NULL) == 0);
    CHECK(db_write_begin(writer, NULL) == 0);
    put(writer, 2, "two", NULL, 0);
    CHECK(db_commit(writer, NULL) == 0);
    CHECK(db_moved(d));
    CHECK(db_checkpoint(writer, 1, NULL) == 0);
    CHECK(db_moved(d));
    db_close(writer);
    db_close(d);
}

static void test_db__that_could_not_change_is_opened_anew_when_it_did(void **state)
{
    (void)state;
    make_ordinary(ordinary(), 1);
    unlink("f/" ODD "-wal");
    unlink("f/" ODD "-shm");
    as_ordinary(ordinary(), check_thaw);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_db__what_is_missing_or_empty_is_not_found),
        CASE(test_db__what_is_not_ours_is_corrupt),
        CASE(test_db__one_of_another_program_is_refused),
        CASE(test_db__newer_one_is_refused_and_left_alone),
        CASE(test_db__opening_and_looking_write_nothing),
        CASE(test_db__rolled_back_rows_are_gone),
        CASE(test_db__references_to_blobs_are_counted),
        CASE(test_db__forgets_the_row_that_was_meant),
        CASE(test_db__a_rolled_back_loss_of_a_reference_is_none),
        CASE(test_db__a_reader_keeps_its_snapshot_while_a_writer_commits),
        CASE(test_db__pages_of_a_listing_follow_one_another),
        CASE(test_db__a_missing_table_is_corruption),
        CASE(test_db__a_statement_that_fails_is_no_damage),
        CASE(test_db__tables_of_somebody_else_are_corruption),
        CASE(test_db__knows_that_its_file_was_moved),
        CASE(test_db__rollback_journal_leaves_no_wal),
        CASE(test_db__is_at_rest_when_nobody_has_written_for_a_while),
        CASE(test_db__at_rest_takes_no_lock_and_makes_no_file),
        CASE(test_db__at_rest_no_more_when_somebody_writes),
        CASE(test_db__what_is_no_database_of_ours_is_not_at_rest),
        CASE(test_db__is_read_where_nothing_can_be_written),
        CASE(test_db__is_read_without_side_files),
        CASE(test_db__is_not_read_without_what_is_in_its_wal),
        CASE(test_db__that_could_not_change_is_opened_anew_when_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
