/* Differences between keys in words, see difference.h. */
#include "difference.h"
#include "fields.h"
#include "json.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

enum {
    VALUE_BYTES = 60,   /* shown of a value */
    CONTEXT_BYTES = 15, /* of it in front of what differs */
};

static int is_file(deja_field_tag tag)
{
    return tag == DEJA_FIELD_INPUT || tag == DEJA_FIELD_STDIN || tag == DEJA_FIELD_LIBRARY ||
           tag == DEJA_FIELD_PROGRAM;
}

static int is_variable(deja_field_tag tag)
{
    return tag == DEJA_FIELD_ENV || tag == DEJA_FIELD_ENV_ABSENT || tag == DEJA_FIELD_ENV_SECRET;
}

/* Once a secret, always a secret: what it was before it was said to be one is not told either. */
static int is_secret(const difference *d)
{
    return (d->in_new && d->new_field.tag == DEJA_FIELD_ENV_SECRET) ||
           (d->in_old && d->old_field.tag == DEJA_FIELD_ENV_SECRET);
}

/* Its value is not for people: a content, a hash, a secret. */
static int is_hidden(const difference *d)
{
    deja_field_tag tag = d->in_new ? d->new_field.tag : d->old_field.tag;
    return is_file(tag) || tag == DEJA_FIELD_NEED || is_secret(d);
}

static const char *noun_of(deja_field_tag tag)
{
    switch (tag) {
    case DEJA_FIELD_TEXT:
        return "command";
    case DEJA_FIELD_FOLDER:
        return "working folder";
    case DEJA_FIELD_ENV:
    case DEJA_FIELD_ENV_ABSENT:
    case DEJA_FIELD_ENV_SECRET:
        return "variable";
    case DEJA_FIELD_STDIN:
        return "standard input";
    case DEJA_FIELD_NEED:
        return "needed job";
    case DEJA_FIELD_BUILD:
        return "build";
    default:
        return fields_tag(tag);
    }
}

static void add_quoted(deja_buffer *b, const char *text, size_t len)
{
    deja_buffer_add_char(b, '\'');
    deja_text_escape(b, text, len);
    deja_buffer_add_char(b, '\'');
}

/* The part of a text from `from` on that is worth to be shown, at borders of characters. */
static void add_part(deja_buffer *b, const char *text, size_t len, size_t from)
{
    size_t end = len - from > VALUE_BYTES ? from + VALUE_BYTES : len;
    while (end < len && end > from && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    deja_buffer_add_char(b, '\'');
    if (from)
        deja_buffer_add_string(b, "...");
    deja_text_escape(b, text + from, end - from);
    if (end < len)
        deja_buffer_add_string(b, "...");
    deja_buffer_add_char(b, '\'');
}

/* Where the part of two texts begins that is to be shown: at 0 where they are short. */
static size_t shown_from(const deja_buffer *a, const deja_buffer *b)
{
    size_t same = 0;
    if (a->len <= VALUE_BYTES && b->len <= VALUE_BYTES)
        return 0;
    while (same < a->len && same < b->len && a->data[same] == b->data[same])
        same++;
    size_t from = same > CONTEXT_BYTES ? same - CONTEXT_BYTES : 0;
    while (from && ((unsigned char)a->data[from] & 0xc0) == 0x80)
        from--;
    return from;
}

/* "'old' -> 'new'"; a field that only one has is "none" in the other, a variable "not set". */
static void add_values(deja_buffer *b, const difference *d)
{
    DEJA_AUTO_BUFFER deja_buffer old = {0};
    DEJA_AUTO_BUFFER deja_buffer now = {0};
    int has_old = d->in_old && d->old_field.tag != DEJA_FIELD_ENV_ABSENT;
    int has_new = d->in_new && d->new_field.tag != DEJA_FIELD_ENV_ABSENT;
    if (has_old)
        fields_text(&old, &d->old_field);
    if (has_new)
        fields_text(&now, &d->new_field);
    size_t from = has_old && has_new ? shown_from(&old, &now) : 0;
    const char *none = is_variable(d->in_new ? d->new_field.tag : d->old_field.tag) ? "not set" : "none";
    if (has_old)
        add_part(b, deja_buffer_string(&old), old.len, from);
    else
        deja_buffer_add_string(b, none);
    deja_buffer_add_string(b, " -> ");
    if (has_new)
        add_part(b, deja_buffer_string(&now), now.len, from);
    else
        deja_buffer_add_string(b, none);
    b->failed |= old.failed | now.failed;
}

static int is_absent(const deja_field *field)
{
    deja_content content;
    return deja_field_content(field, &content) < 0 || content.kind == DEJA_CONTENT_ABSENT;
}

/* What became of a file: "changed", "is new". */
static const char *fate_of_file(const difference *d)
{
    if (!d->in_old)
        return "is new";
    if (!d->in_new)
        return "is gone";
    int same = d->old_field.value_len == d->new_field.value_len &&
               !memcmp(d->old_field.value, d->new_field.value, (size_t)d->new_field.value_len);
    if (same)
        return d->new_executable ? "may be executed now" : "may not be executed any more";
    if (is_absent(&d->old_field))
        return "was found";
    return is_absent(&d->new_field) ? "is not found any more" : "changed";
}

static void add_hidden(deja_buffer *b, const difference *d, const deja_field *field)
{
    if (field->tag == DEJA_FIELD_NEED) {
        deja_buffer_add_string(b, d->in_old && d->in_new ? "what '" : "needed job '");
        deja_text_escape(b, field->name, field->name_len);
        deja_buffer_add_string(b, !d->in_old ? "' is new" : !d->in_new ? "' is gone" : "' left changed");
        return;
    }
    deja_buffer_add_string(b, noun_of(field->tag));
    if (field->name_len) {
        deja_buffer_add_char(b, ' ');
        add_quoted(b, field->name, field->name_len);
    }
    deja_buffer_add_char(b, ' ');
    if (is_file(field->tag))
        deja_buffer_add_string(b, fate_of_file(d));
    else
        deja_buffer_add_string(b, "changed (its value is secret)");
}

static void add_output(deja_buffer *b, const difference *d, const deja_field *field)
{
    if (field->name_len || (d->in_old && d->in_new)) {
        deja_buffer_add_string(b, "output ");
        if (field->name_len) {
            add_quoted(b, field->name, field->name_len);
            deja_buffer_add_string(b, ": ");
        }
        add_values(b, d);
        return;
    }
    deja_buffer_add_string(b, "output ");
    add_quoted(b, (const char *)field->value, (size_t)field->value_len);
    deja_buffer_add_string(b, d->in_new ? " is new" : " is gone");
}

void difference_text(deja_buffer *b, const difference *d)
{
    const deja_field *field = d->in_new ? &d->new_field : &d->old_field;
    if (is_hidden(d)) {
        add_hidden(b, d, field);
    } else if (field->tag == DEJA_FIELD_OUTPUT) {
        add_output(b, d, field);
    } else if (field->tag == DEJA_FIELD_ENV_CLEAN) {
        deja_buffer_add_string(b, d->in_new ? "the environment is a clean one now"
                                            : "the environment is not a clean one any more");
    } else {
        if (field->tag == DEJA_FIELD_WORD)
            deja_buffer_addf(b, "word %u of the command: ", d->position);
        else if (field->name_len || field->tag == DEJA_FIELD_ARGUMENT) {
            deja_buffer_addf(b, "%s ", noun_of(field->tag));
            add_quoted(b, field->name, field->name_len);
            deja_buffer_add_string(b, ": ");
        } else {
            deja_buffer_addf(b, "%s: ", noun_of(field->tag));
        }
        add_values(b, d);
    }
}

static void add_value_json(deja_buffer *b, const char *key, const deja_field *field)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    if (field->tag == DEJA_FIELD_ENV_ABSENT) {
        json_null(b, key);
        return;
    }
    fields_text(&text, field);
    json_bytes(b, key, deja_buffer_string(&text), text.len);
    b->failed |= text.failed;
}

void difference_json(deja_buffer *b, const difference *d)
{
    const deja_field *field = d->in_new ? &d->new_field : &d->old_field;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    difference_text(&text, d);
    json_open(b, NULL, '{');
    json_word(b, "what", is_variable(field->tag) ? "env" : fields_tag(field->tag));
    if (field->name_len)
        json_bytes(b, "name", field->name, field->name_len);
    if (field->tag == DEJA_FIELD_WORD)
        json_int(b, "position", d->position);
    json_word(b, "change", !d->in_old ? "added" : !d->in_new ? "gone" : "changed");
    if (d->in_old && !is_secret(d))
        add_value_json(b, "old", &d->old_field);
    if (d->in_new && !is_secret(d))
        add_value_json(b, "new", &d->new_field);
    json_string(b, "text", deja_buffer_string(&text));
    json_close(b, '}');
    b->failed |= text.failed;
}
