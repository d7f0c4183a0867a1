/*
 * Records of kept results. All integers are little-endian; strings carry their length and end with a NUL, so
 * that a decoded entry can point into one copy of the record.
 */
#include "entry.h"

#include <deja/memory.h>
#include <string.h>

#define FORMAT         1u
#define FORMAT_VALUE   2u /* the same with a value */
#define CHECKSUM_BYTES 8
#define OUTPUT_MIN     40 /* bytes that an output takes at least: bounds the counts of a record */
#define DISCOVERED_MIN 34

static void add_u8(deja_buffer *b, uint8_t v)
{
    deja_buffer_add(b, &v, 1);
}

static void add_text(deja_buffer *b, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    deja_buffer_add_u32(b, (uint32_t)len);
    deja_buffer_add(b, text ? text : "", len + 1);
}

static void add_content(deja_buffer *b, const deja_content *content)
{
    add_u8(b, content->kind);
    deja_buffer_add_u64(b, content->size);
    deja_buffer_add(b, content->hash.byte, sizeof content->hash.byte);
}

static void add_stored(deja_buffer *b, const deja_stored *s)
{
    add_content(b, &s->content);
    add_u8(b, s->where);
    if (s->where == DEJA_STORED_INLINE)
        deja_buffer_add(b, s->data, s->content.size);
}

static const char *read_text(deja_reader *r)
{
    uint32_t len = deja_read_u32(r);
    const char *text = deja_read_bytes(r, (size_t)len + 1);
    if (text && !memchr(text, 0, len) && !text[len])
        return text;
    r->failed = 1;
    return "";
}

static void read_content(deja_reader *r, deja_content *ret)
{
    ret->kind = deja_read_u8(r);
    ret->size = deja_read_u64(r);
    const void *hash = deja_read_bytes(r, sizeof ret->hash.byte);
    if (hash)
        memcpy(ret->hash.byte, hash, sizeof ret->hash.byte);
    if (ret->kind > DEJA_CONTENT_FOLDER)
        r->failed = 1;
}

static void read_stored(deja_reader *r, deja_stored *ret)
{
    read_content(r, &ret->content);
    ret->where = deja_read_u8(r);
    if (ret->where > DEJA_STORED_RECORD)
        r->failed = 1;
    if (ret->where == DEJA_STORED_INLINE)
        ret->data = deja_read_bytes(r, ret->content.size);
}

static void read_output(deja_reader *r, deja_output *ret)
{
    ret->name = read_text(r);
    ret->path = read_text(r);
    ret->mode = deja_read_u32(r);
    read_stored(r, &ret->stored);
}

static void read_discovered(deja_reader *r, deja_digest_item *ret)
{
    ret->path = read_text(r);
    ret->flags = deja_read_u32(r);
    read_content(r, &ret->content);
}

/* The bytes of a value are the last of the record: what is left of `r` ends before them. */
static void read_value(deja_reader *r, entry_head *ret)
{
    read_content(r, &ret->value.content);
    ret->value.where = deja_read_u8(r);
    ret->has_value = 1;
    if (ret->value.where == DEJA_STORED_BLOB && ret->value.content.size)
        return;
    if (r->failed || ret->value.where != DEJA_STORED_INLINE || ret->value.content.size > r->len - r->at) {
        r->failed = 1;
        return;
    }
    r->len -= ret->value.content.size;
    ret->value.data = r->data + r->len;
}

static int read_head(deja_reader *r, entry_head *ret)
{
    ret->has_value = 0;
    ret->value = (deja_stored){.data = NULL};
    deja_read_bytes(r, CHECKSUM_BYTES);
    uint32_t format = deja_read_u32(r);
    ret->exit_status = (int32_t)deja_read_u32(r);
    const void *key = deja_read_bytes(r, sizeof ret->key.byte);
    ret->created_ns = (int64_t)deja_read_u64(r);
    ret->wall_ns = (int64_t)deja_read_u64(r);
    ret->cpu_ns = (int64_t)deja_read_u64(r);
    ret->peak_rss_bytes = deja_read_u64(r);
    ret->output_count = deja_read_u32(r);
    ret->discovered_count = deja_read_u32(r);
    ret->encoding_len = deja_read_u64(r);
    ret->encoding = deja_read_bytes(r, ret->encoding_len);
    ret->label = read_text(r);
    if (format == FORMAT_VALUE)
        read_value(r, ret);
    if (r->failed || (format != FORMAT && format != FORMAT_VALUE))
        return DEJA_ECORRUPT;
    memcpy(ret->key.byte, key, sizeof ret->key.byte);
    size_t left = r->len - r->at;
    return ret->output_count > left / OUTPUT_MIN || ret->discovered_count > left / DISCOVERED_MIN
               ? DEJA_ECORRUPT
               : 0;
}

static int fill(deja_entry *e, const void *record, size_t len)
{
    deja_reader r = {.data = record, .len = len};
    entry_head head;
    if (read_head(&r, &head))
        return DEJA_ECORRUPT;
    e->key = head.key;
    e->label = head.label;
    e->encoding = head.encoding;
    e->encoding_len = head.encoding_len;
    e->exit_status = head.exit_status;
    e->created_ns = head.created_ns;
    e->wall_ns = head.wall_ns;
    e->cpu_ns = head.cpu_ns;
    e->peak_rss_bytes = head.peak_rss_bytes;
    e->has_value = head.has_value;
    e->value = head.value;
    read_stored(&r, &e->out);
    read_stored(&r, &e->err);
    for (size_t i = 0; i < e->output_count; i++)
        read_output(&r, &e->outputs[i]);
    for (size_t i = 0; i < e->discovered_count; i++)
        read_discovered(&r, &e->discovered[i]);
    return r.failed || r.at != r.len ? DEJA_ECORRUPT : 0; /* r.len: the value is behind it */
}

/* What every format has in the same place: check, format, exit status, key. 0, DEJA_EVERSION or
 * DEJA_ECORRUPT. */
static int look_at_start(const void *record, size_t len, const deja_hash *key)
{
    deja_reader r = {.data = record, .len = len};
    uint64_t sum = deja_read_u64(&r);
    uint32_t format = deja_read_u32(&r);
    deja_read_u32(&r);
    const void *of = deja_read_bytes(&r, sizeof *key);
    if (r.failed || sum != deja_hash64((const char *)record + CHECKSUM_BYTES, len - CHECKSUM_BYTES) ||
        (key && memcmp(of, key->byte, sizeof key->byte) != 0))
        return DEJA_ECORRUPT;
    return format > FORMAT_VALUE ? DEJA_EVERSION : 0;
}

static void add_value(deja_buffer *b, const deja_stored *value)
{
    add_content(b, &value->content);
    add_u8(b, value->where);
}

static void add_discovered(deja_buffer *b, const deja_entry *e)
{
    for (size_t i = 0; i < e->discovered_count; i++) {
        add_text(b, e->discovered[i].path);
        deja_buffer_add_u32(b, e->discovered[i].flags);
        add_content(b, &e->discovered[i].content);
    }
}

int entry_variant(const deja_entry *e, deja_hash *ret)
{
    deja_buffer b = {0};
    add_discovered(&b, e);
    int failed = b.failed;
    *ret = deja_hash_bytes(b.data, b.len);
    deja_buffer_done(&b);
    return failed ? DEJA_ENOMEM : 0;
}

void entry_encode(deja_buffer *b, const deja_entry *e)
{
    size_t start = b->len;
    deja_buffer_add_u64(b, 0);
    deja_buffer_add_u32(b, e->has_value ? FORMAT_VALUE : FORMAT);
    deja_buffer_add_u32(b, (uint32_t)e->exit_status);
    deja_buffer_add(b, e->key.byte, sizeof e->key.byte);
    deja_buffer_add_u64(b, (uint64_t)e->created_ns);
    deja_buffer_add_u64(b, (uint64_t)e->wall_ns);
    deja_buffer_add_u64(b, (uint64_t)e->cpu_ns);
    deja_buffer_add_u64(b, e->peak_rss_bytes);
    deja_buffer_add_u32(b, (uint32_t)e->output_count);
    deja_buffer_add_u32(b, (uint32_t)e->discovered_count);
    deja_buffer_add_u64(b, e->encoding_len);
    deja_buffer_add(b, e->encoding, e->encoding_len);
    add_text(b, e->label);
    if (e->has_value)
        add_value(b, &e->value);
    add_stored(b, &e->out);
    add_stored(b, &e->err);
    for (size_t i = 0; i < e->output_count; i++) {
        add_text(b, e->outputs[i].name);
        add_text(b, e->outputs[i].path);
        deja_buffer_add_u32(b, e->outputs[i].mode);
        add_stored(b, &e->outputs[i].stored);
    }
    add_discovered(b, e);
    if (e->has_value && e->value.where == DEJA_STORED_INLINE)
        deja_buffer_add(b, e->value.data, e->value.content.size);
    if (b->failed)
        return;
    uint64_t sum = deja_hash64(b->data + start + CHECKSUM_BYTES, b->len - start - CHECKSUM_BYTES);
    for (int i = 0; i < CHECKSUM_BYTES; i++)
        b->data[start + (size_t)i] = (char)(sum >> (8 * i));
}

int entry_look(const void *record, size_t len, const deja_hash *key, entry_head *ret)
{
    deja_reader r = {.data = record, .len = len};
    int code = look_at_start(record, len, key);
    return code ? code : read_head(&r, ret);
}

/* From where in `memory` on to lay the record, so that its value is aligned. */
static size_t place_of_record(const char *memory, size_t at, size_t len, const entry_head *head)
{
    size_t before = head->value.data ? len - head->value.content.size : 0; /* what the value follows */
    uintptr_t value = (uintptr_t)memory + at + before;
    return head->value.data ? at + (-value & (ENTRY_VALUE_ALIGN - 1)) : at;
}

int entry_decode(const void *record, size_t len, const entry_head *head, deja_entry **ret)
{
    size_t outputs = sizeof(deja_entry), discovered = outputs + head->output_count * sizeof(deja_output);
    size_t text = discovered + head->discovered_count * sizeof(deja_digest_item);
    char *memory = deja_realloc(NULL, text + len + (head->value.data ? ENTRY_VALUE_ALIGN - 1 : 0));
    if (!memory)
        return DEJA_ENOMEM;
    memset(memory, 0, text);
    text = place_of_record(memory, text, len, head);
    memcpy(memory + text, record, len);
    deja_entry *e = (deja_entry *)memory;
    e->outputs = (deja_output *)(memory + outputs);
    e->output_count = head->output_count;
    e->discovered = (deja_digest_item *)(memory + discovered);
    e->discovered_count = head->discovered_count;
    int r = fill(e, memory + text, len);
    if (r)
        deja_free(memory);
    else
        *ret = e;
    return r;
}
