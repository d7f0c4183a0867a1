/* How far a run is, see progress.h. */
#include "progress.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/text.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_DRAW_MS = 200, /* a run that is over sooner shows no line */
    DRAW_MS = 100,
    PLAIN_MS = 10000,
    PART_BYTES = 160,
    NAME_COLUMNS = 12, /* a name is shown when at least so much of it fits */
};

#define RED   "\033[31m"
#define PLAIN "\033[0m"

/* A line that grows by whole parts while they fit. */
typedef struct line {
    deja_buffer *b;
    size_t columns, most; /* most 0: no limit */
    int full;
} line;

static void add_part(line *l, const char *color, const char *text)
{
    size_t columns = deja_text_columns(text, strlen(text));
    if (l->most && l->columns + columns > l->most)
        l->full = 1;
    if (l->full)
        return;
    if (color)
        deja_buffer_add_string(l->b, color);
    deja_buffer_add_string(l->b, text);
    if (color)
        deja_buffer_add_string(l->b, PLAIN);
    l->columns += columns;
}

/* Bytes of `text` that take at most `columns` columns, whole characters. */
static size_t cut(const char *text, size_t columns)
{
    size_t len = strlen(text), at = 0;
    while (at < len) {
        size_t n = deja_text_utf8(text + at, len - at);
        n = n ? n : 1;
        if (deja_text_columns(text, at + n) > columns)
            break;
        at += n;
    }
    return at;
}

static void add_name(line *l, const char *name)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    DEJA_AUTO_BUFFER deja_buffer part = {0};
    deja_text_escape(&text, name, strlen(name));
    const char *shown = deja_buffer_string(&text);
    size_t room = l->most ? l->most - l->columns : SIZE_MAX;
    if (l->full || room < NAME_COLUMNS + 2)
        return;
    size_t len = cut(shown, room - 2);
    deja_buffer_add_string(&part, ", ");
    deja_buffer_add(&part, shown, len);
    add_part(l, NULL, deja_buffer_string(&part));
}

static void add_rate(line *l, const progress_line *p)
{
    char text[PART_BYTES];
    const flow_totals *t = p->totals;
    double seconds = (double)p->elapsed_ns / (double)DEJA_S_NS;
    if (seconds <= 0 || t->done == 0)
        return;
    double rate = (double)t->done / seconds;
    snprintf(text, sizeof text, rate < 10 ? ", %.1f/s" : ", %.0f/s", rate);
    add_part(l, NULL, text);
    int64_t eta = p->left_ns >= 0 ? p->left_ns : progress_eta(t, p->slots);
    if (eta < 0)
        return;
    char duration[32];
    deja_text_duration(eta, duration);
    snprintf(text, sizeof text, ", ETA %s", duration);
    add_part(l, NULL, text);
}

int64_t progress_eta(const flow_totals *t, unsigned slots)
{
    if (!t->ran || t->unexpanded || t->total <= t->done)
        return -1;
    double mean = (double)t->ran_ns / (double)t->ran;
    uint64_t left = t->total - t->done;
    double lanes = left < slots ? (double)left : (double)slots;
    return (int64_t)(mean * (double)left / (lanes > 0 ? lanes : 1));
}

void progress_format(deja_buffer *b, const progress_line *p)
{
    char text[PART_BYTES];
    line l = {.b = b, .most = p->columns};
    const flow_totals *t = p->totals;
    snprintf(text, sizeof text, "%" PRIu64 "/%" PRIu64 "%s", t->done, t->total, t->unexpanded ? "+" : "");
    add_part(&l, NULL, text);
    snprintf(text, sizeof text, ", %" PRIu64 " %s", t->hits, t->hits == 1 ? "hit" : "hits");
    add_part(&l, NULL, text);
    snprintf(text, sizeof text, ", %" PRIu64 " running", t->running);
    add_part(&l, NULL, text);
    snprintf(text, sizeof text, ", %" PRIu64 " failed", t->failed);
    add_part(&l, p->color && t->failed ? RED : NULL, text);
    if (p->ending) {
        add_part(&l, NULL, ", ending (Ctrl-C kills at once)");
        return;
    }
    add_rate(&l, p);
    if (p->longest)
        add_name(&l, p->longest);
}

/* A terminal that understands the two sequences of the status line. */
static int is_able(void)
{
    const char *term = getenv("TERM");
    return term && *term && strcmp(term, "dumb") != 0;
}

void progress_begin(progress *p, outbox *box, unsigned slots, int64_t now_ns)
{
    const char *no_color = getenv("NO_COLOR");
    *p = (progress){.box = box, .slots = slots, .start_ns = now_ns, .left_ns = -1};
    p->terminal = outbox_terminal(box) && is_able();
    p->color = p->terminal && !(no_color && *no_color);
    p->next_ns = now_ns + (p->terminal ? FIRST_DRAW_MS : PLAIN_MS) * DEJA_MS_NS;
    if (p->terminal)
        p->columns = outbox_columns(p->box);
}

void progress_resize(progress *p)
{
    if (!p->terminal)
        return;
    p->columns = outbox_columns(p->box);
    if (p->drawn)
        p->next_ns = 0;
}

/* In the background it would be drawn over what the user types. */
static void draw(progress *p, progress_line *l, const char *longest)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    if (!outbox_foreground(p->box))
        return;
    l->longest = longest;
    l->color = p->color;
    l->ending = p->ending;
    l->columns = p->columns > 1 ? p->columns - 1 : 1; /* in the last one some terminals go to the next line */
    progress_format(&b, l);
    outbox_status(p->box, b.failed ? NULL : deja_buffer_string(&b));
    p->drawn = 1;
}

static void say_plain(progress *p, const progress_line *l)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_buffer_add_string(&b, "deja: ");
    progress_format(&b, l);
    deja_buffer_add_char(&b, '\n');
    if (!b.failed)
        outbox_line(p->box, b.data, b.len);
}

void progress_ending(progress *p)
{
    p->ending = 1;
    if (p->drawn)
        p->next_ns = 0;
}

void progress_tick(progress *p, const flow_totals *t, const char *longest, int64_t now_ns)
{
    if (now_ns < p->next_ns)
        return;
    progress_line l = {
        .totals = t, .slots = p->slots, .elapsed_ns = now_ns - p->start_ns, .left_ns = p->left_ns};
    if (p->terminal)
        draw(p, &l, longest);
    else
        say_plain(p, &l);
    p->next_ns = now_ns + (p->terminal ? DRAW_MS : PLAIN_MS) * DEJA_MS_NS;
}

int progress_wait_ms(const progress *p, int64_t now_ns)
{
    int64_t left = (p->next_ns - now_ns + DEJA_MS_NS - 1) / DEJA_MS_NS;
    return left < 0 ? 0 : left > PLAIN_MS ? PLAIN_MS : (int)left;
}

void progress_hide(progress *p)
{
    if (p->drawn)
        outbox_clear_status(p->box);
    p->drawn = 0;
}

static void add_count(deja_buffer *b, uint64_t n, const char *one, const char *many)
{
    deja_buffer_addf(b, "%" PRIu64 " %s", n, n == 1 ? one : many);
}

void progress_summary(deja_buffer *b, const flow_totals *t, int64_t elapsed_ns, int dry)
{
    char text[32];
    add_count(b, t->total, "job: ", "jobs: ");
    if (dry) {
        deja_buffer_addf(b, "%" PRIu64 " would run, %" PRIu64 " would be answered", t->ran, t->hits);
    } else {
        add_count(b, t->hits, "hit", "hits");
        deja_buffer_addf(b, ", %" PRIu64 " ran", t->ran);
        if (t->adopted)
            deja_buffer_addf(b, " (%" PRIu64 " adopted)", t->adopted);
    }
    if (!dry || t->failed)
        deja_buffer_addf(b, ", %" PRIu64 " failed", t->failed);
    if (t->allowed)
        deja_buffer_addf(b, " (%" PRIu64 " allowed)", t->allowed);
    if (t->skipped)
        deja_buffer_addf(b, ", %" PRIu64 " skipped", t->skipped);
    if (t->not_kept)
        deja_buffer_addf(b, ", %" PRIu64 " not kept", t->not_kept);
    if (t->done < t->total)
        deja_buffer_addf(b, ", %" PRIu64 " not started", t->total - t->done);
    deja_text_duration(elapsed_ns, text);
    deja_buffer_addf(b, " in %s", text);
    if (t->saved_ns > 0 && t->hits && !dry) {
        deja_text_duration(t->saved_ns, text);
        deja_buffer_addf(b, ", saved %s", text);
    }
}
