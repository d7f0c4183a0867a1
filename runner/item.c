/*
 * Elements of arrays as values, and back.
 */
#include <deja/item.h>

#include <string.h>

static int64_t stride(const deja_array *a, uint32_t axis)
{
    if (a->strides)
        return a->strides[axis];
    int64_t bytes = (int64_t)deja_dtype_size(a->dtype);
    for (uint32_t i = axis + 1; i < a->ndim; i++)
        bytes *= a->shape[i];
    return bytes;
}

static int is_scalar_kind(uint32_t dtype)
{
    return dtype != DEJA_C64 && dtype != DEJA_C128;
}

static deja_value load(uint32_t dtype, const void *at)
{
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        float f32;
        double f64;
    } x = {0};
    memcpy(&x, at, (size_t)deja_dtype_size(dtype)); /* a view may be unaligned */
    switch (dtype) {
    case DEJA_BOOL:
        return deja_bool(x.u8);
    case DEJA_I8:
        return deja_i64(x.i8);
    case DEJA_I16:
        return deja_i64(x.i16);
    case DEJA_I32:
        return deja_i64(x.i32);
    case DEJA_I64:
        return deja_i64(x.i64);
    case DEJA_U8:
        return deja_u64(x.u8);
    case DEJA_U16:
        return deja_u64(x.u16);
    case DEJA_U32:
        return deja_u64(x.u32);
    case DEJA_U64:
        return deja_u64(x.u64);
    case DEJA_F32:
        return deja_f64((double)x.f32);
    default:
        return deja_f64(x.f64);
    }
}

static int check_into(const deja_map_task *m, const char *name, deja_error *err)
{
    const deja_array *into = m->into;
    if (!into)
        return 0;
    if (into->ndim != 1 || !into->data || into->shape[0] < 0 || (uint64_t)into->shape[0] != m->count ||
        !deja_array_is_plain(into))
        return deja_fail(err, DEJA_EINVAL, "'%s': 'into' is no plain array of %llu elements", name,
                         (unsigned long long)m->count);
    if (into->dtype < DEJA_BOOL || into->dtype > DEJA_F64)
        return deja_fail(err, DEJA_ETYPE, "'%s': 'into' is of %s, not of bool, i64, u64 or f64", name,
                         deja_kind_name(into->dtype));
    return 0;
}

static int check_column(const deja_map_task *m, uint32_t c, const char *name, deja_error *err)
{
    const deja_array *a = m->column[c].split;
    deja_value v = a ? deja_of_array(a) : m->column[c].same;
    int rc = deja_value_check(&v, err);
    if (rc < 0)
        return err ? deja_fail_in(err, "'%s': parameter %u", name, c + 1) : rc;
    if (a && (a->ndim == 0 || (uint64_t)a->shape[0] != m->count))
        return deja_fail(err, DEJA_EINVAL, "'%s': parameter %u has %lld items, the map %llu", name, c + 1,
                         a->ndim ? (long long)a->shape[0] : 0, (unsigned long long)m->count);
    return 0;
}

int deja_items_check(const deja_map_task *m, const char *name, deja_error *err)
{
    if (m->columns && m->count && !m->column == !m->rows)
        return deja_fail(err, DEJA_EINVAL, "'%s': a map needs columns or rows", name);
    int rc = check_into(m, name, err);
    for (uint32_t c = 0; rc == 0 && m->column && c < m->columns; c++)
        rc = check_column(m, c, name, err);
    return rc;
}

int deja_item_is_nested(const deja_array *a)
{
    return a->ndim > 1 || !is_scalar_kind(a->dtype);
}

void deja_item_node_init(const deja_array *a, deja_item_node *node)
{
    node->array = *a;
    node->array.ndim = a->ndim - 1;
    node->array.shape = node->shape;
    node->array.strides = a->strides ? node->strides : NULL;
    for (uint32_t i = 1; i < a->ndim; i++) {
        node->shape[i - 1] = a->shape[i];
        node->strides[i - 1] = stride(a, i);
    }
}

deja_value deja_item_value(const deja_array *a, uint64_t i, deja_item_node *node)
{
    char *at = (char *)a->data + (int64_t)i * stride(a, 0);
    if (!deja_item_is_nested(a))
        return load(a->dtype, at);
    node->array.data = at;
    return deja_of_array(&node->array);
}

/* As an element of `dtype`; 0: it would lose something. */
static int convert(const deja_value *v, uint32_t dtype, uint64_t *ret)
{
    double real;
    *ret = v->u64;
    if (v->kind == dtype)
        return 1;
    if (v->kind < DEJA_BOOL || v->kind > DEJA_U64 || dtype == DEJA_BOOL)
        return 0;
    if (dtype != DEJA_F64)
        return v->kind == DEJA_BOOL || v->i64 >= 0; /* I64 as U64, U64 as I64: the same bits */
    real = v->kind == DEJA_U64 ? (double)v->u64 : (double)v->i64;
    memcpy(ret, &real, sizeof real);
    return real < 18446744073709551616.0 &&
           (v->kind == DEJA_U64 ? (uint64_t)real == v->u64
                                : real < 9223372036854775808.0 && (int64_t)real == v->i64);
}

int deja_item_store(const deja_value *v, uint32_t dtype, void *data, uint64_t i, deja_error *err)
{
    uint64_t bits;
    if (!convert(v, dtype, &bits))
        return deja_fail(err, DEJA_ETYPE, "returned %s, which is no element of an array of %s",
                         deja_kind_name(v->kind), deja_kind_name(dtype));
    if (dtype == DEJA_BOOL)
        ((uint8_t *)data)[i] = bits != 0;
    else
        ((uint64_t *)data)[i] = bits;
    return 0;
}

deja_value deja_item_load(uint32_t dtype, const void *data, uint64_t i)
{
    deja_value v = deja_value_of(dtype, 0);
    v.u64 = dtype == DEJA_BOOL ? ((const uint8_t *)data)[i] : ((const uint64_t *)data)[i];
    return v;
}
