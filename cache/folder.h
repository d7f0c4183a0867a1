#ifndef FOLDER_H
#define FOLDER_H
/*
 * The folder of a cache: opened, checked for who may write to it, furnished and locked.
 */
#include <deja/error.h>

#define FOLDER_DB "db"

struct folder {
    int fd;      /* O_DIRECTORY; -1 when closed */
    int network; /* 1 on a network file system, where memory cannot be shared between hosts */
    int made;    /* 1 when the call of folder_open made it */
    char *path;  /* absolute */
    char *db;    /* absolute path of the database */
};

/*
 * Opens `path`, making it and its parents (mode 0700) when missing. DEJA_EDENIED when somebody else owns it,
 * when others may write to it or we may not; DEJA_EEXIST when it is no folder. With `read_only` nothing is
 * made and we need not write.
 */
int folder_open(struct folder *f, const char *path, int read_only, deja_error *err);

/* Safe on zeroed memory and after a failed open. */
void folder_close(struct folder *f);

/*
 * The lock under which the database is made and moved aside. Waits up to 20 s. A descriptor to be closed, or
 * a negative code.
 */
int folder_lock(const struct folder *f, deja_error *err);

/* What a new folder has besides the database: .gitignore, CACHEDIR.TAG (https://bford.info/cachedir/),
   blobs/, claims/. Never overwrites. Under the lock. */
int folder_furnish(const struct folder *f, deja_error *err);

/* Renames the database and its side files to db.damaged-N, the first N that is free. Under the lock. */
int folder_move_aside(const struct folder *f, unsigned *ret_n, deja_error *err);

/* Removes side files of a database that is not there (a foreign WAL must never meet a new database). Under
 * the lock. */
int folder_drop_side_files(const struct folder *f, deja_error *err);

#endif
