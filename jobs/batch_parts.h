#ifndef BATCH_PARTS_H
#define BATCH_PARTS_H
/*
 * The files of a batch: the one that was named, and those that files include. Private to batch*.c.
 */
#include "batch_read.h"

#define PART_DEPTH 64 /* files that include each other */

typedef struct batch_part {
    const source *source;
    const char *path; /* normalised, as seen from the batch's folder */
    const yaml_node *root;
    struct batch_part **includes;
    size_t include_count;
    const struct batch_part *from;        /* that it was first included by; NULL: the file that was named */
    const struct batch_part *defaults_of; /* the last one that has got its defaults */
    int is_open;                          /* its includes are being loaded */
} batch_part;

typedef struct batch_parts {
    batch_part **list; /* each after those that it includes */
    size_t count, cap;
    batch_part **known; /* in the order in which they were met */
    size_t known_count, known_cap;
    deja_arena tree; /* of the nodes */
} batch_parts;

/* Parses the text of r->b and all files that it includes, each once, and checks the words at their tops. */
int batch_parts_load(batch_reader *r, batch_parts *p);
void batch_parts_done(batch_parts *p);

#endif
