/*
 * async_waits [COUNT [ROUNDS]]: COUNT coroutines that sleep 100 ms ROUNDS times each, through the pool, from
 * the first submit to the last outcome. Prints the total in nanoseconds, its ratio to the ideal, and the
 * bytes of resident memory for each at the height of it.
 */
#include <deja/clock.h>
#include <deja/memory.h>
#include <deja/pool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { sleep_ms = 100 };

static long resident_bytes(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}

static int sleeper(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)n, (void)out, (void)err;
    for (int64_t i = 0; i < arg->i64; i++)
        deja_sleep_ms(sleep_ms);
    return 0;
}

static long take_all(deja_pool *p, long count)
{
    static deja_task_outcome o[1024];
    long failed = 0;
    while (count > 0) {
        uint32_t seen = deja_pool_seen(p);
        size_t n = deja_pool_take(p, o, sizeof o / sizeof *o);
        for (size_t i = 0; i < n; i++) {
            failed += o[i].code != 0;
            deja_free(o[i].text);
            deja_product_done(&o[i].product);
        }
        count -= (long)n;
        if (n == 0)
            deja_pool_wait(p, seen, -1);
    }
    return failed;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
    deja_value rounds = deja_i64(argc > 2 ? strtol(argv[2], NULL, 10) : 10);
    deja_error err = {0};
    deja_pool *p;
    deja_pool_function *f;
    deja_pool_options o = {.size = sizeof o, .workers = 1, .stage_folder = -1, .no_process = 1};
    deja_pool_function_options fo = {
        .size = sizeof fo, .backend = DEJA_ASYNC, .name = "sleeper", .function = sleeper};
    if (deja_pool_open(&p, &o, &err) < 0 || deja_pool_define(p, &fo, &f, &err) < 0)
        return fprintf(stderr, "%s\n", err.text), 1;
    long before = resident_bytes();
    int64_t begin = deja_monotonic_ns(NULL);
    for (long i = 0; i < count; i++)
        if (deja_pool_submit(p, f, &rounds, 1, NULL, NULL, &err) < 0)
            return fprintf(stderr, "%s\n", err.text), 1;
    int64_t submitted = deja_monotonic_ns(NULL);
    while (deja_monotonic_ns(NULL) < begin + rounds.i64 * sleep_ms * DEJA_MS_NS * 3 / 4)
        usleep(10000);
    long each = (resident_bytes() - before) / count;
    long failed = take_all(p, count);
    int64_t total = deja_monotonic_ns(NULL) - begin;
    printf("%lld %.3f %ld %lld\n", (long long)total,
           (double)total / (double)(rounds.i64 * sleep_ms * DEJA_MS_NS), each,
           (long long)(submitted - begin));
    deja_pool_close(p);
    return failed != 0;
}
