/*
 * The result of one call, and the calls by which a function returns it. The first failure of such a call
 * sticks: a function that ignores it does not get a half result through.
 */
#include "result_sink.h"

#include "product.h"
#include <deja/image.h>

static void forget(deja_sink *s)
{
    if (s->made.len)
        deja_product_done(&s->made);
}

static int fail(deja_sink *s, const deja_error *err)
{
    if (!s->failed.code)
        s->failed = *err;
    return err->code;
}

static int alloc(const deja_sink *s, uint64_t len, deja_product *ret, void **ret_data, deja_error *err)
{
    if (s->stage_folder == sink_memory || len < sink_file_bytes)
        return product_alloc(len, ret, ret_data, err);
    return product_alloc_file(s->stage_folder, len, ret, ret_data, err);
}

static int check(const deja_value *v, deja_error *err)
{
    int rc = deja_value_check(v, err);
    return rc < 0 ? rc : deja_fail(err, DEJA_EINVAL, "a result is no value");
}

/* What a function returns, another one can be given: there it lies in a list of arguments. */
static uint64_t size_of(const deja_value *v, deja_error *err)
{
    const deja_value inside = deja_list(v, 1);
    if ((v->kind == DEJA_LIST || v->kind == DEJA_MAP) && deja_value_check(&inside, NULL) < 0) {
        int rc = deja_value_check(v, err);
        if (rc == 0)
            deja_fail(err, DEJA_EINVAL, "lists and maps are nested deeper than %d", DEJA_DEPTH_MAX - 1);
        return UINT64_MAX;
    }
    uint64_t len = deja_image_size(v, NULL);
    if (len == UINT64_MAX)
        check(v, err);
    return len;
}

/* The old result is given up last: the new value may point into it. */
static void replace(deja_out *out, const deja_product *made, uint32_t kind)
{
    forget(out->sink);
    out->sink->made = *made;
    out->value = deja_value_of(kind, 0);
}

static int make_image(deja_out *out, const deja_value *v, deja_error *err)
{
    deja_product made;
    void *data;
    uint64_t len = size_of(v, err);
    int rc = len == UINT64_MAX ? err->code : product_alloc(len, &made, &data, err);
    if (rc < 0)
        return rc;
    deja_image_write(v, NULL, data);
    replace(out, &made, v->kind);
    return 0;
}

static void *make_array(deja_out *out, uint32_t dtype, uint32_t ndim, const int64_t *shape, deja_error *err)
{
    _Alignas(16) char head[DEJA_IMAGE_HEAD_MOST];
    uint64_t offset, len;
    deja_product made;
    void *data;
    if (deja_image_array_head(dtype, ndim, shape, head, &offset, &len, err) < 0 ||
        alloc(out->sink, len, &made, &data, err) < 0)
        return NULL;
    memcpy(data, head, (size_t)offset);
    replace(out, &made, DEJA_ARRAY);
    return (char *)data + offset;
}

void sink_init(deja_sink *s, int stage_folder)
{
    s->stage_folder = stage_folder;
    s->made = (deja_product){.fd = -1};
    s->failed.code = 0;
}

void sink_clear(deja_sink *s)
{
    forget(s);
    s->failed.code = 0;
}

int sink_take(deja_sink *s, const deja_out *out, deja_product *ret, deja_error *err)
{
    if (s->failed.code) {
        if (err)
            *err = s->failed;
        return s->failed.code;
    }
    if (out->value.kind <= DEJA_F64) {
        *ret = product_of_scalar(&out->value);
        return 0;
    }
    if (!s->made.len)
        return deja_fail(err, DEJA_ETYPE, "a result was not given by deja_return");
    product_freeze(&s->made);
    *ret = s->made;
    s->made = (deja_product){.fd = -1};
    return 0;
}

void sink_done(deja_sink *s)
{
    if (s)
        forget(s);
}

int deja_return_value(deja_out *out, const deja_value *v)
{
    deja_error err;
    if (!out || !out->sink || !v)
        return DEJA_EINVAL;
    if (v->kind <= DEJA_F64) {
        deja_value scalar = *v;
        forget(out->sink);
        out->value = scalar;
        return 0;
    }
    return make_image(out, v, &err) < 0 ? fail(out->sink, &err) : 0;
}

void *deja_return_array(deja_out *out, uint32_t dtype, uint32_t ndim, const int64_t *shape, deja_error *err)
{
    deja_error own;
    if (!err)
        err = &own;
    if (!out || !out->sink) {
        deja_fail(err, DEJA_EINVAL, "deja_return_array outside of a function");
        return NULL;
    }
    void *data = make_array(out, dtype, ndim, shape, err);
    if (!data)
        fail(out->sink, err);
    return data;
}
