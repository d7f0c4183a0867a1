#ifndef YAML_TREE_H
#define YAML_TREE_H
/*
 * A YAML document as a tree that remembers where everything stands. Built from libyaml's events with limits
 * that libyaml itself does not have. Strict: one document, valid UTF-8, no duplicate keys, only scalars as
 * keys, no tags but !!str, no merge keys, no NUL.
 */
#include "source.h"
#include <deja/memory.h>

#define YAML_DEPTH       64                 /* levels of nesting, through aliases too */
#define YAML_FILE_BYTES  (64 * 1024 * 1024) /* of a file */
#define YAML_TEXT_BYTES  (1024 * 1024)      /* of one scalar */
#define YAML_NODES       1500000            /* nodes written in the file */
#define YAML_ALIAS_NODES 1000000            /* nodes that come out of aliases */

typedef enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP } yaml_kind;

typedef struct yaml_node {
    yaml_kind kind;
    int plain;        /* a scalar without quotes: null, true, 1 and ~ have YAML 1.2 core types only then */
    mark mark;        /* where it begins */
    const char *text; /* scalar: its value after unescaping, NUL-terminated (holds no other NUL) */
    size_t len;       /* of text; of a plain scalar the text is the source spelling */
    struct yaml_pair *pairs; /* map: in file order. list: only .value is used */
    size_t count;            /* of pairs */
} yaml_node;

typedef struct yaml_pair {
    yaml_node *key;
    yaml_node *value;
} yaml_pair;

/*
 * Parses `src`. All nodes live in `arena`; an alias shares the node that it names. A text without a document
 * is a null scalar. Errors are source_fail texts, DEJA_ELIMIT for a file that is too large.
 */
int yaml_parse(const source *src, deja_arena *arena, yaml_node **ret, deja_error *err);

/* The value of `key` in a map, or NULL. */
const yaml_node *yaml_get(const yaml_node *map, const char *key);

/* 1 for a plain scalar that YAML 1.2 (core schema) reads as null / as a boolean, an integer, a finite number
 * (value in *ret). */
int yaml_is_null(const yaml_node *n);
int yaml_bool(const yaml_node *n, int *ret);
int yaml_int(const yaml_node *n, int64_t *ret);
int yaml_double(const yaml_node *n, double *ret);

/* 1 for a plain scalar that is spelled as a number in decimal, be it as large as it likes. */
int yaml_is_number(const yaml_node *n);

#endif
