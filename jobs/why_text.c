/* Why a job would run, in words, see why.h. */
#include "fields.h"
#include "json.h"
#include "stamp.h"
#include "why.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <inttypes.h>
#include <string.h>

enum { CHANGES_SHOWN = 20 }; /* of the rest only the number is told */

static const char *kind_word(why_kind kind)
{
    static const char *const words[] = {
        [WHY_ANSWERED] = "answered", [WHY_DEPENDS] = "depends",    [WHY_UNCACHED] = "uncached",
        [WHY_ALWAYS] = "always",     [WHY_NO_KEY] = "no-key",      [WHY_NEVER] = "never-ran",
        [WHY_NEAREST] = "never-ran", [WHY_CHANGED] = "changed",    [WHY_MANY] = "changed",
        [WHY_FAILED] = "failed",     [WHY_NOT_KEPT] = "not-kept",  [WHY_FORGOTTEN] = "forgotten",
        [WHY_UNUSABLE] = "unusable", [WHY_DISCOVERED] = "changed",
    };
    return words[kind];
}

static void add_escaped(deja_buffer *b, const char *text)
{
    deja_text_escape(b, text, strlen(text));
}

/* "exit status 3", "signal 11" */
static void add_end(deja_buffer *b, const history_record *r)
{
    if (r->signal > 0)
        deja_buffer_addf(b, "signal %d", r->signal);
    else if (r->exit_status == 0 && !(r->item.flags & HISTORY_KEYED))
        deja_buffer_add_string(b, "skipped"); /* a success of its process has a key */
    else if (r->exit_status >= 0)
        deja_buffer_addf(b, "exit status %d", r->exit_status);
    else
        deja_buffer_add_string(b, "not started");
}

static void add_moment(deja_buffer *b, const history_record *r)
{
    stamp_add(b, r->item.started_ns);
    deja_buffer_add_string(b, " (run ");
    add_escaped(b, r->run);
    deja_buffer_add_char(b, ')');
}

/* What can be said in words that stand alone. 0: it is about changes or an earlier run. */
static const char *plain_words(const why *w)
{
    switch (w->kind) {
    case WHY_DEPENDS:
    case WHY_ALWAYS:
        return w->text;
    case WHY_UNCACHED:
        return "cache: false";
    case WHY_NO_KEY:
        return "what it needs is not known";
    case WHY_NEVER:
    case WHY_NEAREST:
        return "never ran";
    case WHY_MANY:
        return "what it is made of changed";
    case WHY_FORGOTTEN:
        return "nothing changed, but its result is not in the cache any more";
    case WHY_UNUSABLE:
        return "nothing changed, but its result in the cache cannot be used";
    default:
        return NULL;
    }
}

/* "input 'x.h' changed" */
static void add_stale(deja_buffer *b, const char *name)
{
    deja_buffer_add_string(b, "input '");
    add_escaped(b, name);
    deja_buffer_add_string(b, "' changed");
}

void why_short(deja_buffer *b, const why *w)
{
    const char *words = plain_words(w);
    if (words) {
        add_escaped(b, words);
    } else if (w->kind == WHY_FAILED) {
        deja_buffer_add_string(b, "failed last time: ");
        add_end(b, &w->before);
    } else if (w->kind == WHY_NOT_KEPT) {
        deja_buffer_add_string(b, "its last result was not kept");
    } else if (w->kind == WHY_DISCOVERED) {
        add_stale(b, deja_buffer_string(&w->stale));
        if (w->stale_count > 1)
            deja_buffer_addf(b, ", and %zu more", w->stale_count - 1);
    } else if (w->kind == WHY_CHANGED && w->differences.count) {
        difference_text(b, &w->differences.list[0]);
        if (w->differences.count > 1)
            deja_buffer_addf(b, ", and %zu more", w->differences.count - 1);
    }
}

static void add_changes(deja_buffer *b, const differences *d)
{
    for (size_t i = 0; i < d->count && i < CHANGES_SHOWN; i++) {
        deja_buffer_add_string(b, "  ");
        difference_text(b, &d->list[i]);
        deja_buffer_add_char(b, '\n');
    }
    if (d->count > CHANGES_SHOWN)
        deja_buffer_addf(b, "  and %zu more\n", d->count - CHANGES_SHOWN);
}

static void add_all_stale(deja_buffer *b, const why *w)
{
    for (size_t at = 0; at < w->stale.len; at += strlen(w->stale.data + at) + 1) {
        deja_buffer_add_string(b, "  ");
        add_stale(b, w->stale.data + at);
        deja_buffer_add_char(b, '\n');
    }
    if (w->stale_count > WHY_STALE_NAMED)
        deja_buffer_addf(b, "  and %zu more\n", w->stale_count - WHY_STALE_NAMED);
}

static void add_instance(deja_buffer *b, const history_record *r)
{
    add_escaped(b, r->job);
    for (size_t i = 0; i < r->param_count; i++) {
        deja_buffer_addf(b, "%s", i ? "," : "[");
        add_escaped(b, r->params[i].name);
        deja_buffer_add_char(b, '=');
        add_escaped(b, r->params[i].value);
    }
    if (r->param_count)
        deja_buffer_add_char(b, ']');
}

static void add_answered(deja_buffer *b, const flow_event *e)
{
    char wall[32];
    deja_text_duration(e->wall_ns, wall);
    deja_buffer_addf(b, " would be answered: nothing changed since its result was kept (it took %s)\n", wall);
}

/* What was said of that run, a line below. */
static void add_reason(deja_buffer *b, const why *w)
{
    if (!*w->before.reason)
        return;
    deja_buffer_add_string(b, "  ");
    add_escaped(b, w->before.reason);
    deja_buffer_add_char(b, '\n');
}

static void add_failed(deja_buffer *b, const why *w)
{
    deja_buffer_add_string(b, "it failed last time, ");
    add_moment(b, &w->before);
    deja_buffer_add_string(b, ": ");
    add_end(b, &w->before);
    deja_buffer_add_string(b, w->before.item.flags & HISTORY_KEYED ? "; nothing changed since\n" : "\n");
    add_reason(b, w);
}

static void add_since(deja_buffer *b, const why *w)
{
    const history_record *r = &w->before;
    if (w->kind == WHY_NEAREST) {
        deja_buffer_add_string(b, "it never ran; nearest is ");
        add_instance(b, r);
        deja_buffer_add_string(b, " of ");
    } else {
        deja_buffer_addf(b, "changed since %s of ",
                         r->item.flags & HISTORY_FAILED ? "the run that failed" : "the run");
    }
    add_moment(b, r);
    deja_buffer_add_string(b, w->kind == WHY_NEAREST ? ", which differs in\n" : "\n");
    add_changes(b, &w->differences);
    add_all_stale(b, w);
}

static void add_kept(deja_buffer *b, const why *w)
{
    deja_buffer_add_string(b, "nothing changed since ");
    add_moment(b, &w->before);
    deja_buffer_add_string(
        b, w->kind == WHY_NOT_KEPT ? ", but that result was not kept\n"
           : w->kind == WHY_UNUSABLE
               ? ", but that result cannot be used: part of it is gone or damaged\n"
               : ", but the cache does not have that result any more: it was evicted, cleared or "
                 "damaged, or another cache is used now\n");
    add_reason(b, w);
}

void why_paragraph(deja_buffer *b, const why *w, const flow_event *e)
{
    add_escaped(b, e->name);
    if (w->kind == WHY_ANSWERED) {
        add_answered(b, e);
        return;
    }
    deja_buffer_add_string(b, " would run: ");
    switch (w->kind) {
    case WHY_FAILED:
        add_failed(b, w);
        break;
    case WHY_CHANGED:
    case WHY_NEAREST:
    case WHY_DISCOVERED:
        add_since(b, w);
        break;
    case WHY_NOT_KEPT:
    case WHY_FORGOTTEN:
    case WHY_UNUSABLE:
        add_kept(b, w);
        break;
    case WHY_UNCACHED:
        deja_buffer_add_string(b, "it runs every time (cache: false)\n");
        break;
    case WHY_NEVER:
        deja_buffer_add_string(b, "it never ran\n");
        break;
    case WHY_MANY:
        deja_buffer_add_string(b, "changed since the run of ");
        add_moment(b, &w->before);
        deja_buffer_add_string(b, "; it is made of too much to say what\n");
        break;
    default:
        add_escaped(b, plain_words(w));
        deja_buffer_add_char(b, '\n');
        break;
    }
}

static void add_before(deja_buffer *b, const history_record *r, const char *key)
{
    DEJA_AUTO_BUFFER deja_buffer moment = {0};
    json_open(b, key, '{');
    json_string(b, "run", r->run);
    stamp_add(&moment, r->item.started_ns);
    json_word(b, "start", deja_buffer_string(&moment));
    json_seconds(b, "wall_s", r->item.wall_ns);
    if (r->item.flags & HISTORY_KEYED)
        json_hash(b, "key", &r->key);
    if (r->exit_status >= 0)
        json_int(b, "status", r->exit_status);
    else
        json_null(b, "status");
    if (r->signal > 0)
        json_int(b, "signal", r->signal);
    if (*r->reason)
        json_string(b, "reason", r->reason);
    json_open(b, "params", '{');
    for (size_t i = 0; i < r->param_count; i++) {
        json_name(b, r->params[i].name, strlen(r->params[i].name));
        json_string(b, NULL, r->params[i].value);
    }
    json_close(b, '}');
    json_close(b, '}');
}

/* As difference_json has files that changed. */
static void add_stale_json(deja_buffer *b, const why *w)
{
    json_open(b, "changes", '[');
    for (size_t at = 0; at < w->stale.len; at += strlen(w->stale.data + at) + 1) {
        DEJA_AUTO_BUFFER deja_buffer text = {0};
        add_stale(&text, w->stale.data + at);
        json_open(b, NULL, '{');
        json_word(b, "what", "input");
        json_string(b, "name", w->stale.data + at);
        json_word(b, "change", "changed");
        json_string(b, "text", deja_buffer_string(&text));
        json_close(b, '}');
        b->failed |= text.failed;
    }
    json_close(b, ']');
}

void why_json(deja_buffer *b, const why *w, const flow_event *e)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    json_open(b, NULL, '{');
    json_string(b, "job", e->def->name);
    fields_params(b, "params", e->def, e->index);
    json_word(b, "would", w->kind == WHY_ANSWERED ? "hit" : "run");
    json_word(b, "why", kind_word(w->kind));
    if (e->keyed)
        json_hash(b, "key", &e->key);
    why_short(&text, w);
    if (text.len)
        json_string(b, "text", deja_buffer_string(&text));
    if (w->kind >= WHY_NEAREST)
        add_before(b, &w->before, w->kind == WHY_NEAREST ? "nearest" : "before");
    if (w->kind == WHY_CHANGED || w->kind == WHY_NEAREST) {
        json_open(b, "changes", '[');
        for (size_t i = 0; i < w->differences.count; i++)
            difference_json(b, &w->differences.list[i]);
        json_close(b, ']');
    }
    if (w->kind == WHY_DISCOVERED)
        add_stale_json(b, w);
    json_close(b, '}');
    deja_buffer_add_char(b, '\n');
    b->failed |= text.failed;
}
