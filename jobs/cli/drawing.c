/*
 * Formats differ in how a node and an arrow are written. Node N of a job is "jN", of an instance "jN_I"; what
 * people see are labels. Labels: DOT, attribute escString, has backslashes; Mermaid has entities, #NN;, in
 * quoted texts.
 */
#include "drawing.h"
#include "json.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <inttypes.h>
#include <string.h>

typedef struct drawing {
    deja_buffer *b;
    const batch *batch;
    const plan *plan;
    drawing_format format;
    /* of the arrow being drawn */
    const plan_edge *edge;
    uint32_t reader, index;
} drawing;

/* ---- labels ---- */

static void add_dot_label(deja_buffer *b, const deja_buffer *text)
{
    for (size_t i = 0; i < text->len; i++) {
        if (text->data[i] == '"' || text->data[i] == '\\')
            deja_buffer_add_char(b, '\\');
        deja_buffer_add_char(b, text->data[i]);
    }
}

static void add_mermaid_label(deja_buffer *b, const deja_buffer *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.,=/[]()";
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (c >= 0x80 || strchr(plain, c))
            deja_buffer_add_char(b, (char)c);
        else
            deja_buffer_addf(b, "#%u;", c);
    }
}

static void add_label(const drawing *d, const char *text)
{
    DEJA_AUTO_BUFFER deja_buffer shown = {0};
    deja_text_escape(&shown, text, strlen(text));
    (d->format == DRAWING_DOT ? add_dot_label : add_mermaid_label)(d->b, &shown);
    d->b->failed |= shown.failed;
}

/* The names by which instances are told apart: "text, n". */
static void add_shared(deja_buffer *b, const drawing *d, const plan_edge *edge, uint32_t reader)
{
    const matrix *m = d->batch->jobs[reader].matrix;
    const char *between = "";
    for (size_t i = 0; i < m->count; i++)
        if (matrix_axis_of(d->batch->jobs[edge->to].matrix, m->axes[i].name)) {
            deja_buffer_addf(b, "%s%s", between, m->axes[i].name);
            between = ", ";
        }
}

/* What stands at an arrow between jobs: by which names, or which file. */
static void add_arrow_text(deja_buffer *b, const drawing *d, const plan_edge *edge, uint32_t reader)
{
    if (edge->need && edge->by_instance)
        add_shared(b, d, edge, reader);
    else if (!edge->need && edge->file)
        deja_buffer_add_string(b, edge->file);
}

/* ---- nodes ---- */

static void add_count(const drawing *d, const batch_job *def)
{
    uint32_t count;
    if (!plan_instances(d->plan, def->number, &count))
        deja_buffer_add_string(d->b, d->format == DRAWING_DOT ? "\\n? instances" : "<br>#63; instances");
    else if (def->matrix->count > 0)
        deja_buffer_addf(d->b, "%s%" PRIu32 " instance%s", d->format == DRAWING_DOT ? "\\n" : "<br>",
                         plan_chosen(d->plan, def->number),
                         plan_chosen(d->plan, def->number) == 1 ? "" : "s");
}

static void add_id(const drawing *d, uint32_t number, int64_t index)
{
    if (index < 0)
        deja_buffer_addf(d->b, "j%" PRIu32, number);
    else
        deja_buffer_addf(d->b, "j%" PRIu32 "_%" PRId64, number, index);
}

/* index < 0: the job. */
static void add_node(const drawing *d, const batch_job *def, int64_t index)
{
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    if (index < 0)
        deja_buffer_add_string(&name, def->name);
    else
        job_name(&name, def, (uint32_t)index);
    deja_buffer_add_string(d->b, d->format == DRAWING_DOT ? "  " : "    ");
    add_id(d, def->number, index);
    deja_buffer_add_string(d->b, d->format == DRAWING_DOT ? " [label=\"" : "[\"");
    add_label(d, deja_buffer_string(&name));
    if (index < 0)
        add_count(d, def);
    deja_buffer_add_string(d->b, d->format == DRAWING_DOT ? "\"];\n" : "\"]\n");
    d->b->failed |= name.failed;
}

static void add_parameters(deja_buffer *b, const batch_job *def, uint32_t index)
{
    uint32_t indices[BATCH_MOST_AXES];
    matrix_indices(def->matrix, index, indices);
    json_open(b, "params", '{');
    for (size_t i = 0; i < def->matrix->count; i++) {
        DEJA_AUTO_BUFFER deja_buffer value = {0};
        matrix_value(&def->matrix->axes[i], indices[i], &value);
        json_bytes(b, def->matrix->axes[i].name, value.data, value.len);
        b->failed |= value.failed;
    }
    json_close(b, '}');
}

static void add_json_node(const drawing *d, const batch_job *def, int64_t index)
{
    uint32_t count;
    json_open(d->b, NULL, '{');
    json_word(d->b, "job", def->name);
    if (index >= 0) {
        json_int(d->b, "instance", index);
        add_parameters(d->b, def, (uint32_t)index);
    } else if (plan_instances(d->plan, def->number, &count)) {
        json_int(d->b, "instances", plan_chosen(d->plan, def->number));
    } else {
        json_null(d->b, "instances");
    }
    json_close(d->b, '}');
}

/* ---- arrows ---- */

static void add_dot_arrow(const drawing *d, const plan_edge *edge, uint32_t reader, int64_t index,
                          int64_t maker)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    if (index < 0)
        add_arrow_text(&text, d, edge, reader);
    deja_buffer_add_string(d->b, "  ");
    add_id(d, edge->to, maker);
    deja_buffer_add_string(d->b, " -> ");
    add_id(d, reader, index);
    if (text.len || edge->order_only)
        deja_buffer_add_string(d->b, " [");
    if (text.len) {
        deja_buffer_add_string(d->b, "label=\"");
        add_label(d, deja_buffer_string(&text));
        deja_buffer_add_string(d->b, "\"");
    }
    if (edge->order_only)
        deja_buffer_addf(d->b, "%sstyle=dashed", text.len ? " " : "");
    deja_buffer_add_string(d->b, text.len || edge->order_only ? "];\n" : ";\n");
    d->b->failed |= text.failed;
}

static void add_mermaid_arrow(const drawing *d, const plan_edge *edge, uint32_t reader, int64_t index,
                              int64_t maker)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    if (index < 0)
        add_arrow_text(&text, d, edge, reader);
    deja_buffer_add_string(d->b, "    ");
    add_id(d, edge->to, maker);
    deja_buffer_add_string(d->b, edge->order_only ? " -.->" : " -->");
    if (text.len) {
        deja_buffer_add_string(d->b, "|\"");
        add_label(d, deja_buffer_string(&text));
        deja_buffer_add_string(d->b, "\"|");
    }
    deja_buffer_add_char(d->b, ' ');
    add_id(d, reader, index);
    deja_buffer_add_char(d->b, '\n');
    d->b->failed |= text.failed;
}

static void add_json_end(const drawing *d, const char *key, uint32_t number, int64_t index)
{
    if (index < 0) {
        json_word(d->b, key, d->batch->jobs[number].name);
        return;
    }
    json_open(d->b, key, '{');
    json_word(d->b, "job", d->batch->jobs[number].name);
    json_int(d->b, "instance", index);
    json_close(d->b, '}');
}

static void add_json_arrow(const drawing *d, const plan_edge *edge, uint32_t reader, int64_t index,
                           int64_t maker)
{
    json_open(d->b, NULL, '{');
    add_json_end(d, "from", edge->to, maker);
    add_json_end(d, "to", reader, index);
    if (edge->order_only)
        json_bool(d->b, "order", 1);
    if (index < 0 && edge->by_instance)
        json_bool(d->b, "by_instance", 1);
    if (index < 0 && !edge->need && edge->file)
        json_string(d->b, "file", edge->file);
    json_close(d->b, '}');
}

static void add_arrow(const drawing *d, const plan_edge *edge, uint32_t reader, int64_t index, int64_t maker)
{
    if (d->format == DRAWING_JSON)
        add_json_arrow(d, edge, reader, index, maker);
    else
        (d->format == DRAWING_DOT ? add_dot_arrow : add_mermaid_arrow)(d, edge, reader, index, maker);
}

static void add_maker(void *context, uint32_t maker)
{
    const drawing *d = context;
    if (plan_has(d->plan, d->edge->to, maker))
        add_arrow(d, d->edge, d->reader, d->index, maker);
}

/* ---- all of it ---- */

/* A job whose instances are not known yet stands for itself. */
static int is_split(const drawing *d, uint32_t number, int instances)
{
    uint32_t count;
    return instances && plan_instances(d->plan, number, &count);
}

static void add_nodes(const drawing *d, uint32_t number, int instances)
{
    const batch_job *def = &d->batch->jobs[number];
    uint32_t count = 0;
    if (!is_split(d, number, instances)) {
        (d->format == DRAWING_JSON ? add_json_node : add_node)(d, def, -1);
        return;
    }
    plan_instances(d->plan, number, &count);
    for (uint32_t i = 0; i < count; i++)
        if (plan_has(d->plan, number, i))
            (d->format == DRAWING_JSON ? add_json_node : add_node)(d, def, i);
}

/* Of jobs that are not split each stands for all of its instances. */
static int add_arrows(drawing *d, uint32_t number, size_t i, const plan_edge *edge, int instances)
{
    uint32_t count = 0, others = 0;
    int split = is_split(d, number, instances), other_split = is_split(d, edge->to, instances), status = 0;
    if (!split && !other_split) {
        add_arrow(d, edge, number, -1, -1);
        return 0;
    }
    d->edge = edge;
    d->reader = number;
    plan_instances(d->plan, number, &count);
    plan_instances(d->plan, edge->to, &others);
    for (uint32_t k = 0; split && k < count && status == 0; k++) {
        d->index = k;
        if (!plan_has(d->plan, number, k))
            continue;
        if (other_split)
            status = plan_makers(d->plan, number, i, k, add_maker, d);
        else
            add_arrow(d, edge, number, k, -1);
    }
    for (uint32_t k = 0; !split && k < others; k++)
        if (plan_has(d->plan, edge->to, k))
            add_arrow(d, edge, number, -1, k);
    return status;
}

static int is_drawn(const drawing *d, uint32_t number)
{
    uint32_t count;
    return plan_chosen(d->plan, number) > 0 || !plan_instances(d->plan, number, &count);
}

static int add_all_arrows(drawing *d, int instances)
{
    plan_edge edge;
    int status = 0;
    for (uint32_t number = 0; number < d->batch->job_count; number++)
        for (size_t i = 0; is_drawn(d, number) && status == 0 && plan_edge_of(d->plan, number, i, &edge); i++)
            if (is_drawn(d, edge.to))
                status = add_arrows(d, number, i, &edge, instances);
    return status;
}

int drawing_add(deja_buffer *b, const batch *of, const plan *p, drawing_format format, int instances)
{
    drawing d = {.b = b, .batch = of, .plan = p, .format = format};
    if (format == DRAWING_JSON) {
        json_open(b, NULL, '{');
        json_open(b, "nodes", '[');
    } else {
        deja_buffer_add_string(b, format == DRAWING_DOT
                                      ? "digraph deja {\n  rankdir=LR;\n  node [shape=box];\n"
                                      : "flowchart LR\n");
    }
    for (uint32_t number = 0; number < of->job_count; number++)
        if (is_drawn(&d, number))
            add_nodes(&d, number, instances);
    if (format == DRAWING_JSON) {
        json_close(b, ']');
        json_open(b, "edges", '[');
    }
    int status = add_all_arrows(&d, instances);
    if (format == DRAWING_JSON) {
        json_close(b, ']');
        json_close(b, '}');
    }
    deja_buffer_add_string(b, format == DRAWING_DOT ? "}\n" : format == DRAWING_JSON ? "\n" : "");
    return status < 0 || b->failed ? DEJA_ENOMEM : 0;
}
