/*
 * One call in a worker: arguments out of the slot, the result into it or, where it is large, into a file that
 * is sent to the program.
 */
#include "invoke.h"
#include "product.h"
#include "wire.h"
#include "worker.h"

#include <deja/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { short_ns = 20 * 1000 }; /* a call that is over sooner has not waited: its processor time is its time */

static int64_t processor_ns(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) < 0 ? 0 : t.tv_sec * DEJA_S_NS + t.tv_nsec;
}

/* Asking costs as much as ten short calls; what passed since the last answer is added where it is little. */
static int64_t processor_before(worker *w, int64_t now_ns)
{
    if (now_ns - w->cpu_at_ns >= short_ns) {
        w->cpu_ns = processor_ns();
        w->cpu_at_ns = now_ns;
    }
    return w->cpu_ns + (now_ns - w->cpu_at_ns);
}

static int64_t processor_used(worker *w, int64_t before_ns, int64_t end_ns, int64_t wall_ns)
{
    if (wall_ns < short_ns)
        return wall_ns;
    w->cpu_ns = processor_ns();
    w->cpu_at_ns = end_ns;
    return w->cpu_ns > before_ns ? w->cpu_ns - before_ns : 0;
}

static int read_args(worker *w, const slot *s, const deja_value **ret_args, size_t *ret_n)
{
    const void *at = s->args_at ? s->args_at : s->room;
    if (s->args == args_plain) {
        *ret_args = at;
        *ret_n = s->args_len;
        return 0;
    }
    deja_value list;
    int rc = deja_image_read(at, s->args_len, &w->heap, &w->arena, &list, &w->err);
    if (rc < 0)
        return rc;
    *ret_args = list.list;
    *ret_n = list.kind == DEJA_LIST ? list.len : 0;
    return 0;
}

/* ---- what a call writes to its standard streams ---- */

static int keep_stream(worker *w, int fd)
{
    if (w->streams[fd - 1] < 0)
        w->streams[fd - 1] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return w->streams[fd - 1];
}

/* Sent before the call: what a function says before it crashes is worth most. */
static void capture(worker *w, uint64_t note, int fd)
{
    int file = memfd_create("deja-output", MFD_CLOEXEC);
    if (file < 0)
        return; /* it passes through */
    if (keep_stream(w, fd) >= 0 && dup2(file, fd) == fd)
        worker_send(w, fd == 1 ? wire_out : wire_err, note, 0, 0, file);
    close(file);
}

static void release(worker *w, int fd)
{
    if (w->streams[fd - 1] >= 0)
        dup2(w->streams[fd - 1], fd);
}

/* ---- the result ---- */

void worker_put_text(slot *s, const deja_error *err)
{
    size_t len = strlen(err->text);
    s->code = err->code;
    s->result = result_text;
    if (len >= slot_room) {
        len = slot_room - 4;
        while (len && ((unsigned char)err->text[len] & 0xc0) == 0x80)
            len--;
        memcpy(s->room, err->text, len);
        memcpy(s->room + len, "...", 4);
        len += 3;
    } else {
        memcpy(s->room, err->text, len + 1);
    }
    s->result_len = len;
}

/* A result of middle size is no file yet. */
static int make_file(worker *w, const deja_product *p)
{
    deja_product file;
    void *data;
    if (product_alloc_file(w->shop->options.stage_folder, p->len, &file, &data, &w->err) < 0)
        return w->err.code;
    memcpy(data, p->image, p->len);
    int fd = fcntl(file.fd, F_DUPFD_CLOEXEC, 3);
    deja_product_done(&file);
    return fd < 0 ? deja_fail_errno(&w->err, "keep a result") : fd;
}

static void put_product(worker *w, uint64_t note, slot *s, const deja_product *p)
{
    s->code = 0;
    s->result_len = p->len;
    if (!p->len) {
        s->result = result_scalar;
        memcpy(s->room, &p->scalar, sizeof p->scalar);
        return;
    }
    if (p->fd < 0 && p->len <= slot_room) {
        s->result = result_image;
        memcpy(s->room, p->image, p->len);
        return;
    }
    int fd = p->fd >= 0 ? p->fd : make_file(w, p);
    if (fd < 0) {
        worker_put_text(s, &w->err);
        return;
    }
    s->result = result_file;
    worker_send(w, wire_result, note, p->len, 0, fd);
    if (fd != p->fd)
        close(fd);
}

static int run(worker *w, const slot *s, const function_place *place, deja_product *ret)
{
    const deja_value *args = NULL;
    size_t n = 0;
    w->err.code = 0;
    if (w->init.code < 0) {
        w->err = w->init;
        return w->err.code;
    }
    deja_job_fn function = worker_function(w, place);
    if (!function)
        return w->err.code;
    int rc = read_args(w, s, &args, &n);
    return rc < 0 ? rc : invoke(function, place->name, args, n, &w->sink, ret, &w->err);
}

void worker_call(worker *w, uint64_t note)
{
    slot *s = &w->shop->boards.slots[(uint32_t)note % slot_count];
    const function_place *place = s->place;
    deja_product made = {.fd = -1};
    if (place->capture) {
        capture(w, note, 1);
        capture(w, note, 2);
    }
    int64_t begin = deja_monotonic_ns(NULL), before = processor_before(w, begin);
    worker_begin_turn(w, s->timeout_ns ? begin + s->timeout_ns : INT64_MAX);
    int rc = run(w, s, place, &made);
    worker_check_self(w);
    s->end_ns = deja_monotonic_ns(NULL);
    s->wall_ns = s->end_ns - begin;
    s->cpu_ns = processor_used(w, before, s->end_ns, s->wall_ns);
    fflush(stdout);
    worker_end_turn(w);
    if (place->capture) {
        release(w, 1);
        release(w, 2);
    }
    if (rc < 0)
        worker_put_text(s, &w->err);
    else
        put_product(w, note, s, &made);
    deja_product_done(&made);
    deja_arena_reset(&w->arena);
}
