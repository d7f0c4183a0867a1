#ifndef DB_CODE_H
#define DB_CODE_H
/* What a result code of SQLite (https://sqlite.org/rescode.html), extended or not, means here. `sys_errno` is
 * the errno behind it, 0 when there is none or it is not known. */
int db_code(int rc, int sys_errno);

#endif
