/* Items of a map, see rows.h. */
#include "rows.h"
#include <string.h>

/* The distance between items in bytes. */
static int64_t first_stride(const deja_array *a)
{
    if (a->strides)
        return a->strides[0];
    int64_t bytes = (int64_t)deja_dtype_size(a->dtype);
    for (uint32_t k = 1; k < a->ndim; k++)
        bytes *= a->shape[k];
    return bytes;
}

#define ELEMENT(type, make)                                                                                  \
    do {                                                                                                     \
        type x_;                                                                                             \
        memcpy(&x_, at, sizeof x_);                                                                          \
        *ret = make(x_);                                                                                     \
        return 1;                                                                                            \
    } while (0)

/* 0: no number (complex). */
static int number_at(uint32_t dtype, const void *at, deja_value *ret)
{
    switch (dtype) {
    case DEJA_F64:
        ELEMENT(double, deja_f64);
    case DEJA_I64:
        ELEMENT(int64_t, deja_i64);
    case DEJA_U64:
        ELEMENT(uint64_t, deja_u64);
    case DEJA_BOOL:
        ELEMENT(uint8_t, deja_bool);
    case DEJA_F32:
        ELEMENT(float, deja_f64);
    case DEJA_I8:
        ELEMENT(int8_t, deja_i64);
    case DEJA_I16:
        ELEMENT(int16_t, deja_i64);
    case DEJA_I32:
        ELEMENT(int32_t, deja_i64);
    case DEJA_U8:
        ELEMENT(uint8_t, deja_u64);
    case DEJA_U16:
        ELEMENT(uint16_t, deja_u64);
    case DEJA_U32:
        ELEMENT(uint32_t, deja_u64);
    default:
        return 0;
    }
}

void rows_value(const deja_column *c, uint64_t i, deja_value *ret, deja_array *view)
{
    const deja_array *a = c->split;
    if (!a) {
        *ret = c->same;
        return;
    }
    char *at = (char *)a->data + (int64_t)i * first_stride(a);
    if (a->ndim == 1 && number_at(a->dtype, at, ret))
        return;
    *view = *a;
    view->data = at;
    view->ndim = a->ndim - 1;
    view->shape = a->shape + 1;
    view->strides = a->strides ? a->strides + 1 : NULL;
    *ret = deja_of_array(view);
}

static int fail(const deja_array *into, const deja_value *v, deja_error *err)
{
    return deja_fail(err, DEJA_ETYPE, "a result of kind %s does not fit into an array of %s",
                     deja_kind_name(v->kind), deja_kind_name(into->dtype));
}

static int put_f64(double *to, const deja_value *v)
{
    if (v->kind != DEJA_F64 && v->kind != DEJA_I64 && v->kind != DEJA_U64 && v->kind != DEJA_BOOL)
        return -1;
    double x = v->kind == DEJA_F64 ? v->f64 : v->kind == DEJA_U64 ? (double)v->u64 : (double)v->i64;
    const double most = 9007199254740992.0; /* 2^53: up to here every whole number is a double */
    if (v->kind != DEJA_F64 && (x > most || x < -most))
        return -1;
    *to = x;
    return 0;
}

int rows_put(const deja_array *into, uint64_t i, const deja_value *v, deja_error *err)
{
    int is_whole = v->kind == DEJA_I64 || v->kind == DEJA_U64 || v->kind == DEJA_BOOL;
    int is_signed = v->kind != DEJA_U64;
    if (into->dtype == DEJA_F64 && put_f64((double *)into->data + i, v) == 0)
        return 0;
    if (into->dtype == DEJA_BOOL && v->kind == DEJA_BOOL)
        ((uint8_t *)into->data)[i] = (uint8_t)v->i64;
    else if (into->dtype == DEJA_I64 && is_whole && (is_signed || v->u64 <= INT64_MAX))
        ((int64_t *)into->data)[i] = v->i64;
    else if (into->dtype == DEJA_U64 && is_whole && (!is_signed || v->i64 >= 0))
        ((uint64_t *)into->data)[i] = v->u64;
    else
        return fail(into, v, err);
    return 0;
}
