#ifndef EDGES_H
#define EDGES_H
/*
 * The edges between the definitions of a batch: those written under `needs`, and those that follow from
 * files; and what must not be: cycles, and readers that cannot wait.
 */
#include "graph.h"
#include "makers.h"

typedef struct edges {
    batch *batch;
    graph graph;
    deja_arena arena;
} edges;

/* Those written under `needs`, in their order, for all instances. Borrows the batch. DEJA_ENOMEM. */
int edges_init(edges *e, batch *b, deja_error *err);
void edges_done(edges *e);

/* The needs of a job whose instances are known, and those of the jobs that it needs, become edges by instance
 * where names are shared. After batch_join. DEJA_ENOMEM. */
int edges_join(edges *e, const batch_job *def, deja_error *err);

/*
 * The edge of a reader and a maker: 1 a new one, 0 nothing new. Refused, with the place: a job that reads
 * what another instance of its own makes; a matrix that was read before what it is read from was made; with
 * `late`, where the maker's instances became known during the run, a reader that does not wait for it. With
 * `whole` it is for all instances, else for those of the pair where they are told.
 */
int edges_add(edges *e, const makers_pair *pair, int late, int whole, deja_error *err);

/* What is read of the other job where an edge follows from a file, else NULL. */
const char *edges_file(const graph_edge *edge);

/* An error that names a cycle link by link; looks from job `start` on, or with start >= the number of jobs
 * everywhere. */
int edges_check_cycles(edges *e, uint32_t start, deja_error *err);

#endif
