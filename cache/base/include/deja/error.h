#ifndef DEJA_ERROR_H
#define DEJA_ERROR_H
/*
 * Errors. A function that can fail returns 0 or one of the negative codes below and takes `deja_error *err`
 * as its last parameter; NULL is allowed. The place of failure writes the text with deja_fail(), a level that
 * knows more puts its context in front with deja_fail_in(), so that a user reads from left to right: batch,
 * job, step, cause, errno text. Texts are lower case, without a full stop, names in single quotes.
 *
 * All functions here may be called from any thread; an error belongs to its caller.
 */
#include <stdint.h>

#ifdef __cplusplus
#define DEJA_API extern "C" __attribute__((visibility("default")))
#else
#define DEJA_API __attribute__((visibility("default")))
#endif

/* One list of all codes: X(name, value, what it means). Values are part of the ABI and never change. */
#define DEJA_ERRORS(X)                                                                                       \
    X(DEJA_ENOMEM, -1, "out of memory")                                                                      \
    X(DEJA_EIO, -2, "input or output failed")                                                                \
    X(DEJA_EINVAL, -3, "invalid argument")                                                                   \
    X(DEJA_ENOTFOUND, -4, "not found")                                                                       \
    X(DEJA_EEXIST, -5, "exists already")                                                                     \
    X(DEJA_EFULL, -6, "no space left")                                                                       \
    X(DEJA_EDENIED, -7, "permission denied")                                                                 \
    X(DEJA_EBUSY, -8, "in use")                                                                              \
    X(DEJA_ECORRUPT, -9, "damaged")                                                                          \
    X(DEJA_EVERSION, -10, "written by another version")                                                      \
    X(DEJA_ETYPE, -11, "wrong type")                                                                         \
    X(DEJA_ETIMEDOUT, -12, "timed out")                                                                      \
    X(DEJA_ECANCELED, -13, "canceled")                                                                       \
    X(DEJA_EFORK, -14, "not usable in a forked child")                                                       \
    X(DEJA_ECHANGED, -15, "changed meanwhile")                                                               \
    X(DEJA_ELIMIT, -16, "over a limit")                                                                      \
    X(DEJA_ESYNTAX, -17, "syntax error")                                                                     \
    X(DEJA_ERESOURCE, -18, "out of descriptors, processes or another resource")                              \
    X(DEJA_EKILLED, -19, "ended before it was done")

enum deja_error_code {
#define X(name, value, text) name = value,
    DEJA_ERRORS(X)
#undef X
};

/* The first failure of a call. Zeroed or not, it needs no initialisation and owns nothing. */
typedef struct deja_error {
    int32_t code;      /* one of the codes above, 0 for none */
    int32_t sys_errno; /* the errno behind it, 0 where there was none */
    char text[1016];   /* NUL-terminated, cut on a UTF-8 boundary with "..." where it would not fit */
} deja_error;

/* Writes code and text into `err` (unless NULL) and returns `code`. sys_errno becomes 0. */
DEJA_API int deja_fail(deja_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As deja_fail, for a failed system call: takes errno, chooses the code from it, appends ": " and its text.
 */
DEJA_API int deja_fail_errno(deja_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "CONTEXT: " in front of the text of `err` (unless NULL). Returns err->code, so DEJA_EINVAL for NULL.
 */
DEJA_API int deja_fail_in(deja_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The code that stands for an errno value: ENOENT -> DEJA_ENOTFOUND, EDQUOT -> DEJA_EFULL, others DEJA_EIO.
 */
DEJA_API int deja_code_of_errno(int sys_errno);

/* The general meaning of a code, "unknown error" for a number that is none. Static memory. */
DEJA_API const char *deja_error_meaning(int code);

#endif
