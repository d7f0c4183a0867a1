/*
 * Values as JSON (RFC 8259), for people and for other programs. Bytes, and text that is not UTF-8, go as
 * base64 (RFC 4648, section 4); a number that JSON has no word for is a string.
 */
#include "array.h"

#include <deja/buffer.h>
#include <deja/text.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK       4096 /* bytes of elements on the stack */
#define FLOAT_LEAST 6    /* FLT_DIG: so many digits always survive */
#define FLOAT_MOST  9    /* FLT_DECIMAL_DIG: so many always tell which float it is */

static void add_base64(deja_buffer *b, const void *data, uint64_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    for (uint64_t at = 0; at < len; at += 3) {
        uint64_t n = len - at < 3 ? len - at : 3;
        uint32_t bits =
            (uint32_t)p[at] << 16 | (n > 1 ? (uint32_t)p[at + 1] << 8 : 0) | (n > 2 ? p[at + 2] : 0);
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63], n > 1 ? digits[bits >> 6 & 63] : '=',
                        n > 2 ? digits[bits & 63] : '='};
        deja_buffer_add(b, four, sizeof four);
    }
}

static void add_bytes(deja_buffer *b, const void *data, uint64_t len)
{
    deja_buffer_add_string(b, "{\"base64\":\"");
    add_base64(b, data, len);
    deja_buffer_add_string(b, "\"}");
}

/* Controls are escaped, those of C1 too, as it may be read on a terminal. */
static void add_quoted(deja_buffer *b, const char *text, uint64_t len)
{
    deja_buffer_add_char(b, '"');
    for (uint64_t at = 0; at < len;) {
        unsigned char c = (unsigned char)text[at];
        uint64_t n = deja_text_utf8(text + at, len - at);
        if (!n)
            deja_buffer_add_string(b, "\\ufffd");
        else if (c == '"' || c == '\\')
            deja_buffer_addf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            deja_buffer_addf(b, "\\u%04x", c);
        else if (c == 0xc2 && (unsigned char)text[at + 1] < 0xa0)
            deja_buffer_addf(b, "\\u%04x", (unsigned char)text[at + 1]);
        else
            deja_buffer_add(b, text + at, n);
        at += n ? n : 1;
    }
    deja_buffer_add_char(b, '"');
}

static void add_text(deja_buffer *b, const char *text, uint64_t len)
{
    if (deja_text_is_utf8(text, len))
        add_quoted(b, text, len);
    else
        add_bytes(b, text, len);
}

/* A point or an exponent tells 1.0 from 1, and -0.0 from 0. */
static void add_f64(deja_buffer *b, double v)
{
    char text[32];
    deja_text_double(v, text);
    if (!isfinite(v))
        deja_buffer_addf(b, "\"%s\"", text);
    else
        deja_buffer_addf(b, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

/* The shortest of the doubles that become this float. Both conversions use the same locale. */
static void add_f32(deja_buffer *b, float v)
{
    double nearest = v;
    for (int digits = FLOAT_LEAST; isfinite(v) && digits <= FLOAT_MOST; digits++) {
        char text[32];
        snprintf(text, sizeof text, "%.*e", digits - 1, (double)v);
        nearest = strtod(text, NULL);
        if ((float)nearest == v)
            break;
    }
    add_f64(b, nearest);
}

static void add_complex(deja_buffer *b, const void *at, int is_double)
{
    double wide[2];
    float narrow[2];
    deja_buffer_add_char(b, '[');
    if (is_double) {
        memcpy(wide, at, sizeof wide);
        add_f64(b, wide[0]);
        deja_buffer_add_char(b, ',');
        add_f64(b, wide[1]);
    } else {
        memcpy(narrow, at, sizeof narrow);
        add_f32(b, narrow[0]);
        deja_buffer_add_char(b, ',');
        add_f32(b, narrow[1]);
    }
    deja_buffer_add_char(b, ']');
}

static int64_t signed_at(const void *at, uint64_t size)
{
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    switch (size) {
    case 1:
        memcpy(&i8, at, size);
        return i8;
    case 2:
        memcpy(&i16, at, size);
        return i16;
    case 4:
        memcpy(&i32, at, size);
        return i32;
    default:
        memcpy(&i64, at, sizeof i64);
        return i64;
    }
}

static void add_element(deja_buffer *b, uint32_t dtype, const void *at)
{
    uint64_t size = deja_dtype_size(dtype), u = 0;
    double f64;
    float f32;
    switch (dtype) {
    case DEJA_BOOL:
        deja_buffer_add_string(b, *(const char *)at ? "true" : "false");
        break;
    case DEJA_F64:
        memcpy(&f64, at, sizeof f64);
        add_f64(b, f64);
        break;
    case DEJA_F32:
        memcpy(&f32, at, sizeof f32);
        add_f32(b, f32);
        break;
    case DEJA_C64:
    case DEJA_C128:
        add_complex(b, at, dtype == DEJA_C128);
        break;
    case DEJA_U8:
    case DEJA_U16:
    case DEJA_U32:
    case DEJA_U64:
        memcpy(&u, at, size); /* little-endian */
        deja_buffer_addf(b, "%llu", (unsigned long long)u);
        break;
    default:
        deja_buffer_addf(b, "%lld", (long long)signed_at(at, size));
    }
}

static void add_elements(deja_buffer *b, const deja_array *a, uint64_t most)
{
    array_walk walk;
    array_walk_begin(&walk, a);
    uint64_t shown = most && most < walk.left ? most : walk.left, done = 0, n;
    int is_cut = shown < walk.left;
    _Alignas(16) char some[CHUNK];
    while (done < shown && (n = array_walk_fill(&walk, some, CHUNK)) > 0)
        for (uint64_t at = 0; at < n && done < shown; at += walk.size) {
            if (done++)
                deja_buffer_add_char(b, ',');
            add_element(b, a->dtype, some + at);
        }
    if (is_cut)
        deja_buffer_add_string(b, ",\"...\"");
}

static void add_array(deja_buffer *b, const deja_array *a, uint64_t most)
{
    deja_buffer_addf(b, "{\"dtype\":\"%s\",\"shape\":[", deja_kind_name(a->dtype));
    for (uint32_t i = 0; i < a->ndim; i++)
        deja_buffer_addf(b, "%s%lld", i ? "," : "", (long long)a->shape[i]);
    deja_buffer_add_string(b, "],\"data\":[");
    add_elements(b, a, most);
    deja_buffer_add_string(b, "]}");
}

static void add_list(deja_buffer *b, const deja_value *v, uint64_t most)
{
    deja_buffer_add_char(b, '[');
    for (uint64_t i = 0; i < v->len; i++) {
        if (i)
            deja_buffer_add_char(b, ',');
        deja_value_json(b, &v->list[i], most);
    }
    deja_buffer_add_char(b, ']');
}

static void add_map(deja_buffer *b, const deja_value *v, uint64_t most)
{
    deja_buffer_add_char(b, '{');
    for (uint64_t i = 0; i < v->len; i++) {
        if (i)
            deja_buffer_add_char(b, ',');
        add_quoted(b, v->map[i].key, strlen(v->map[i].key));
        deja_buffer_add_char(b, ':');
        deja_value_json(b, &v->map[i].value, most);
    }
    deja_buffer_add_char(b, '}');
}

static void add_file(deja_buffer *b, const deja_value *v)
{
    deja_buffer_add_string(b, "{\"file\":");
    add_text(b, v->string, v->len);
    deja_buffer_add_char(b, '}');
}

void deja_value_json(deja_buffer *b, const deja_value *v, uint64_t most_elements)
{
    switch (v->kind) {
    case DEJA_BOOL:
        deja_buffer_add_string(b, v->i64 ? "true" : "false");
        break;
    case DEJA_I64:
        deja_buffer_addf(b, "%lld", (long long)v->i64);
        break;
    case DEJA_U64:
        deja_buffer_addf(b, "%llu", (unsigned long long)v->u64);
        break;
    case DEJA_F64:
        add_f64(b, v->f64);
        break;
    case DEJA_STRING:
        add_text(b, v->string, v->len);
        break;
    case DEJA_BYTES:
        add_bytes(b, v->bytes, v->len);
        break;
    case DEJA_ARRAY:
        add_array(b, v->array, most_elements);
        break;
    case DEJA_LIST:
        add_list(b, v, most_elements);
        break;
    case DEJA_MAP:
        add_map(b, v, most_elements);
        break;
    case DEJA_FILE:
        add_file(b, v);
        break;
    default:
        deja_buffer_add_string(b, "null");
    }
}
