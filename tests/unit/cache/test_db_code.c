/*
 * What SQLite's codes mean: a database counts as damaged only when it is.
 */
#include "db_code.h"

#include "store_fixture.h"

#include <deja/error.h>

/* https://sqlite.org/rescode.html; the numbers are an interface of SQLite, and its header has one home. */
#define EXTENDED(base, n) ((base) | (n) << 8)
enum {
    ERROR = 1,
    PERM = 3,
    ABORT = 4,
    BUSY = 5,
    LOCKED = 6,
    NOMEM = 7,
    READONLY = 8,
    INTERRUPT = 9,
    IOERR = 10
};
enum { CORRUPT = 11, FULL = 13, CANTOPEN = 14, PROTOCOL = 15, SCHEMA = 17, TOOBIG = 18, CONSTRAINT = 19 };
enum { MISMATCH = 20, MISUSE = 21, NOLFS = 22, AUTH = 23, FORMAT = 24, RANGE = 25, NOTADB = 26 };
enum { IOERR_NOMEM = 12, IOERR_CORRUPTFS = 33, READONLY_DBMOVED = 4, CONSTRAINT_UNIQUE = 8 };

static void test_db_code__damage_is_what_sqlite_is_sure_of(void **state)
{
    (void)state;
    assert_int_equal(db_code(NOTADB, 0), DEJA_ECORRUPT);
    for (int n = 0; n <= 3; n++)
        assert_int_equal(db_code(EXTENDED(CORRUPT, n), EIO), DEJA_ECORRUPT);
    assert_int_equal(db_code(EXTENDED(CONSTRAINT, CONSTRAINT_UNIQUE), 0), DEJA_ECORRUPT);
}

static void test_db_code__nothing_else_is_damage(void **state)
{
    (void)state;
    for (int base = 1; base < 100; base++)
        for (int n = 0; n < 64; n++)
            for (int sys_errno = 0; sys_errno < 134; sys_errno++) {
                int code = db_code(EXTENDED(base, n), sys_errno);
                int damage = base == CORRUPT || base == NOTADB || base == CONSTRAINT;
                assert_true(code < 0);
                if (!damage && code == DEJA_ECORRUPT)
                    fail_msg("code %d, extended %d, errno %d", base, n, sys_errno);
            }
}

static void test_db_code__each_kind_of_trouble(void **state)
{
    (void)state;
    static const struct {
        int rc, sys_errno, code;
    } known[] = {
        {FULL, 0, DEJA_EFULL},
        {NOMEM, 0, DEJA_ENOMEM},
        {BUSY, 0, DEJA_EBUSY},
        {EXTENDED(BUSY, 1), 0, DEJA_EBUSY}, /* recovery */
        {EXTENDED(BUSY, 2), 0, DEJA_EBUSY}, /* snapshot */
        {EXTENDED(LOCKED, 1), 0, DEJA_EBUSY},
        {PROTOCOL, 0, DEJA_EBUSY},
        {SCHEMA, 0, DEJA_EBUSY},
        {READONLY, 0, DEJA_EDENIED},
        {EXTENDED(READONLY, 1), 0, DEJA_EDENIED}, /* recovery */
        {EXTENDED(READONLY, 3), 0, DEJA_EDENIED}, /* rollback */
        {EXTENDED(READONLY, 6), 0, DEJA_EDENIED}, /* directory */
        {EXTENDED(READONLY, READONLY_DBMOVED), 0, DEJA_ECHANGED},
        {PERM, 0, DEJA_EDENIED},
        {AUTH, 0, DEJA_EDENIED},
        {TOOBIG, 0, DEJA_ELIMIT},
        {NOLFS, 0, DEJA_ELIMIT},
        {INTERRUPT, 0, DEJA_ECANCELED},
        {MISUSE, 0, DEJA_EINVAL},
        {RANGE, 0, DEJA_EINVAL},
        {ERROR, 0, DEJA_EIO},
        {ABORT, 0, DEJA_EIO},
        {FORMAT, 0, DEJA_EIO},
        {MISMATCH, 0, DEJA_EIO},
        {CANTOPEN, 0, DEJA_EIO},
        {CANTOPEN, EMFILE, DEJA_ERESOURCE},
        {CANTOPEN, ENFILE, DEJA_ERESOURCE},
        {CANTOPEN, EACCES, DEJA_EDENIED},
        {CANTOPEN, ENOENT, DEJA_ENOTFOUND},
        {IOERR, 0, DEJA_EIO},
        {IOERR, EIO, DEJA_EIO},
        {EXTENDED(IOERR, 3), ENOSPC, DEJA_EFULL}, /* write */
        {EXTENDED(IOERR, 3), EFBIG, DEJA_ELIMIT},
        {EXTENDED(IOERR, 3), EDQUOT, DEJA_EFULL},
        {EXTENDED(IOERR, 4), EIO, DEJA_EIO},        /* fsync */
        {EXTENDED(IOERR, 19), ENOSPC, DEJA_EFULL},  /* shmsize */
        {EXTENDED(IOERR, 21), ENOMEM, DEJA_ENOMEM}, /* shmmap */
        {EXTENDED(IOERR, IOERR_NOMEM), 0, DEJA_ENOMEM},
        {EXTENDED(IOERR, IOERR_CORRUPTFS), EIO, DEJA_EIO}, /* a read that failed: perhaps not the next time */
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (db_code(known[i].rc, known[i].sys_errno) != known[i].code)
            fail_msg("%d with errno %d is %d, not %d", known[i].rc, known[i].sys_errno,
                     db_code(known[i].rc, known[i].sys_errno), known[i].code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_db_code__damage_is_what_sqlite_is_sure_of),
        cmocka_unit_test(test_db_code__nothing_else_is_damage),
        cmocka_unit_test(test_db_code__each_kind_of_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
