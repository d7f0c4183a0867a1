/*
 * Of a group only the number of its unsettled makers is kept, and that only where there are several. Ends are
 * kept from the first one on that is not the best.
 */
#include "links.h"
#include <deja/error.h>
#include <deja/memory.h>
#include <stdlib.h>
#include <string.h>

typedef struct pair {
    uint32_t maker, reader;
} pair;

struct links {
    const joint *joint;
    int order_only;
    uint32_t *left; /* unsettled makers of each group; NULL: a group has one */
    pair *pairs;    /* sorted by maker from links_begin on */
    size_t count, cap;
    uint32_t readers;
    uint8_t *group_ends, *reader_ends; /* of groups, of readers by their pairs; NULL: all are 0 */
    links_end lost;                    /* there was no memory to keep it for whom it counts */
};

links *links_new(const joint *by_names, int order_only)
{
    links *l = deja_calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->joint = by_names;
    l->order_only = order_only;
    return l;
}

void links_free(links *l)
{
    if (!l)
        return;
    deja_free(l->left);
    deja_free(l->pairs);
    deja_free(l->group_ends);
    deja_free(l->reader_ends);
    deja_free(l);
}

int links_add(links *l, uint32_t reader, uint32_t maker)
{
    if (l->joint && !l->order_only && joint_of_reader(l->joint, reader) == joint_of_maker(l->joint, maker))
        return 0;
    pair *more = deja_grow(l->pairs, l->count, &l->cap, sizeof *more);
    if (!more)
        return DEJA_ENOMEM;
    l->pairs = more;
    more[l->count++] = (pair){.maker = maker, .reader = reader};
    return 0;
}

static int compare(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->maker != y->maker)
        return x->maker < y->maker ? -1 : 1;
    return x->reader < y->reader ? -1 : x->reader > y->reader;
}

static void sort_pairs(links *l)
{
    size_t n = 0;
    if (l->count)
        qsort(l->pairs, l->count, sizeof *l->pairs, compare);
    for (size_t i = 0; i < l->count; i++)
        if (n == 0 || compare(&l->pairs[n - 1], &l->pairs[i]) != 0)
            l->pairs[n++] = l->pairs[i];
    l->count = n;
}

static int count_makers(links *l)
{
    if (joint_is_single(l->joint))
        return 0;
    uint32_t groups = joint_groups(l->joint);
    l->left = deja_calloc((size_t)groups + 1, sizeof *l->left);
    for (uint32_t g = 0; l->left && g < groups; g++)
        l->left[g] = joint_maker_count(l->joint, g);
    return l->left ? 0 : DEJA_ENOMEM;
}

int links_begin(links *l, uint32_t readers, uint32_t *waits)
{
    l->readers = readers;
    sort_pairs(l);
    for (size_t i = 0; i < l->count; i++)
        waits[l->pairs[i].reader]++;
    for (uint32_t i = 0; l->joint && i < readers; i++)
        waits[i]++;
    return l->joint ? count_makers(l) : 0;
}

/* Nobody may start in spite of a failure: without memory for it, it counts for all. */
static void note_end(links *l, uint8_t **ends, uint32_t count, uint32_t at, links_end end)
{
    if (end == 0)
        return;
    if (!*ends)
        *ends = deja_calloc((size_t)count + 1, 1);
    if (!*ends)
        l->lost = end > l->lost ? end : l->lost;
    else if (end > (*ends)[at])
        (*ends)[at] = end;
}

static size_t first_pair(const links *l, uint32_t maker)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->pairs[middle].maker < maker)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void links_settle(links *l, uint32_t maker, links_end end, void (*arrived)(void *context, uint32_t reader),
                  void *context)
{
    for (size_t i = first_pair(l, maker); i < l->count && l->pairs[i].maker == maker; i++) {
        note_end(l, &l->reader_ends, l->readers, l->pairs[i].reader, end);
        arrived(context, l->pairs[i].reader);
    }
    if (!l->joint)
        return;
    uint32_t group = joint_of_maker(l->joint, maker);
    note_end(l, &l->group_ends, joint_groups(l->joint), group, end);
    if (l->left && --l->left[group] > 0)
        return;
    for (uint32_t i = 0, n = joint_reader_count(l->joint, group); i < n; i++)
        arrived(context, joint_reader(l->joint, group, i));
}

links_end links_worst(const links *l, uint32_t reader)
{
    links_end worst = l->lost, end = 0;
    if (l->reader_ends)
        worst = l->reader_ends[reader] > worst ? l->reader_ends[reader] : worst;
    if (l->group_ends)
        end = l->group_ends[joint_of_reader(l->joint, reader)];
    if (l->order_only && end <= LINKS_ORDERED)
        end = 0;
    return end > worst ? end : worst;
}

int links_waits(const links *l, uint32_t reader, uint32_t maker)
{
    if (l->joint && joint_of_reader(l->joint, reader) == joint_of_maker(l->joint, maker))
        return 1;
    for (size_t i = first_pair(l, maker); i < l->count && l->pairs[i].maker == maker; i++)
        if (l->pairs[i].reader == reader)
            return 1;
    return 0;
}

/* A group is gone through once, however many readers it has. */
static int makers_by_names(const links *l, const numbers *readers,
                           void (*found)(void *context, uint32_t maker), void *context)
{
    numbers seen;
    if (numbers_init(&seen, joint_groups(l->joint)) < 0)
        return DEJA_ENOMEM;
    for (uint32_t r = 0; r < l->readers; r++) {
        if (readers && !numbers_next(readers, r, &r))
            break;
        uint32_t group = joint_of_reader(l->joint, r);
        uint32_t n = numbers_add(&seen, group) ? joint_maker_count(l->joint, group) : 0;
        for (uint32_t i = 0; i < n; i++)
            found(context, joint_maker(l->joint, group, i));
    }
    numbers_done(&seen);
    return 0;
}

int links_makers(const links *l, const numbers *readers, void (*found)(void *context, uint32_t maker),
                 void *context)
{
    for (size_t i = 0; i < l->count; i++)
        if (!readers || numbers_has(readers, l->pairs[i].reader))
            found(context, l->pairs[i].maker);
    return l->joint ? makers_by_names(l, readers, found, context) : 0;
}
