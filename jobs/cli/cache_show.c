/* What `deja cache` shows, see cache_show.h. */
#include "cache_show.h"
#include "fields.h"
#include "json.h"
#include "stamp.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <inttypes.h>
#include <string.h>

enum { SHORT_KEY = 12 }; /* digits of a key in a listing: enough to name one of millions */

void cache_show_stats(deja_buffer *b, const char *folder, const deja_cache_numbers *n, int json)
{
    char rows[32], blobs[32], saved[32];
    if (json) {
        json_open(b, NULL, '{');
        json_string(b, "folder", folder);
        json_int(b, "results", (int64_t)n->entries);
        json_int(b, "row_bytes", (int64_t)n->row_bytes);
        json_int(b, "blobs", (int64_t)n->blobs);
        json_int(b, "blob_bytes", (int64_t)n->blob_bytes);
        json_seconds(b, "wall_s", n->saved_ns_per_hit);
        deja_buffer_add_string(b, "}\n");
        return;
    }
    deja_text_bytes(n->row_bytes, rows);
    deja_text_bytes(n->blob_bytes, blobs);
    deja_text_duration(n->saved_ns_per_hit, saved);
    deja_buffer_add_string(b, "folder   ");
    deja_text_escape(b, folder, strlen(folder));
    deja_buffer_addf(b,
                     "\nresults  %" PRIu64 "\nrows     %s\nblobs    %s in %" PRIu64
                     " %s\nwork     %s to run all of it again\n",
                     n->entries, rows, blobs, n->blobs, n->blobs == 1 ? "file" : "files", saved);
}

void cache_show_line(deja_buffer *b, const deja_listed *e, int json)
{
    char hex[DEJA_HASH_HEX], size[32], wall[32];
    if (json) {
        json_open(b, NULL, '{');
        json_hash(b, "key", &e->key);
        json_string(b, "label", e->label);
        json_time(b, "created", e->created_ns);
        json_seconds(b, "wall_s", e->wall_ns);
        json_int(b, "status", e->exit_status);
        json_int(b, "bytes", (int64_t)e->bytes);
        deja_buffer_add_string(b, "}\n");
        return;
    }
    deja_hash_hex(&e->key, hex);
    deja_text_bytes(e->bytes, size);
    deja_text_duration(e->wall_ns, wall);
    deja_buffer_addf(b, "%.*s  ", SHORT_KEY, hex);
    stamp_add(b, e->created_ns);
    deja_buffer_addf(b, "  %9s  %9s  ", wall, size);
    deja_text_escape(b, e->label, strlen(e->label));
    deja_buffer_add_char(b, '\n');
}

static const char *kind_word(uint8_t kind)
{
    static const char *const words[] = {"absent", "file", "link", "folder"};
    return kind < 4 ? words[kind] : "unknown";
}

static const char *where_word(uint8_t where)
{
    static const char *const words[] = {"row", "blob", "record"};
    return where < 3 ? words[where] : "unknown";
}

static void add_stream(deja_buffer *b, const char *name, const deja_stored *s)
{
    char size[32];
    deja_text_bytes(s->content.size, size);
    deja_buffer_addf(b, "%s   %s\n", name, size);
}

static void add_outputs(deja_buffer *b, const deja_entry *e)
{
    for (size_t i = 0; i < e->output_count; i++) {
        const deja_output *o = &e->outputs[i];
        char size[32], hex[DEJA_HASH_HEX];
        deja_text_bytes(o->stored.content.size, size);
        deja_hash_hex(&o->stored.content.hash, hex);
        deja_buffer_add_string(b, "output   ");
        deja_text_escape(b, o->path, strlen(o->path));
        deja_buffer_addf(b, " (%s, mode %03o, %s, %s)\n", kind_word(o->stored.content.kind), o->mode, size,
                         hex);
    }
}

static void show_text(deja_buffer *b, const deja_entry *e)
{
    char hex[DEJA_HASH_HEX], wall[32], cpu[32], rss[32];
    deja_hash_hex(&e->key, hex);
    deja_text_duration(e->wall_ns, wall);
    deja_text_duration(e->cpu_ns, cpu);
    deja_text_bytes(e->peak_rss_bytes, rss);
    deja_buffer_addf(b, "key      %s\njob      ", hex);
    deja_text_escape(b, e->label, strlen(e->label));
    deja_buffer_add_string(b, "\ncreated  ");
    stamp_add(b, e->created_ns);
    deja_buffer_addf(b, "\nstatus   %d\ntook     %s, cpu %s", e->exit_status, wall, cpu);
    if (e->peak_rss_bytes) /* 0: unknown */
        deja_buffer_addf(b, ", memory %s", rss);
    deja_buffer_add_char(b, '\n');
    add_stream(b, "stdout", &e->out);
    add_stream(b, "stderr", &e->err);
    if (e->has_value)
        add_stream(b, "value ", &e->value);
    add_outputs(b, e);
    deja_buffer_add_string(b, "made of\n");
    fields_lines(b, e->encoding, e->encoding_len);
}

static void show_json(deja_buffer *b, const deja_entry *e)
{
    json_open(b, NULL, '{');
    json_hash(b, "key", &e->key);
    json_string(b, "label", e->label);
    json_time(b, "created", e->created_ns);
    json_int(b, "status", e->exit_status);
    json_seconds(b, "wall_s", e->wall_ns);
    json_seconds(b, "cpu_s", e->cpu_ns);
    json_int(b, "peak_rss_bytes", (int64_t)e->peak_rss_bytes);
    json_int(b, "stdout_bytes", (int64_t)e->out.content.size);
    json_int(b, "stderr_bytes", (int64_t)e->err.content.size);
    if (e->has_value)
        json_int(b, "value_bytes", (int64_t)e->value.content.size);
    json_open(b, "outputs", '[');
    for (size_t i = 0; i < e->output_count; i++) {
        const deja_output *o = &e->outputs[i];
        json_open(b, NULL, '{');
        if (*o->name)
            json_string(b, "name", o->name);
        json_string(b, "path", o->path);
        json_word(b, "kind", kind_word(o->stored.content.kind));
        json_word(b, "where", where_word(o->stored.where));
        json_int(b, "mode", o->mode);
        json_int(b, "bytes", (int64_t)o->stored.content.size);
        json_hash(b, "hash", &o->stored.content.hash);
        json_close(b, '}');
    }
    json_close(b, ']');
    fields_json(b, "fields", e->encoding, e->encoding_len);
    deja_buffer_add_string(b, "}\n");
}

void cache_show_entry(deja_buffer *b, const deja_entry *e, int json)
{
    (json ? show_json : show_text)(b, e);
}
