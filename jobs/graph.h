#ifndef GRAPH_H
#define GRAPH_H
/*
 * Edges between the definitions of a batch, which are numbers: `from` waits for `to`. A walk is never
 * recursive: a batch may be a chain of a million jobs.
 */
#include <deja/error.h>
#include <stddef.h>
#include <stdint.h>

typedef struct graph_edge {
    uint32_t to;
    int data;            /* what `to` leaves matters to `from`: more than an order */
    const void *note;    /* of the caller: where the edge comes from; borrowed */
    struct links *links; /* of the caller: which instances wait for which; NULL: all for all */
} graph_edge;

/* An edge from the other side: number `place` of the needs of `from`. */
typedef struct graph_link {
    uint32_t from, place;
} graph_link;

typedef struct graph_node {
    graph_edge *needs;
    size_t need_count, need_cap;
    graph_link *dependants;
    size_t dependant_count, dependant_cap;
} graph_node;

typedef struct graph {
    graph_node *nodes;
    uint32_t count;
    size_t *places; /* private: where the edges of `placed` are among its needs, by the node they lead to */
    uint32_t placed;
} graph;

/* `count` nodes without an edge. DEJA_ENOMEM. */
int graph_init(graph *g, uint32_t count);
void graph_done(graph *g);

/* 1 a new edge, 0 there is one already (its `data` becomes 1 when `edge` has it), DEJA_ENOMEM. */
int graph_add(graph *g, uint32_t from, const graph_edge *edge);

/* The edge, or NULL, until the next one is added. Asking for the edges of one node after the other is cheap,
 * whatever their number. */
graph_edge *graph_find(graph *g, uint32_t from, uint32_t to);

/*
 * Looks for a way along `needs` that comes back to where it began, from `start` on or, with start >= count,
 * from anywhere. 1 and its nodes in order, each needing the next and the last the first (free them with
 * deja_free); 0 when there is none; DEJA_ENOMEM.
 */
int graph_cycle(const graph *g, uint32_t start, uint32_t **ret_path, size_t *ret_count);

/* 1 when all of `from` wait for all of `to`, directly or by way of others: along edges without `links`; 0;
 * DEJA_ENOMEM. */
int graph_waits_for(const graph *g, uint32_t from, uint32_t to);

#endif
