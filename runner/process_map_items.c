/*
 * What became of the items of a map: marks, records, streams of workers, files. Nothing in a stream is
 * believed but its bytes: places and lengths are checked.
 */
#include "process_map.h"
#include "product.h"
#include <deja/item.h>

#include <deja/error.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { text_most = 1016 };

static int read_at(int fd, uint64_t at, void *to, uint64_t len)
{
    for (char *next = to; len;) {
        ssize_t n = at > INT64_MAX ? 0 : pread(fd, next, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        next += n;
        at += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return 1;
}

/* ---- failures ---- */

static int add_failure(map_run *r, const map_stream *s, const map_entry *e)
{
    uint64_t len = e->len < text_most ? e->len : text_most;
    map_failure *grown = deja_grow(r->failures, r->failures_len, &r->failures_cap, sizeof *grown);
    if (!grown)
        return 0;
    r->failures = grown;
    char *text = deja_calloc(1, len + 1);
    if (text)
        read_at(s->fd, s->read + sizeof *e, text, len);
    grown[r->failures_len++] = (map_failure){.item = e->item, .code = e->code, .text = text};
    return 1;
}

static int by_item(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b; /* the first member of both kinds */
    return (x > y) - (x < y);
}

static void index_failures(map_run *r)
{
    size_t before = r->failures_len;
    for (size_t i = 0; i < r->streams_len; i++) {
        map_stream *s = &r->streams[i];
        map_entry e;
        while (read_at(s->fd, s->read, &e, sizeof e) && e.len < UINT64_MAX - 128) {
            if (e.code < 0 && e.item < r->m.count && !add_failure(r, s, &e))
                break;
            s->read += (sizeof e + e.len + 63) & ~UINT64_C(63);
        }
    }
    if (r->failures_len > before)
        qsort(r->failures, r->failures_len, sizeof *r->failures, by_item);
}

static const map_failure *find_failure(const map_run *r, uint64_t item)
{
    return r->failures_len ? bsearch(&item, r->failures, r->failures_len, sizeof *r->failures, by_item)
                           : NULL;
}

static int tell(int code, const char *text, const char **ret_text)
{
    if (ret_text)
        *ret_text = text ? text : deja_error_meaning(code);
    return code;
}

static int tell_failure(map_run *r, uint64_t i, const char **ret_text)
{
    for (size_t j = 0; j < r->losses_len; j++)
        if (r->losses[j].item == i && r->losses[j].code)
            return tell(r->losses[j].code, r->losses[j].text, ret_text);
    const map_failure *f = find_failure(r, i);
    if (!f) {
        index_failures(r);
        f = find_failure(r, i);
    }
    return f ? tell(f->code, f->text, ret_text) : tell(DEJA_EKILLED, NULL, ret_text);
}

/* ---- results ---- */

static int take_stream(const map_run *r, const map_record *rec, deja_product *ret)
{
    for (size_t i = 0; i < r->streams_len; i++) {
        const map_stream *s = &r->streams[i];
        map_entry e;
        void *data;
        if (s->number != rec->stream)
            continue;
        off_t end = lseek(s->fd, 0, SEEK_END);
        if (!read_at(s->fd, rec->bits, &e, sizeof e) || e.len > (uint64_t)end)
            return DEJA_ECORRUPT;
        int rc = product_alloc(e.len, ret, &data, NULL);
        if (rc == 0 && !read_at(s->fd, rec->bits + sizeof e, data, e.len)) {
            deja_product_done(ret);
            rc = DEJA_ECORRUPT;
        }
        return rc;
    }
    return DEJA_ERESOURCE; /* the stream did not come: no descriptor was left */
}

static int take_file(map_run *r, uint64_t i, deja_product *ret)
{
    if (!r->files_sorted && r->files_len)
        qsort(r->files, r->files_len, sizeof *r->files, by_item);
    r->files_sorted = 1;
    map_file *f = r->files_len ? bsearch(&i, r->files, r->files_len, sizeof *r->files, by_item) : NULL;
    if (!f || f->fd < 0)
        return DEJA_ERESOURCE;
    int fd = f->fd;
    f->fd = -1;
    return product_of_file(fd, f->len, ret, NULL);
}

static int take_record(map_run *r, uint64_t i, deja_product *ret)
{
    map_record rec = r->record[i];
    if (rec.kind == map_record_stream)
        return take_stream(r, &rec, ret);
    if (rec.kind == map_record_file)
        return take_file(r, i, ret);
    if (rec.kind > DEJA_F64)
        return DEJA_ECORRUPT;
    deja_value v = deja_value_of(rec.kind, 0);
    v.u64 = rec.kind == DEJA_NULL ? 0 : rec.bits;
    *ret = product_of_scalar(&v);
    return 0;
}

static int take_product(map_run *r, uint64_t i, deja_product *ret)
{
    if (r->record)
        return take_record(r, i, ret);
    deja_value v = deja_item_load(r->m.into->dtype, r->into, i);
    *ret = product_of_scalar(&v);
    return 0;
}

int process_map_item(deja_map_run *run, uint64_t i, deja_product *ret_product, const char **ret_text)
{
    map_run *r = (map_run *)run;
    uint16_t mark = i < r->m.count ? r->mark[i] : (uint16_t)map_open;
    if (ret_product)
        *ret_product = (deja_product){.fd = -1};
    if (mark == map_open)
        return r->error.code ? tell(r->error.code, r->error.text, ret_text)
                             : tell(DEJA_ECANCELED, NULL, ret_text);
    if (mark == map_failed)
        return tell_failure(r, i, ret_text);
    int rc = ret_product ? take_product(r, i, ret_product) : 0;
    return rc < 0 ? tell(rc, NULL, ret_text) : 0;
}

int64_t process_map_wall_ns(const deja_map_run *run, uint64_t i)
{
    const map_run *r = (const map_run *)run;
    return i < r->m.count ? map_mark_ns(r->mark[i]) : 0;
}

uint64_t process_map_times(const deja_map_run *run, uint16_t *ret)
{
    const map_run *r = (const map_run *)run;
    const uint16_t *mark = r->block->mark;
    uint64_t ended = 0;
    for (uint64_t i = 0; i < r->m.count; i++) {
        uint16_t well = mark[i] >= map_marks;
        ret[i] = well ? mark[i] : 0;
        ended += well;
    }
    return r->m.count - ended;
}

/* ---- what comes by descriptor ---- */

static int keep_stream(map_run *r, uint32_t number, int fd)
{
    map_stream *grown = deja_grow(r->streams, r->streams_len, &r->streams_cap, sizeof *grown);
    if (!grown)
        return 0;
    r->streams = grown;
    grown[r->streams_len++] = (map_stream){.number = number, .fd = fd};
    return 1;
}

static int keep_file(map_run *r, const wire_message *m, int fd)
{
    map_file *grown = deja_grow(r->files, r->files_len, &r->files_cap, sizeof *grown);
    if (!grown)
        return 0;
    r->files = grown;
    grown[r->files_len++] = (map_file){.item = m->item, .len = m->len, .fd = fd};
    r->files_sorted = 0;
    return 1;
}

void process_map_received(map_run *r, const wire_message *m, int fd)
{
    if (fd >= 0 && !(m->kind == wire_stream ? keep_stream(r, (uint32_t)m->item, fd) : keep_file(r, m, fd)))
        close(fd);
}

void process_map_items_done(map_run *r)
{
    for (size_t i = 0; i < r->streams_len; i++)
        close(r->streams[i].fd);
    for (size_t i = 0; i < r->files_len; i++)
        if (r->files[i].fd >= 0)
            close(r->files[i].fd);
    for (size_t i = 0; i < r->failures_len; i++)
        deja_free(r->failures[i].text);
    deja_free(r->streams);
    deja_free(r->files);
    deja_free(r->failures);
}
