/* The fields of a key for people, see fields.h. */
#include "fields.h"
#include "argument.h"
#include "feed.h"
#include "json.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <stdio.h>
#include <string.h>

const char *fields_tag(deja_field_tag tag)
{
    switch (tag) {
    case DEJA_FIELD_KIND:
        return "kind";
    case DEJA_FIELD_SCOPE:
        return "scope";
    case DEJA_FIELD_VERSION:
        return "version";
    case DEJA_FIELD_WORD:
        return "word";
    case DEJA_FIELD_TEXT:
        return "text";
    case DEJA_FIELD_SHELL:
        return "shell";
    case DEJA_FIELD_FOLDER:
        return "folder";
    case DEJA_FIELD_ENV:
        return "env";
    case DEJA_FIELD_ENV_ABSENT:
        return "env-absent";
    case DEJA_FIELD_ENV_SECRET:
        return "env-secret";
    case DEJA_FIELD_ENV_CLEAN:
        return "env-clean";
    case DEJA_FIELD_PROGRAM:
        return "program";
    case DEJA_FIELD_INPUT:
        return "input";
    case DEJA_FIELD_STDIN:
        return "stdin";
    case DEJA_FIELD_OUTPUT:
        return "output";
    case DEJA_FIELD_NEED:
        return "need";
    case DEJA_FIELD_EXECUTABLE:
        return "executable";
    case DEJA_FIELD_FUNCTION:
        return "function";
    case DEJA_FIELD_ARGUMENT:
        return "argument";
    case DEJA_FIELD_BUILD:
        return "build";
    case DEJA_FIELD_LIBRARY:
        return "library";
    }
    return "unknown";
}

/* Hash of a content as text: "HASH" for a file, "link HASH", "folder"; NULL for what is absent. */
static const char *content_text(const deja_field *field, char text[8 + DEJA_HASH_HEX])
{
    deja_content content;
    char hex[DEJA_HASH_HEX];
    if (!field->value_len || deja_field_content(field, &content) || content.kind == DEJA_CONTENT_ABSENT)
        return NULL;
    if (content.kind == DEJA_CONTENT_FOLDER)
        return "folder";
    deja_hash_hex(&content.hash, hex);
    snprintf(text, 8 + DEJA_HASH_HEX, "%s%s", content.kind == DEJA_CONTENT_LINK ? "link " : "", hex);
    return text;
}

/* The value of a field that is a hash as text; NULL for what is absent. 0 when the value is no hash. */
static int hash_text(const deja_field *field, char text[8 + DEJA_HASH_HEX], const char **ret)
{
    switch (field->tag) {
    case DEJA_FIELD_PROGRAM:
    case DEJA_FIELD_INPUT:
    case DEJA_FIELD_STDIN:
    case DEJA_FIELD_LIBRARY:
        *ret = content_text(field, text);
        return 1;
    case DEJA_FIELD_ENV_SECRET:
    case DEJA_FIELD_NEED:
        *ret = NULL;
        if (field->value_len == sizeof(deja_hash)) {
            deja_hash_hex((const deja_hash *)field->value, text);
            *ret = text;
        }
        return 1;
    default:
        return 0;
    }
}

/* The text of a field that people cannot read as it is. 0 when it is none. */
static int coded_text(deja_buffer *b, const deja_field *field)
{
    if (field->tag == DEJA_FIELD_ARGUMENT)
        argument_text(b, field->value, (size_t)field->value_len);
    else if (field->tag == DEJA_FIELD_BUILD)
        for (uint64_t i = 0; i < field->value_len; i++)
            deja_buffer_addf(b, "%02x", field->value[i]);
    else
        return 0;
    return 1;
}

static void add_field(deja_buffer *b, const deja_field *field)
{
    DEJA_AUTO_BUFFER deja_buffer coded = {0};
    char text[8 + DEJA_HASH_HEX];
    const char *word;
    json_open(b, NULL, '[');
    json_word(b, NULL, fields_tag(field->tag));
    json_bytes(b, NULL, field->name, field->name_len);
    if (coded_text(&coded, field))
        json_bytes(b, NULL, deja_buffer_string(&coded), coded.len);
    else if (!hash_text(field, text, &word))
        json_bytes(b, NULL, field->value, field->value_len);
    else if (word)
        json_word(b, NULL, word);
    else
        json_null(b, NULL);
    json_close(b, ']');
    b->failed |= coded.failed;
}

void fields_text(deja_buffer *b, const deja_field *field)
{
    char text[8 + DEJA_HASH_HEX];
    const char *word;
    if (coded_text(b, field))
        return;
    if (hash_text(field, text, &word))
        deja_buffer_add_string(b, word ? word : "absent");
    else
        deja_buffer_add(b, field->value, field->value_len);
}

void fields_lines(deja_buffer *b, const void *encoding, size_t len)
{
    size_t at = 0;
    deja_field field;
    while (deja_field_next(encoding, len, &at, &field) == 1) {
        DEJA_AUTO_BUFFER deja_buffer value = {0};
        deja_buffer_addf(b, "  %-10s ", fields_tag(field.tag));
        deja_text_escape(b, field.name, field.name_len);
        if (field.name_len && field.tag != DEJA_FIELD_ENV_ABSENT)
            deja_buffer_add_string(b, " = ");
        fields_text(&value, &field);
        deja_text_escape(b, deja_buffer_string(&value), value.len);
        deja_buffer_add_char(b, '\n');
    }
}

void fields_json(deja_buffer *b, const char *key, const void *encoding, size_t len)
{
    size_t at = 0;
    deja_field field;
    json_open(b, key, '[');
    while (deja_field_next(encoding, len, &at, &field) == 1)
        add_field(b, &field);
    json_close(b, ']');
}

static void add_arguments(deja_buffer *b, const feed *f, uint32_t index)
{
    const feed_row *row = feed_get(f, index);
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    for (uint32_t i = 0; row && i < row->count; i++) {
        deja_buffer_clear(&name);
        feed_argument_name(f, i, &name);
        b->failed |= name.failed;
        json_name(b, deja_buffer_string(&name), name.len);
        json_bytes(b, NULL, row->values[i], strlen(row->values[i]));
    }
}

void fields_params(deja_buffer *b, const char *key, const batch_job *def, uint32_t index)
{
    uint32_t indices[BATCH_MOST_AXES];
    json_open(b, key, '{');
    if (def->feed)
        add_arguments(b, def->feed, index);
    else if (def->matrix && def->expanded && def->matrix->count) {
        DEJA_AUTO_BUFFER deja_buffer value = {0};
        matrix_indices(def->matrix, index, indices);
        for (size_t i = 0; i < def->matrix->count; i++) {
            const matrix_axis *axis = &def->matrix->axes[i];
            deja_buffer_clear(&value);
            matrix_value(axis, indices[i], &value);
            b->failed |= value.failed;
            json_name(b, axis->name, strlen(axis->name));
            json_bytes(b, NULL, deja_buffer_string(&value), value.len);
        }
    }
    json_close(b, '}');
}
