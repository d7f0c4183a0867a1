/*
 * Sizes of the public structs, and offsets and sizes of their members, one a line: what bindings in other
 * languages are compared with.
 */
#include <deja.h>
#include <stdio.h>

#define STRUCT(s)    printf(#s " %zu\n", sizeof(s));
#define MEMBER(s, m) printf(#s "." #m " %zu %zu\n", offsetof(s, m), sizeof(((s *)0)->m));

static void values(void)
{
    STRUCT(deja_error)
    MEMBER(deja_error, code)
    MEMBER(deja_error, sys_errno)
    MEMBER(deja_error, text)
    STRUCT(deja_array)
    MEMBER(deja_array, data)
    MEMBER(deja_array, dtype)
    MEMBER(deja_array, ndim)
    MEMBER(deja_array, shape)
    MEMBER(deja_array, strides)
    MEMBER(deja_array, shared)
    STRUCT(deja_value)
    MEMBER(deja_value, kind)
    MEMBER(deja_value, reserved)
    MEMBER(deja_value, len)
    MEMBER(deja_value, i64)
    MEMBER(deja_value, u64)
    MEMBER(deja_value, f64)
    MEMBER(deja_value, string)
    MEMBER(deja_value, bytes)
    MEMBER(deja_value, array)
    MEMBER(deja_value, list)
    MEMBER(deja_value, map)
    MEMBER(deja_value, reserved2)
    STRUCT(deja_pair)
    MEMBER(deja_pair, key)
    MEMBER(deja_pair, value)
    STRUCT(deja_out)
    MEMBER(deja_out, value)
    MEMBER(deja_out, sink)
    STRUCT(deja_column)
    MEMBER(deja_column, split)
    MEMBER(deja_column, same)
}

static void options(void)
{
    STRUCT(deja_options)
    MEMBER(deja_options, size)
    MEMBER(deja_options, flags)
    MEMBER(deja_options, cache)
    MEMBER(deja_options, workers)
    MEMBER(deja_options, stack_bytes)
    MEMBER(deja_options, init)
    MEMBER(deja_options, init_arg)
    MEMBER(deja_options, max_tasks)
    MEMBER(deja_options, grace_ms)
    MEMBER(deja_options, max_rss_bytes)
    MEMBER(deja_options, heap_bytes)
    MEMBER(deja_options, warn)
    MEMBER(deja_options, warn_context)
    STRUCT(deja_fn_options)
    MEMBER(deja_fn_options, size)
    MEMBER(deja_fn_options, backend)
    MEMBER(deja_fn_options, scope)
    MEMBER(deja_fn_options, ignore)
    MEMBER(deja_fn_options, max_age_ms)
    MEMBER(deja_fn_options, valid)
    MEMBER(deja_fn_options, valid_context)
    MEMBER(deja_fn_options, timeout_ms)
    MEMBER(deja_fn_options, per_second)
    MEMBER(deja_fn_options, max_running)
    MEMBER(deja_fn_options, retries)
    MEMBER(deja_fn_options, no_cache)
    MEMBER(deja_fn_options, strict)
    STRUCT(deja_map_options)
    MEMBER(deja_map_options, size)
    MEMBER(deja_map_options, flags)
    MEMBER(deja_map_options, stop_at_failure)
    MEMBER(deja_map_options, reserved)
    MEMBER(deja_map_options, into)
}

static void outcomes(void)
{
    STRUCT(deja_done)
    MEMBER(deja_done, value)
    MEMBER(deja_done, error)
    MEMBER(deja_done, code)
    MEMBER(deja_done, was_cached)
    MEMBER(deja_done, user)
    MEMBER(deja_done, function)
    MEMBER(deja_done, number)
    MEMBER(deja_done, results)
    STRUCT(deja_progress)
    MEMBER(deja_progress, size)
    MEMBER(deja_progress, running)
    MEMBER(deja_progress, calls)
    MEMBER(deja_progress, done)
    MEMBER(deja_progress, hits)
    MEMBER(deja_progress, failed)
}

int main(void)
{
    values();
    options();
    outcomes();
    return 0;
}
