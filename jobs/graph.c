/*
 * Adjacency lists from both sides; one walk, depth first.
 */
#include "graph.h"
#include <deja/memory.h>
#include <string.h>

int graph_init(graph *g, uint32_t count)
{
    size_t most = count ? count : 1;
    *g = (graph){.nodes = deja_calloc(most, sizeof *g->nodes),
                 .count = count,
                 .places = deja_calloc(most, sizeof *g->places),
                 .placed = UINT32_MAX};
    return g->nodes && g->places ? 0 : DEJA_ENOMEM;
}

void graph_done(graph *g)
{
    for (uint32_t i = 0; g->nodes && i < g->count; i++) {
        deja_free(g->nodes[i].needs);
        deja_free(g->nodes[i].dependants);
    }
    deja_free(g->nodes);
    deja_free(g->places);
    *g = (graph){0};
}

/* What is left in `places` of a node asked before proves itself wrong. */
static graph_edge *find(graph *g, uint32_t from, uint32_t to)
{
    graph_node *n = &g->nodes[from];
    for (size_t i = 0; g->placed != from && i < n->need_count; i++)
        g->places[n->needs[i].to] = i;
    g->placed = from;
    size_t place = g->places[to];
    return place < n->need_count && n->needs[place].to == to ? &n->needs[place] : NULL;
}

graph_edge *graph_find(graph *g, uint32_t from, uint32_t to)
{
    return find(g, from, to);
}

int graph_add(graph *g, uint32_t from, const graph_edge *edge)
{
    graph_node *n = &g->nodes[from], *needed = &g->nodes[edge->to];
    graph_edge *there = find(g, from, edge->to);
    if (there) {
        there->data |= edge->data;
        return 0;
    }
    graph_edge *needs = deja_grow(n->needs, n->need_count, &n->need_cap, sizeof *needs);
    if (!needs)
        return DEJA_ENOMEM;
    n->needs = needs;
    graph_link *dependants =
        deja_grow(needed->dependants, needed->dependant_count, &needed->dependant_cap, sizeof *dependants);
    if (!dependants)
        return DEJA_ENOMEM;
    needed->dependants = dependants;
    g->places[edge->to] = n->need_count;
    dependants[needed->dependant_count++] = (graph_link){.from = from, .place = (uint32_t)n->need_count};
    needs[n->need_count++] = *edge;
    return 1;
}

typedef struct walk {
    const graph *graph;
    uint32_t *path; /* nodes from the start to the present one */
    size_t *next;   /* of each node on the path: the edge to look at next */
    uint8_t *state; /* of each node of the graph */
    size_t depth;
} walk;

enum { UNSEEN, ON_PATH, DONE };

static int begin(walk *w, const graph *g)
{
    size_t n = (size_t)g->count + 1;
    *w = (walk){.graph = g,
                .path = deja_calloc(n, sizeof *w->path),
                .next = deja_calloc(n, sizeof *w->next),
                .state = deja_calloc(n, 1)};
    return w->path && w->next && w->state ? 0 : DEJA_ENOMEM;
}

static void end(walk *w)
{
    deja_free(w->path);
    deja_free(w->next);
    deja_free(w->state);
}

static void enter(walk *w, uint32_t node)
{
    w->state[node] = ON_PATH;
    w->path[w->depth] = node;
    w->next[w->depth++] = 0;
}

/* From `start` until, with `ret_first`, it meets a node of its own path: 1, and the path from that node on.
 */
static int walk_from(walk *w, uint32_t start, uint32_t *ret_first)
{
    enter(w, start);
    while (w->depth) {
        uint32_t at = w->path[w->depth - 1];
        const graph_node *n = &w->graph->nodes[at];
        size_t i = w->next[w->depth - 1]++;
        if (i == n->need_count) {
            w->state[at] = DONE;
            w->depth--;
        } else if (ret_first && w->state[n->needs[i].to] == ON_PATH) {
            *ret_first = n->needs[i].to;
            return 1;
        } else if (w->state[n->needs[i].to] == UNSEEN && (ret_first || !n->needs[i].links)) {
            enter(w, n->needs[i].to);
        }
    }
    return 0;
}

/* The end of the path, from `first` on. */
static int cut(const walk *w, uint32_t first, uint32_t **ret_path, size_t *ret_count)
{
    size_t from = w->depth - 1;
    while (w->path[from] != first)
        from--;
    *ret_count = w->depth - from;
    *ret_path = deja_dup(w->path + from, *ret_count * sizeof *w->path);
    return *ret_path ? 1 : DEJA_ENOMEM;
}

int graph_cycle(const graph *g, uint32_t start, uint32_t **ret_path, size_t *ret_count)
{
    walk w;
    uint32_t first = 0, last = start < g->count ? start : g->count - 1;
    int status = begin(&w, g);
    for (uint32_t i = start < g->count ? start : 0; status == 0 && g->count && i <= last; i++)
        if (w.state[i] == UNSEEN)
            status = walk_from(&w, i, &first);
    if (status > 0)
        status = cut(&w, first, ret_path, ret_count);
    end(&w);
    return status;
}

int graph_waits_for(const graph *g, uint32_t from, uint32_t to)
{
    walk w;
    int status = begin(&w, g);
    if (status == 0) {
        walk_from(&w, from, NULL);
        status = from != to && w.state[to] != UNSEEN;
    }
    end(&w);
    return status;
}
