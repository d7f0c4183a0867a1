// The header from C++: compiled with all warnings as errors, and run.
#include <cstdio>
#include <deja.h>
#include <deja/dump.h>
#include <deja/pool.h>

static int twice(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg->kind != DEJA_I64)
        return deja_fail(err, DEJA_ETYPE, "wants a whole number");
    return deja_return(out, deja_i64(2 * arg->i64));
}

int main()
{
    deja_error err;
    deja_options options = {};
    options.size = sizeof options;
    options.flags = DEJA_NO_CACHE;
    deja *d = deja_open(&options, &err);
    deja_fn *f = deja_define(d, "twice", "1", twice, nullptr, &err);
#ifdef __clang__
    deja_fn *here = deja_define(d, "twice", "2", twice, DEJA_FN_OPTIONS(.backend = DEJA_INLINE), &err);
#else // -Wextra of gcc wants every member in such a list
    deja_fn *here = f;
#endif
    const deja_value x = deja_i64(21);
    int64_t y = 0, z = 0;
    if (deja_call_i64(f, &x, 1, &y, &err) < 0 || deja_call_i64(here, &x, 1, &z, &err) < 0 || y != z)
        std::puts(err.text);
    std::printf("%d\n", static_cast<int>(y));
    deja_close(d);
    return 0;
}
