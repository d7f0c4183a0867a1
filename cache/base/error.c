/*
 * Error texts: written at the place of failure, prefixed on the way up, never longer than the struct that
 * holds them. Formatting goes through a text on the stack, so that the arguments may point into the error
 * itself.
 */
#include <deja/error.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE sizeof(((deja_error *)0)->text)

/* Room for one text more than fits, so that a prefix and the old text can be joined before they are cut. */
typedef struct draft {
    char text[2 * TEXT_SIZE];
    size_t len;
} draft;

static int is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static void add_text(draft *d, const char *text)
{
    size_t len = strnlen(text, sizeof d->text - 1 - d->len);
    memcpy(d->text + d->len, text, len);
    d->len += len;
    d->text[d->len] = '\0';
}

__attribute__((format(printf, 2, 0))) static void add_format(draft *d, const char *format, va_list args)
{
    size_t room = sizeof d->text - d->len;
    int len = vsnprintf(d->text + d->len, room, format, args);
    if (len < 0)
        d->text[d->len] = '\0';
    else
        d->len += (size_t)len < room ? (size_t)len : room - 1;
}

/* A UTF-8 sequence has at most three continuation bytes; text that is not UTF-8 is cut anywhere. */
static size_t cut_at(const char *text, size_t limit)
{
    size_t at = limit;
    while (at > 0 && limit - at < 4 && is_continuation(text[at]))
        at--;
    return is_continuation(text[at]) ? limit : at;
}

static void publish(deja_error *err, draft *d)
{
    if (d->len >= TEXT_SIZE) {
        size_t at = cut_at(d->text, TEXT_SIZE - sizeof "...");
        memcpy(d->text + at, "...", sizeof "...");
        d->len = at + strlen("...");
    }
    memcpy(err->text, d->text, d->len + 1);
}

int deja_fail(deja_error *err, int code, const char *format, ...)
{
    if (!err)
        return code;
    draft d = {.len = 0};
    va_list args;
    va_start(args, format);
    add_format(&d, format, args);
    va_end(args);
    publish(err, &d);
    err->code = code;
    err->sys_errno = 0;
    return code;
}

int deja_fail_errno(deja_error *err, const char *format, ...)
{
    int sys_errno = errno;
    int code = deja_code_of_errno(sys_errno);
    if (!err)
        return code;
    draft d = {.len = 0};
    va_list args;
    va_start(args, format);
    add_format(&d, format, args);
    va_end(args);
    char reason[128];
    errno = sys_errno;
    snprintf(reason, sizeof reason, ": %m"); /* the thread-safe strerror of glibc and musl alike */
    add_text(&d, reason);
    publish(err, &d);
    err->code = code;
    err->sys_errno = sys_errno;
    errno = sys_errno;
    return code;
}

int deja_fail_in(deja_error *err, const char *format, ...)
{
    if (!err)
        return DEJA_EINVAL;
    draft d = {.len = 0};
    va_list args;
    va_start(args, format);
    add_format(&d, format, args);
    va_end(args);
    add_text(&d, ": ");
    add_text(&d, err->text);
    publish(err, &d);
    return err->code;
}

int deja_code_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case ENOMEM:
        return DEJA_ENOMEM;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
        return DEJA_EINVAL;
    case ENOENT:
    case ESRCH:
        return DEJA_ENOTFOUND;
    case EEXIST:
    case ENOTEMPTY:
        return DEJA_EEXIST;
    case ENOSPC:
    case EDQUOT:
        return DEJA_EFULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return DEJA_EDENIED;
    case EBUSY:
    case ETXTBSY:
        return DEJA_EBUSY;
    case EISDIR:
    case ENOTDIR:
        return DEJA_ETYPE;
    case ETIMEDOUT:
        return DEJA_ETIMEDOUT;
    case ECANCELED:
        return DEJA_ECANCELED;
    case EFBIG:
    case E2BIG:
    case EOVERFLOW:
        return DEJA_ELIMIT;
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
        return DEJA_ERESOURCE;
    default:
        return DEJA_EIO;
    }
}

const char *deja_error_meaning(int code)
{
    switch (code) {
#define X(name, value, text)                                                                                 \
    case value:                                                                                              \
        return text;
        DEJA_ERRORS(X)
#undef X
    default:
        return "unknown error";
    }
}
