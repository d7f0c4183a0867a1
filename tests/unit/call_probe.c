/*
 * Functions of a library for tests of calls: some that work, and some that do their worker harm. Not
 * instrumented by sanitizers, as libraries of users are not.
 */
#include <deja/job.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int probe_variable = 1;

/* Who loads the library leaves a file, where the environment names one. */
__attribute__((constructor)) static void leave_trace(void)
{
    const char *path = getenv("PROBE_TRACE");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        dprintf(fd, "%d\n", (int)getpid());
        close(fd);
    }
}

int probe_add(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 2)
        return deja_fail(err, DEJA_EINVAL, "probe_add wants two numbers, not %zu arguments", n);
    if (arg[0].kind != DEJA_I64 || arg[1].kind != DEJA_I64)
        return deja_fail(err, DEJA_ETYPE, "probe_add wants two whole numbers");
    return deja_return(out, deja_i64(arg[0].i64 + arg[1].i64));
}

/* Gives back its arguments as a list. */
int probe_echo(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)err;
    return deja_return(out, deja_list(arg, n));
}

int probe_array(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    int64_t count = n ? arg[0].i64 : 10;
    double *x = deja_return_array(out, DEJA_F64, 1, &count, err);
    for (int64_t i = 0; x && i < count; i++)
        x[i] = (double)i / 2;
    return x ? 0 : err->code;
}

int probe_fail(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out;
    return deja_fail(err, DEJA_EINVAL, "the sun is too low");
}

int probe_print(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)err;
    printf("hello %s\n", n && arg[0].kind == DEJA_STRING ? arg[0].string : "nobody");
    fprintf(stderr, "and a warning\n");
    if (write(1, "raw\n", 4) < 0)
        return -1;
    return deja_return(out, deja_null());
}

int probe_abort(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    signal(SIGABRT, SIG_DFL);
    fprintf(stderr, "about to abort\n");
    abort();
}

int probe_kill(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    kill(getpid(), SIGKILL);
    return 0;
}

int probe_exit(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    _exit(3);
}

int probe_loop(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)out, (void)err;
    for (;;)
        usleep(1000);
}

/* Deaf to all but SIGKILL. */
int probe_deaf(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    signal(SIGTERM, SIG_IGN);
    return probe_loop(arg, n, out, err);
}

/* (path, n): where n is 1, puts a copy in the place of a file, and takes a little over a second. */
int probe_replace(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    char command[1024];
    if (n != 2 || arg[0].kind != DEJA_STRING || arg[1].kind != DEJA_I64)
        return deja_fail(err, DEJA_ETYPE, "probe_replace wants a path and a number");
    snprintf(command, sizeof command, "cp '%s' '%s.new' && mv '%s.new' '%s' && sleep 1.2", arg[0].string,
             arg[0].string, arg[0].string, arg[0].string);
    if (arg[1].i64 == 1 && system(command) != 0)
        return deja_fail(err, DEJA_EIO, "replace '%s'", arg[0].string);
    return deja_return(out, arg[1]);
}

/* (path, "loop" or "deaf"): writes to a file again and again. */
int probe_note(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)out;
    int fd = n == 2 ? open(arg[0].string, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return deja_fail_errno(err, "open a note");
    if (arg[1].string[0] == 'd')
        signal(SIGTERM, SIG_IGN);
    for (;;) {
        if (write(fd, ".", 1) < 0)
            return deja_fail_errno(err, "write a note");
        usleep(5000);
    }
}

int probe_close(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    (void)arg, (void)n, (void)err;
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    return deja_return(out, deja_i64(1));
}

/* Writes what it is given (path, text) and says how long it was. */
int probe_write(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    FILE *f = n == 2 && arg[0].kind == DEJA_STRING ? fopen(arg[0].string, "w") : NULL;
    if (!f)
        return deja_fail_errno(err, "open '%s'", n ? arg[0].string : "");
    fputs(arg[1].string, f);
    fclose(f);
    return deja_return(out, deja_i64((int64_t)arg[1].len));
}

/* Bytes of a file. */
int probe_size(const deja_value *arg, size_t n, deja_out *out, deja_error *err)
{
    if (n != 1 || arg[0].kind != DEJA_FILE)
        return deja_fail(err, DEJA_ETYPE, "probe_size wants a file");
    FILE *f = fopen(arg[0].string, "r");
    if (!f)
        return deja_fail_errno(err, "open '%s'", arg[0].string);
    int64_t size = 0;
    while (fgetc(f) != EOF)
        size++;
    fclose(f);
    return deja_return(out, deja_i64(size));
}
