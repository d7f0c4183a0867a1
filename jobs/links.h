#ifndef LINKS_H
#define LINKS_H
/*
 * Which instances of a reader wait for which instances of a maker, and which of these are settled: by the
 * names that their matrices share (joint.h), by pairs where one reads a file that the other one makes, or
 * both.
 */
#include "joint.h"
#include "numbers.h"

typedef struct links links;

/* How a maker ended, the worst is the greatest. */
typedef uint8_t links_end;

/* Ends up to this do not matter to those who need the maker for its order only. */
#define LINKS_ORDERED 2

/* `by_names` is borrowed, NULL: by pairs alone. `order_only` is said of these names, files always matter.
 * NULL: out of memory. */
links *links_new(const joint *by_names, int order_only);
void links_free(links *l); /* NULL is fine */

/* A reader waits for this maker, too. Nothing is noted where its names say as much. DEJA_ENOMEM. */
int links_add(links *l, uint32_t reader, uint32_t maker);

/* All pairs are added: what each reader (of `readers`) waits for is added up in `waits`. DEJA_ENOMEM. */
int links_begin(links *l, uint32_t readers, uint32_t *waits);

/* A maker is settled: `arrived` is called for each reader that waits for one thing less, once for each such
 * thing. */
void links_settle(links *l, uint32_t maker, links_end end, void (*arrived)(void *context, uint32_t reader),
                  void *context);

/* 1 when that reader waits for that maker. After links_begin. */
int links_waits(const links *l, uint32_t reader, uint32_t maker);

/* The makers that any reader of `readers` (NULL: all) waits for, each once or more often. DEJA_ENOMEM. */
int links_makers(const links *l, const numbers *readers, void (*found)(void *context, uint32_t maker),
                 void *context);

/* How the makers that a reader waits for ended, at worst; all of them are settled. */
links_end links_worst(const links *l, uint32_t reader);

#endif
