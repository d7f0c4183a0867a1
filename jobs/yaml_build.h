#ifndef YAML_BUILD_H
#define YAML_BUILD_H
/*
 * Private to yaml.c: a tree that is being built, one event after the other, with its limits: depth, nodes,
 * aliases, keys.
 */
#include "names.h"
#include "yaml_tree.h"

/* A list or map that is not complete yet. */
typedef struct yaml_frame {
    yaml_node *node;
    yaml_node *key;   /* of a map: the key that waits for its value */
    yaml_pair *pairs; /* grows; copied into the arena in the end. Kept for the next one at this depth */
    size_t cap;
    name_table seen; /* keys of a large map, numbers of pairs */
    size_t anchor;   /* its number + 1, 0 without */
    size_t expanded; /* nodes in it, through aliases */
    unsigned height; /* levels below it, through aliases */
} yaml_frame;

typedef struct yaml_anchor {
    yaml_node *node;
    size_t expanded;
    unsigned height;
    int complete; /* 0 while it is being read: an alias inside would be endless */
} yaml_anchor;

typedef struct yaml_build {
    const source *src;
    deja_arena *arena;
    deja_error *err;
    yaml_frame frames[YAML_DEPTH];
    unsigned depth;
    yaml_anchor *anchors;
    size_t anchor_count, anchor_cap;
    name_table anchor_names; /* numbers of anchors, the newest of a name */
    size_t nodes, alias_nodes;
    yaml_node *root;
} yaml_build;

/* What an event says; `anchor` is NULL without one. */
typedef struct yaml_mention {
    mark at;
    const char *anchor;
    const char *text; /* of a scalar */
    size_t len;
    int plain;
} yaml_mention;

/* Each 0, or a code with the text in b->err. */
int yaml_build_scalar(yaml_build *b, const yaml_mention *m);
int yaml_build_begin(yaml_build *b, yaml_kind kind, const yaml_mention *m);
int yaml_build_end(yaml_build *b);
int yaml_build_alias(yaml_build *b, const yaml_mention *m);

/* Frees all but the tree. */
void yaml_build_done(yaml_build *b);

#endif
