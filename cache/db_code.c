/*
 * SQLite's result codes as ours.
 */
#include "db_code.h"

#include <deja/error.h>
#include <sqlite3.h>

int db_code(int rc, int sys_errno)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return DEJA_ENOMEM;
    case SQLITE_FULL:
        return DEJA_EFULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return DEJA_EBUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return DEJA_EDENIED;
    case SQLITE_TOOBIG:
        return DEJA_ELIMIT;
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_NOMEM)
            return DEJA_ENOMEM;
        if (rc == SQLITE_IOERR_CORRUPTFS)
            return DEJA_ECORRUPT;
        return sys_errno ? deja_code_of_errno(sys_errno) : DEJA_EIO;
    case SQLITE_CANTOPEN:
        return sys_errno ? deja_code_of_errno(sys_errno) : DEJA_EIO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:      /* our statements are right: a table is missing or is not as we made it */
    case SQLITE_CONSTRAINT: /* likewise: index and table disagree */
    case SQLITE_MISMATCH:
    case SQLITE_SCHEMA:
        return DEJA_ECORRUPT;
    default:
        return DEJA_EIO;
    }
}
