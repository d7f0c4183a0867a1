/* A library that test_function_place.c opens after its pool. */
#include <deja/job.h>
#include <stdlib.h>

/* In workers, where the test wants it: their environment is that of the zygote. */
__attribute__((constructor)) static void begin(void)
{
    if (getenv("DEJA_TEST_LIBRARY_ABORTS"))
        abort();
}

int triple(const deja_value *arg, size_t n, deja_out *out, deja_error *err);

__attribute__((visibility("default"))) int triple(const deja_value *arg, size_t n, deja_out *out,
                                                  deja_error *err)
{
    (void)err;
    out->value = deja_i64(n ? TIMES * arg->i64 : 0);
    return 0;
}
