#ifndef HISTORY_LOG_H
#define HISTORY_LOG_H
/*
 * The file `.history` in the folder of runs: records are added to its end, never changed. Integers are
 * little-endian.
 *     header  "dejahist" u32 format (1) u32 0, u64 generation, u64 0
 *     record  u32 0x63657264, u32 bytes of the record, u64 XXH3-64 of the bytes behind it,
 *             u64 job, u64 params, u32 flags, u32 exit status, u32 signal, u32 number of parameters,
 *             u64 start, u64 wall time (nanoseconds), 16 bytes key,
 *             strings (u32 length, bytes, NUL): job, run, reason, each parameter's name and value, encoding
 * A record that is cut or damaged is skipped to the next that is whole: what a kill left in the middle costs
 * itself only. The generation is another one whenever the file is replaced. Writers lock the file (flock(2)).
 */
#include "history.h"

enum {
    HISTORY_LOG_HEADER = 32,
    HISTORY_LOG_FIXED = 80,      /* bytes of a record before its strings */
    HISTORY_LOG_MOST = 64 << 20, /* bytes of a record; longer ones go without their fields */
};

typedef struct history_log {
    int fd; /* -1: there is none */
    uint64_t generation;
    uint64_t size; /* when it was opened */
} history_log;

/* Opens it for reading, and for writing when `write`; then it is made when missing. 0, DEJA_ENOTFOUND,
 * DEJA_EVERSION (of a newer deja), DEJA_ECORRUPT, others. */
int history_log_open(history_log *ret, int runs_fd, int write, deja_error *err);
void history_log_close(history_log *l);

/* Calls `each` for every whole record from byte `from` to the end. It returns non-zero to stop, which is
 * returned. */
int history_log_scan(const history_log *l, uint64_t from,
                     int (*each)(void *context, const history_item *item), void *context);

/* The whole record, checked: 1 or 0. */
int history_log_load(const history_log *l, const history_item *item, history_record *ret);

/* Appends the bytes of a record. `len` of it goes into `*ret` when not NULL. */
void history_log_encode(deja_buffer *b, const history_record *r);

/* Adds whole records to the file's end: all or nothing. DEJA_EBUSY when another process keeps it locked. */
int history_log_append(int runs_fd, const deja_buffer *records, deja_error *err);

/* For who puts the file in order: locks it and looks at its size again. DEJA_EBUSY, or DEJA_ECHANGED when it
 * is no longer the one in the folder. The lock goes with history_log_close. */
int history_log_lock(history_log *l, int runs_fd, deja_error *err);

/* Replaces the file by one that has these records only, in this order, and writes their new places into the
 * items. The log is that file then, locked. */
int history_log_rewrite(history_log *l, int runs_fd, history_item *items, size_t count, deja_error *err);

#endif
