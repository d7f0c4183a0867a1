/*
 * An edge that follows from a file remembers which one, for the message about a cycle.
 */
#include "edges.h"
#include "batch_join.h"
#include "links.h"
#include <deja/cleanup.h>
#include <string.h>

/* A message about a cycle names links up to this length. */
#define MOST_TEXT 350

/* The file that an edge comes from. */
typedef struct file_note {
    const char *path;
    mark at;
} file_note;

static int out_of_memory(deja_error *err)
{
    return deja_fail(err, DEJA_ENOMEM, "plan: out of memory");
}

int edges_init(edges *e, batch *b, deja_error *err)
{
    *e = (edges){.batch = b};
    int status = graph_init(&e->graph, b->job_count);
    for (uint32_t i = 0; status >= 0 && i < b->job_count; i++)
        for (size_t k = 0; status >= 0 && k < b->jobs[i].need_count; k++) {
            const batch_need *need = &b->jobs[i].needs[k];
            status = graph_add(&e->graph, i, &(graph_edge){.to = need->job, .data = !need->order_only});
        }
    return status < 0 ? out_of_memory(err) : 0;
}

void edges_done(edges *e)
{
    for (uint32_t i = 0; e->graph.nodes && i < e->graph.count; i++)
        for (size_t k = 0; k < e->graph.nodes[i].need_count; k++)
            links_free(e->graph.nodes[i].needs[k].links);
    graph_done(&e->graph);
    deja_arena_done(&e->arena);
}

/* A matrix is read once: its reader must have waited for the maker. */
static int check_matrix(edges *e, const makers_pair *pair, deja_error *err)
{
    const batch_job *def = &e->batch->jobs[pair->reader];
    const char *maker = e->batch->jobs[pair->maker].name;
    if (pair->reader == pair->maker)
        return source_fail(
            &e->batch->source, pair->at, err,
            "the matrix of '%s' reads '%s', and it makes '%s' itself: give outputs another place", maker,
            pair->read, pair->made);
    int waits = 0; /* by `needs`: files that it reads were found only now */
    for (size_t i = 0; def->matrix_waits && waits == 0 && i < def->need_count; i++)
        waits =
            def->needs[i].job == pair->maker ? 1 : graph_waits_for(&e->graph, def->needs[i].job, pair->maker);
    if (waits != 0)
        return waits < 0 ? out_of_memory(err) : 0;
    return source_fail(&e->batch->source, pair->at, err,
                       "the matrix of '%s' reads '%s', which '%s' makes: add 'needs: %s' to '%s'", def->name,
                       pair->made, maker, maker, def->name);
}

static int check_late(edges *e, const makers_pair *pair, deja_error *err)
{
    const char *reader = e->batch->jobs[pair->reader].name, *maker = e->batch->jobs[pair->maker].name;
    int waits = graph_waits_for(&e->graph, pair->reader, pair->maker);
    if (waits != 0)
        return waits < 0 ? out_of_memory(err) : 0;
    return source_fail(&e->batch->source, pair->at, err,
                       "'%s' reads '%s', which '%s' makes, whose instances become known only during the run: "
                       "add 'needs: %s' to '%s'",
                       reader, pair->made, maker, maker, reader);
}

int edges_join(edges *e, const batch_job *def, deja_error *err)
{
    graph_edge *edge = e->graph.nodes[def->number].needs;
    for (size_t i = 0; i < def->need_count; i++)
        if (def->needs[i].joint && !edge[i].links &&
            !(edge[i].links = links_new(def->needs[i].joint, def->needs[i].order_only)))
            return out_of_memory(err);
    return 0;
}

/* An edge that is there: 0. */
static int widen(graph_edge *edge, const makers_pair *pair, int whole)
{
    if (edge->links && !whole)
        return links_add(edge->links, pair->reader_index, pair->maker_index);
    edge->data = 1;
    links_free(edge->links);
    edge->links = NULL;
    return 0;
}

static int add_new(edges *e, const makers_pair *pair, int whole)
{
    file_note *note = deja_arena_alloc(&e->arena, sizeof *note);
    const char *path = deja_arena_dup(&e->arena, pair->read, strlen(pair->read));
    links *by_instance = whole ? NULL : links_new(NULL, 0);
    if (!note || !path || !(whole || by_instance)) {
        links_free(by_instance);
        return DEJA_ENOMEM;
    }
    *note = (file_note){.path = path, .at = pair->at};
    int status = by_instance ? links_add(by_instance, pair->reader_index, pair->maker_index) : 0;
    if (status == 0)
        status = graph_add(&e->graph, pair->reader,
                           &(graph_edge){.to = pair->maker, .data = 1, .note = note, .links = by_instance});
    if (status < 0)
        links_free(by_instance);
    return status;
}

static int add_file(edges *e, const makers_pair *pair, int whole, deja_error *err)
{
    graph_edge *there = graph_find(&e->graph, pair->reader, pair->maker);
    whole |= pair->reader_index == MAKERS_ALL || pair->maker_index == MAKERS_ALL;
    int status = there ? widen(there, pair, whole) : add_new(e, pair, whole);
    return status < 0 ? out_of_memory(err) : status;
}

int edges_add(edges *e, const makers_pair *pair, int late, int whole, deja_error *err)
{
    if (pair->in_matrix)
        return check_matrix(e, pair, err);
    if (pair->reader == pair->maker)
        return source_fail(
            &e->batch->source, pair->at, err,
            "input '%s' is made by another instance of '%s': an instance cannot wait for one of its own job",
            pair->read, e->batch->jobs[pair->reader].name);
    int status = late ? check_late(e, pair, err) : 0;
    return status < 0 ? status : add_file(e, pair, whole, err);
}

const char *edges_file(const graph_edge *edge)
{
    const file_note *file = edge->note;
    return file ? file->path : NULL;
}

static void add_link(edges *e, deja_buffer *b, uint32_t from, uint32_t to)
{
    const char *name = e->batch->jobs[from].name, *other = e->batch->jobs[to].name;
    const file_note *file = graph_find(&e->graph, from, to)->note;
    if (file)
        deja_buffer_addf(b, "'%s' reads '%s' of '%s'", name, file->path, other);
    else
        deja_buffer_addf(b, "'%s' needs '%s'", name, other);
}

/* Of a long cycle the first links and the last one are named. */
static int fail_cycle(edges *e, const uint32_t *path, size_t count, deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    mark at = e->batch->jobs[path[0]].at;
    for (size_t i = 0; i < count; i++) {
        uint32_t to = path[(i + 1) % count];
        const file_note *file = graph_find(&e->graph, path[i], to)->note;
        if (file)
            at = file->at;
        if (text.len > MOST_TEXT && i + 1 < count)
            continue;
        deja_buffer_add_string(&text, i == 0 ? "" : text.len > MOST_TEXT ? ", ..., " : ", ");
        add_link(e, &text, path[i], to);
    }
    return source_fail(&e->batch->source, at, err, "jobs wait for each other: %s", deja_buffer_string(&text));
}

int edges_check_cycles(edges *e, uint32_t start, deja_error *err)
{
    uint32_t *path = NULL;
    size_t count;
    int status = graph_cycle(&e->graph, start, &path, &count);
    if (status > 0)
        status = fail_cycle(e, path, count, err);
    else if (status < 0)
        status = out_of_memory(err);
    deja_free(path);
    return status;
}
