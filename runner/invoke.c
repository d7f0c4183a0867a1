/*
 * One call of a user's function.
 */
#include "invoke.h"

int invoke_fail(const char *name, int code, deja_error *err)
{
    if (code > 0)
        code = deja_fail(err, DEJA_EINVAL, "returned %d: a function returns 0 or a negative code", code);
    else if (!err->text[0])
        deja_fail(err, code, "%s", deja_error_meaning(code));
    err->code = code;
    return deja_fail_in(err, "'%s'", name);
}

int invoke(deja_job_fn function, const char *name, const deja_value *args, size_t n, deja_sink *s,
           deja_product *ret, deja_error *err)
{
    deja_out out;
    out.value = deja_null();
    out.sink = s;
    err->code = err->sys_errno = 0;
    err->text[0] = '\0';
    int rc = function(args, n, &out, err);
    if (rc == 0 || s->failed.code)
        rc = sink_take(s, &out, ret, err);
    sink_clear(s);
    return rc == 0 ? 0 : invoke_fail(name, rc, err);
}
