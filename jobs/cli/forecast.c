/* What a dry run says, see forecast.h. */
#include "forecast.h"
#include "fields.h"
#include "json.h"
#include <deja/text.h>
#include <inttypes.h>
#include <string.h>

static int is_asked(const forecast *f, const flow_event *e)
{
    return !f->asked || (e->def->expanded && selection_has(f->asked, e->def, e->index));
}

static void estimate(forecast *f, const flow_event *e)
{
    int64_t wall, chain;
    if (!f->estimates &&
        (!f->plan || estimates_open(&f->estimates, f->why.history, f->batch, f->plan, NULL) < 0))
        return;
    if (history_estimate(f->why.history, e->def, e->index, &wall) == HISTORY_UNKNOWN) {
        f->unknown++;
        return;
    }
    f->known++;
    f->sum_ns += wall;
    chain = wall + estimates_after_ns(f->estimates, e->def->number);
    f->longest_ns = chain > f->longest_ns ? chain : f->longest_ns;
}

/* It can neither run nor be answered. */
static void tell_failed(forecast *f, const flow_event *e)
{
    deja_buffer *b = &f->text;
    const char *reason = e->reason ? e->reason : "";
    if (f->form == FORECAST_JSON) {
        json_open(b, NULL, '{');
        json_string(b, "job", e->def->name);
        fields_params(b, "params", e->def, e->index);
        json_word(b, "would", e->kind == FLOW_FAILED ? "fail" : "skip");
        json_string(b, "text", reason);
        deja_buffer_add_string(b, "}\n");
        return;
    }
    deja_text_escape(b, e->name, strlen(e->name));
    deja_buffer_add_string(b, e->kind == FLOW_FAILED ? " would fail: " : " would not run: ");
    deja_text_escape(b, reason, strlen(reason));
    deja_buffer_add_char(b, '\n');
}

static void tell(forecast *f, const flow_event *e)
{
    if (f->answer.kind == WHY_UNCACHED && e->def->feed)
        return; /* nobody asked for it to be remembered */
    if (f->form == FORECAST_LINE)
        why_short(&f->text, &f->answer);
    else if (f->form == FORECAST_JSON)
        why_json(&f->text, &f->answer, e);
    else
        why_paragraph(&f->text, &f->answer, e);
}

const char *forecast_take(forecast *f, const flow_event *e)
{
    const int would = e->kind == FLOW_WOULD_RUN || e->kind == FLOW_WOULD_HIT;
    deja_buffer_clear(&f->text);
    if (!is_asked(f, e))
        return e->reason;
    if (e->kind == FLOW_WOULD_RUN)
        estimate(f, e);
    if (would) {
        why_find(&f->answer, &f->why, e);
        tell(f, e);
    } else if (f->form != FORECAST_LINE) {
        tell_failed(f, e);
    }
    return would && f->form == FORECAST_LINE && f->text.len ? f->text.data : e->reason;
}

int forecast_time(const forecast *f, unsigned slots, int64_t *ret_ns)
{
    int64_t share = f->sum_ns / (slots ? slots : 1);
    if (!f->known)
        return 0;
    *ret_ns = share > f->longest_ns ? share : f->longest_ns;
    return 1;
}

void forecast_summary(const forecast *f, unsigned slots, deja_buffer *b)
{
    char time[32];
    int64_t ns;
    if (!forecast_time(f, slots, &ns))
        return;
    deja_text_duration(ns, time);
    deja_buffer_addf(b, "; about %s, %u at a time", time, slots);
    if (f->unknown)
        deja_buffer_addf(b, " (%" PRIu64 " unknown)", f->unknown);
}

void forecast_done(forecast *f)
{
    estimates_close(f->estimates);
    why_done(&f->answer);
    deja_buffer_done(&f->text);
    *f = (forecast){0};
}
