/*
 * pool_calls [TASKS]: calls of functions in worker processes, one task a message.
 *   submit    tasks a second of a function that does nothing, submitted and taken
 *   latency   from submit to outcome with a worker that sleeps, median, us; beside it a futex pair
 *   respawn   from the death of the only worker to the first outcome of its successor, median, us, with 0 and
 *             with 4 GB resident in the program
 */
#include <deja/clock.h>
#include <deja/memory.h>
#include <deja/pool.h>

#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { rounds = 201 };

static int nothing(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)err;
    return deja_return(out, deja_null());
}

static int die(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    return raise(SIGKILL);
}

static void check(int rc, const deja_error *err)
{
    if (rc < 0) {
        fprintf(stderr, "%s\n", err->text);
        exit(1);
    }
}

static deja_pool *open_pool(uint32_t workers)
{
    deja_pool *p;
    deja_error err;
    deja_pool_options o = {.size = sizeof o, .workers = workers, .stage_folder = -1};
    check(deja_pool_open(&p, &o, &err), &err);
    return p;
}

static deja_pool_function *define(deja_pool *p, const char *name, deja_job_fn function)
{
    deja_pool_function *f;
    deja_error err;
    deja_pool_function_options o = {.size = sizeof o, .name = name, .function = function};
    check(deja_pool_define(p, &o, &f, &err), &err);
    return f;
}

static void submit(deja_pool *p, deja_pool_function *f)
{
    deja_error err;
    deja_value arg = deja_i64(1);
    check(deja_pool_submit(p, f, &arg, 1, NULL, NULL, &err), &err);
}

static size_t take(deja_pool *p, deja_task_outcome *o, size_t most)
{
    for (;;) {
        uint32_t seen = deja_pool_seen(p);
        size_t n = deja_pool_take(p, o, most);
        for (size_t i = 0; i < n; i++) {
            deja_free(o[i].text);
            deja_product_done(&o[i].product);
        }
        if (n)
            return n;
        deja_pool_wait(p, seen, -1);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *us)
{
    qsort(us, rounds, sizeof *us, by_value);
    return us[rounds / 2];
}

static void measure_submit(long tasks, long window)
{
    static deja_task_outcome o[256];
    deja_pool *p = open_pool(0);
    deja_pool_function *f = define(p, "nothing", nothing);
    for (int i = 0; i < 100; i++)
        submit(p, f), take(p, o, 1);
    int64_t begin = deja_monotonic_ns(NULL);
    for (long in = 0, out = 0; out < tasks;) {
        for (; in < tasks && in - out < window; in++)
            submit(p, f);
        out += (long)take(p, o, 256);
    }
    double s = (double)(deja_monotonic_ns(NULL) - begin) / 1e9;
    printf("submit+take %ld at once: %.2f M/s\n", window, (double)tasks / s / 1e6);
    deja_pool_close(p);
}

static void measure_latency(void)
{
    double us[rounds];
    deja_task_outcome o;
    deja_pool *p = open_pool(1);
    deja_pool_function *f = define(p, "nothing", nothing);
    submit(p, f), take(p, &o, 1);
    for (int i = 0; i < rounds; i++) {
        poll(NULL, 0, 2); /* it sleeps by now */
        int64_t begin = deja_monotonic_ns(NULL);
        submit(p, f);
        take(p, &o, 1);
        us[i] = (double)(deja_monotonic_ns(NULL) - begin) / 1e3;
    }
    printf("submit to outcome, worker asleep: %.1f us\n", median(us));
    deja_pool_close(p);
}

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
    syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static void measure_futex(void)
{
    double us[rounds];
    _Atomic uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0)
        for (uint32_t i = 1;; i++) {
            while (word[0] != i)
                futex(word, FUTEX_WAIT, i - 1);
            word[16] = i;
            futex(word + 16, FUTEX_WAKE, 1);
        }
    for (uint32_t i = 0; i < rounds; i++) {
        poll(NULL, 0, 2);
        int64_t begin = deja_monotonic_ns(NULL);
        word[0] = i + 1;
        futex(word, FUTEX_WAKE, 1);
        while (word[16] != i + 1)
            futex(word + 16, FUTEX_WAIT, i);
        us[i] = (double)(deja_monotonic_ns(NULL) - begin) / 1e3;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    printf("futex there and back: %.1f us\n", median(us));
}

static void measure_respawn(size_t resident)
{
    double us[rounds];
    deja_task_outcome o;
    deja_pool *p = open_pool(1);
    deja_pool_function *f = define(p, "nothing", nothing), *g = define(p, "die", die);
    char *memory = resident ? malloc(resident) : NULL;
    for (size_t i = 0; memory && i < resident; i += 4096)
        memory[i] = 1;
    submit(p, f), take(p, &o, 1);
    for (int i = 0; i < rounds; i++) {
        submit(p, g);
        take(p, &o, 1);
        int64_t begin = deja_monotonic_ns(NULL); /* the death has been told, the next worker is on its way */
        submit(p, f);
        take(p, &o, 1);
        us[i] = (double)(deja_monotonic_ns(NULL) - begin) / 1e3;
    }
    printf("from the news of a death to the next outcome, %zu MB resident: %.0f us\n", resident >> 20,
           median(us));
    for (int i = 0; i < rounds; i++) {
        int64_t begin = deja_monotonic_ns(NULL);
        submit(p, g);
        submit(p, f);
        for (size_t n = 0; n < 2;)
            n += take(p, &o, 1);
        us[i] = (double)(deja_monotonic_ns(NULL) - begin) / 1e3;
    }
    printf("a call that kills its worker and one after it, %zu MB resident: %.0f us\n", resident >> 20,
           median(us));
    free(memory);
    deja_pool_close(p);
}

int main(int argc, char **argv)
{
    long tasks = argc > 1 ? atol(argv[1]) : 1000000;
    measure_submit(tasks, 1000);
    measure_submit(tasks, 20000);
    measure_submit(tasks / 10, 1);
    measure_futex();
    measure_latency();
    measure_respawn(0);
    if (tasks >= 1000000)
        measure_respawn((size_t)4 << 30);
    return 0;
}
