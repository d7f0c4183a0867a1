/*
 * numpy's files. Their head is a Python literal,
 *     {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }
 * of which this reads what numpy writes, with blanks and keys where they may be.
 */
#include "npy.h"

#include "array.h"
#include "mapped.h"

#include <deja/buffer.h>
#include <deja/cleanup.h>
#include <deja/dump.h>
#include <deja/file.h>
#include <stdio.h>

#define MAGIC       "\x93NUMPY"
#define MAGIC_LEN   6
#define FIXED_LEN   10 /* bytes of magic, version and the length of a head of format 1.0 */
#define DATA_ALIGN  64 /* as numpy since 1.14 */
#define DESCR_SHOWN 32 /* characters of a type that a message shows */

/* Type characters and sizes in bytes, as in numpy's array interface. */
static const struct {
    char type;
    uint32_t size, dtype;
} types[] = {{'b', 1, DEJA_BOOL}, {'i', 1, DEJA_I8},  {'i', 2, DEJA_I16}, {'i', 4, DEJA_I32},
             {'i', 8, DEJA_I64},  {'u', 1, DEJA_U8},  {'u', 2, DEJA_U16}, {'u', 4, DEJA_U32},
             {'u', 8, DEJA_U64},  {'f', 4, DEJA_F32}, {'f', 8, DEJA_F64}, {'c', 8, DEJA_C64},
             {'c', 16, DEJA_C128}};
#define TYPES (sizeof types / sizeof *types)

typedef struct parser {
    const char *at, *end;
    npy_head *head;
    unsigned seen; /* one bit for each key */
    deja_error *err;
} parser;

static int corrupt(parser *p, const char *what)
{
    return deja_fail(p->err, DEJA_ECORRUPT, "damaged .npy head: %s", what);
}

static void skip_blanks(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n'))
        p->at++;
}

/* 1 and behind it, when the next is `c`. */
static int skip(parser *p, char c)
{
    skip_blanks(p);
    if (p->at == p->end || *p->at != c)
        return 0;
    p->at++;
    return 1;
}

static int skip_word(parser *p, const char *word)
{
    size_t len = strlen(word);
    skip_blanks(p);
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return 0;
    p->at += len;
    return 1;
}

/* A quoted text without escapes; borrowed. */
static int take_text(parser *p, const char **ret, size_t *ret_len)
{
    skip_blanks(p);
    if (p->at == p->end || (*p->at != '\'' && *p->at != '"'))
        return corrupt(p, "a text is missing");
    const char *text = p->at + 1;
    const char *quote = memchr(text, *p->at, (size_t)(p->end - text));
    if (!quote)
        return corrupt(p, "a text does not end");
    *ret = text;
    *ret_len = (size_t)(quote - text);
    p->at = quote + 1;
    return 0;
}

static int refuse_type(parser *p, const char *text, size_t len)
{
    char shown[DESCR_SHOWN + 1] = "";
    for (size_t i = 0; i < len && i < DESCR_SHOWN; i++)
        shown[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
    return deja_fail(
        p->err, DEJA_ETYPE,
        "elements of type '%s': only bool, integers of 1 to 8 bytes, f4, f8, c8 and c16 are read", shown);
}

static int parse_descr(parser *p)
{
    const char *text;
    size_t len;
    unsigned size = 0;
    if (skip(p, '[') || skip(p, '('))
        return deja_fail(p->err, DEJA_ETYPE, "elements with named fields are not read");
    int r = take_text(p, &text, &len);
    if (r)
        return r;
    for (size_t i = 2; i < len && i < 5; i++)
        size = text[i] >= '0' && text[i] <= '9' ? 10 * size + (unsigned)(text[i] - '0') : 1000;
    for (size_t i = 0; len > 2 && i < TYPES; i++)
        if (types[i].type == text[1] && types[i].size == size &&
            strchr(size == 1 ? "|<>=" : "<>=", text[0])) {
            p->head->dtype = types[i].dtype;
            p->head->is_big = text[0] == '>';
            return 0;
        }
    return refuse_type(p, text, len);
}

static int parse_order(parser *p)
{
    p->head->is_fortran = skip_word(p, "True");
    return p->head->is_fortran || skip_word(p, "False")
               ? 0
               : corrupt(p, "'fortran_order' is neither True nor False");
}

/* One length; Python 2 wrote 3L. */
static int parse_length(parser *p)
{
    int64_t length = 0;
    const char *first = p->at;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
        if (__builtin_mul_overflow(length, 10, &length) ||
            __builtin_add_overflow(length, *p->at - '0', &length))
            return corrupt(p, "a length is too large");
    if (p->at == first)
        return corrupt(p, "a length is no number");
    if (p->head->ndim == DEJA_NDIM_MAX)
        return deja_fail(p->err, DEJA_ETYPE, "more than %d dimensions", DEJA_NDIM_MAX);
    p->head->shape[p->head->ndim++] = length;
    skip(p, 'L');
    return 0;
}

static int parse_shape(parser *p)
{
    p->head->ndim = 0;
    if (!skip(p, '('))
        return corrupt(p, "'shape' is no tuple");
    for (;;) {
        if (skip(p, ')'))
            return 0;
        int r = parse_length(p);
        if (r)
            return r;
        if (!skip(p, ','))
            return skip(p, ')') ? 0 : corrupt(p, "'shape' does not end");
    }
}

static int parse_member(parser *p)
{
    static const struct {
        const char *name;
        int (*parse)(parser *p);
    } keys[] = {{"descr", parse_descr}, {"fortran_order", parse_order}, {"shape", parse_shape}};
    const char *name;
    size_t len;
    int r = take_text(p, &name, &len);
    if (r)
        return r;
    if (!skip(p, ':'))
        return corrupt(p, "a key without a value");
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strlen(keys[i].name) == len && memcmp(keys[i].name, name, len) == 0) {
            p->seen |= 1U << i;
            return keys[i].parse(p);
        }
    return corrupt(p, "an unknown key");
}

static int parse_members(parser *p)
{
    if (!skip(p, '{'))
        return corrupt(p, "it does not begin with '{'");
    while (!skip(p, '}')) {
        int r = parse_member(p);
        if (r)
            return r;
        if (!skip(p, ','))
            return skip(p, '}') ? 0 : corrupt(p, "it does not end");
    }
    return 0;
}

/* Where the literal lies. */
static int find_literal(parser *p, const unsigned char *file, size_t len)
{
    size_t fixed, literal;
    if (len < FIXED_LEN || !npy_is(file, len))
        return corrupt(p, "it is too short");
    if (file[6] < 1 || file[6] > 3)
        return deja_fail(p->err, DEJA_EVERSION, ".npy of format %u.%u, known are 1.0 to 3.0", file[6],
                         file[7]);
    fixed = file[6] == 1 ? FIXED_LEN : FIXED_LEN + 2;
    if (len < fixed)
        return corrupt(p, "it is too short");
    literal = (size_t)file[8] | (size_t)file[9] << 8;
    if (fixed > FIXED_LEN)
        literal |= (size_t)file[10] << 16 | (size_t)file[11] << 24;
    if (literal > len - fixed)
        return corrupt(p, "it ends early");
    p->at = (const char *)file + fixed;
    p->end = p->at + literal;
    p->head->offset = fixed + literal;
    return 0;
}

static void write_descr(uint32_t dtype, char descr[8])
{
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].dtype == dtype)
            snprintf(descr, 8, "%c%c%u", types[i].size == 1 ? '|' : '<', types[i].type, types[i].size);
}

/* Format 1.0: 32 lengths of 19 digits fit well into its 64 KB. */
static void write_head(deja_buffer *b, const deja_array *a)
{
    char descr[8] = "";
    write_descr(a->dtype, descr);
    deja_buffer_add(b, MAGIC "\1\0\0\0", FIXED_LEN);
    deja_buffer_addf(b, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (uint32_t i = 0; i < a->ndim; i++)
        deja_buffer_addf(b, "%s%lld", i ? ", " : "", (long long)a->shape[i]);
    deja_buffer_add_string(b, a->ndim == 1 ? ",), }" : "), }");
    while (!b->failed && (b->len + 1) % DATA_ALIGN)
        deja_buffer_add_char(b, ' ');
    deja_buffer_add_char(b, '\n');
    if (b->failed)
        return;
    b->data[8] = (char)((b->len - FIXED_LEN) & 0xff);
    b->data[9] = (char)((b->len - FIXED_LEN) >> 8);
}

int npy_is(const void *file, size_t len)
{
    return len >= MAGIC_LEN && memcmp(file, MAGIC, MAGIC_LEN) == 0;
}

int npy_parse(const void *file, size_t len, npy_head *ret, deja_error *err)
{
    parser p = {.head = ret, .err = err};
    *ret = (npy_head){0};
    int r = find_literal(&p, file, len);
    if (!r)
        r = parse_members(&p);
    if (!r && p.seen != 7)
        r = corrupt(&p, "a key is missing");
    skip_blanks(&p);
    if (!r && p.at != p.end)
        r = corrupt(&p, "something follows it");
    if (!r && array_check_shape(ret->dtype, ret->ndim, ret->shape, NULL))
        r = corrupt(&p, "its shape is too large");
    return r;
}

void npy_swap(void *data, uint32_t dtype, uint64_t bytes)
{
    uint64_t size = array_alignment(dtype);
    for (char *at = data; size > 1 && bytes >= size; at += size, bytes -= size)
        for (uint64_t i = 0; i < size / 2; i++) {
            char c = at[i];
            at[i] = at[size - 1 - i];
            at[size - 1 - i] = c;
        }
}

int deja_npy_save(const char *path, const deja_array *a, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer head = {0}, target = {0};
    MAPPED_AUTO mapped file = MAPPED_NONE;
    int r = a ? array_check(a, err) : deja_fail(err, DEJA_EINVAL, "an array is NULL");
    if (r) {
        deja_fail_in(err, "write '%s'", path);
        return r;
    }
    write_head(&head, a);
    if (head.failed)
        return deja_fail(err, DEJA_ENOMEM, "write '%s': out of memory", path);
    r = deja_file_target(&target, path, err);
    if (!r)
        r = mapped_draft(&file, deja_buffer_string(&target), head.len + deja_array_bytes(a), err);
    if (r)
        return r;
    memcpy(file.data, head.data, head.len);
    deja_array_pack(a, file.data + head.len);
    return mapped_publish(&file, deja_buffer_string(&target), err);
}
