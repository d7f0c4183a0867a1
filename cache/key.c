/*
 * The canonical encoding of a key's fields (deja/key.h) and its reader, which trusts no byte: an encoding may
 * come from a damaged row.
 */
#include <deja/key.h>
#include <string.h>

#define MAGIC           "deja"
#define MAGIC_BYTES     4
#define HEADER_BYTES    6 /* magic, format, algorithm */
#define FORMAT          1
#define ALGORITHM_XXH3  1
#define CONTENT_BYTES   25 /* kind, size, hash */
#define CONTENT_SIZE_AT 1
#define CONTENT_HASH_AT 9

static void store_u64(unsigned char *to, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t load_u64(const unsigned char *from)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | from[i];
    return v;
}

static int skip_header(deja_reader *r)
{
    const void *magic = deja_read_bytes(r, MAGIC_BYTES);
    uint8_t format = deja_read_u8(r);
    uint8_t algorithm = deja_read_u8(r);
    int good = magic && !r->failed && !memcmp(magic, MAGIC, MAGIC_BYTES) && format == FORMAT &&
               algorithm == ALGORITHM_XXH3;
    return good ? 0 : DEJA_ECORRUPT;
}

void deja_key_begin(deja_key *k, const char *kind)
{
    static const char header[HEADER_BYTES] = {'d', 'e', 'j', 'a', FORMAT, ALGORITHM_XXH3};
    deja_buffer_clear(&k->bytes);
    deja_buffer_add(&k->bytes, header, sizeof header);
    deja_key_add_string(k, DEJA_FIELD_KIND, "", kind);
}

void deja_key_add(deja_key *k, deja_field_tag tag, const char *name, const void *value, size_t len)
{
    size_t name_len = name ? strlen(name) : 0;
    if (name_len > UINT32_MAX) {
        k->bytes.failed = 1;
        return;
    }
    deja_buffer_add_char(&k->bytes, (char)tag);
    deja_buffer_add_u32(&k->bytes, (uint32_t)name_len);
    deja_buffer_add(&k->bytes, name, name_len);
    deja_buffer_add_u64(&k->bytes, len);
    deja_buffer_add(&k->bytes, value, len);
}

void deja_key_add_string(deja_key *k, deja_field_tag tag, const char *name, const char *value)
{
    deja_key_add(k, tag, name, value, strlen(value));
}

void deja_key_add_content(deja_key *k, deja_field_tag tag, const char *name, const deja_content *content)
{
    unsigned char value[CONTENT_BYTES] = {0};
    value[0] = content->kind;
    /* What is absent has neither size nor hash: leftovers in the struct must not reach the key. */
    if (content->kind != DEJA_CONTENT_ABSENT) {
        store_u64(value + CONTENT_SIZE_AT, content->size);
        memcpy(value + CONTENT_HASH_AT, content->hash.byte, sizeof content->hash.byte);
    }
    deja_key_add(k, tag, name, value, sizeof value);
}

int deja_key_finish(const deja_key *k, deja_hash *ret)
{
    if (k->bytes.failed)
        return DEJA_ENOMEM;
    *ret = deja_hash_bytes(k->bytes.data, k->bytes.len);
    return 0;
}

void deja_key_done(deja_key *k)
{
    deja_buffer_done(&k->bytes);
}

int deja_field_next(const void *encoding, size_t len, size_t *at, deja_field *ret)
{
    deja_reader r = {.data = encoding, .len = len, .at = *at};
    if (*at > len)
        return DEJA_ECORRUPT;
    if (!r.at && skip_header(&r) < 0)
        return DEJA_ECORRUPT;
    if (r.at == len) {
        *at = len;
        return 0;
    }
    deja_field field = {.tag = deja_read_u8(&r)};
    field.name_len = deja_read_u32(&r);
    field.name = deja_read_bytes(&r, field.name_len);
    field.value_len = deja_read_u64(&r);
    if (r.failed || !field.tag || field.value_len > len - r.at)
        return DEJA_ECORRUPT;
    field.value = deja_read_bytes(&r, (size_t)field.value_len);
    if (r.failed)
        return DEJA_ECORRUPT;
    *at = r.at;
    *ret = field;
    return 1;
}

int deja_field_content(const deja_field *field, deja_content *ret)
{
    if (field->tag != DEJA_FIELD_INPUT && field->tag != DEJA_FIELD_STDIN &&
        field->tag != DEJA_FIELD_PROGRAM && field->tag != DEJA_FIELD_LIBRARY)
        return DEJA_ECORRUPT;
    deja_content content = {.kind = DEJA_CONTENT_ABSENT};
    if (!field->value_len && field->tag == DEJA_FIELD_PROGRAM) {
        *ret = content;
        return 0;
    }
    if (field->value_len != CONTENT_BYTES || field->value[0] > DEJA_CONTENT_FOLDER)
        return DEJA_ECORRUPT;
    content.kind = field->value[0];
    content.size = load_u64(field->value + CONTENT_SIZE_AT);
    memcpy(content.hash.byte, field->value + CONTENT_HASH_AT, sizeof content.hash.byte);
    *ret = content;
    return 0;
}
