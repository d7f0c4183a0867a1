/* A library that test_function_place.c opens after its pool. */
#include <deja/job.h>

int triple(const deja_value *arg, size_t n, deja_out *out, deja_error *err);

__attribute__((visibility("default"))) int triple(const deja_value *arg, size_t n, deja_out *out,
                                                  deja_error *err)
{
    (void)err;
    out->value = deja_i64(n ? 3 * arg->i64 : 0);
    return 0;
}
