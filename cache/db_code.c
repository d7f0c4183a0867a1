/*
 * SQLite's result codes as ours. A database that counts as damaged is moved aside: so damage is only what no
 * other state of the system could have been. A disk that does not answer now may do so tomorrow.
 */
#include "db_code.h"

#include <deja/error.h>
#include <sqlite3.h>

static int code_of_io(int rc, int sys_errno)
{
    if (rc == SQLITE_IOERR_NOMEM)
        return DEJA_ENOMEM;
    return sys_errno ? deja_code_of_errno(sys_errno) : DEJA_EIO;
}

int db_code(int rc, int sys_errno)
{
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: /* our rows keep them: index and table disagree */
        return DEJA_ECORRUPT;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return code_of_io(rc, sys_errno);
    case SQLITE_NOMEM:
        return DEJA_ENOMEM;
    case SQLITE_FULL:
        return DEJA_EFULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA: /* after fifty attempts */
        return DEJA_EBUSY;
    case SQLITE_READONLY:
        return rc == SQLITE_READONLY_DBMOVED ? DEJA_ECHANGED : DEJA_EDENIED;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return DEJA_EDENIED;
    case SQLITE_TOOBIG:
    case SQLITE_NOLFS:
        return DEJA_ELIMIT;
    case SQLITE_INTERRUPT:
        return DEJA_ECANCELED;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return DEJA_EINVAL;
    default: /* ERROR, INTERNAL, ABORT, NOTFOUND, EMPTY, MISMATCH, FORMAT */
        return DEJA_EIO;
    }
}
