/* The output of jobs in batch order, see printer.h. */
#include "printer.h"
#include <deja/memory.h>
#include <string.h>

/* What ended early of one job. */
typedef struct early {
    uint64_t *ended;    /* a bit for each index */
    outbox_held **held; /* for each index; NULL until something is held */
    size_t ended_words, held_count;
} early;

struct printer {
    outbox *box;
    printer_count count;
    printer_has has;
    void *context;
    early *early; /* for each job */
    uint32_t defs;
    uint32_t def, index; /* the instance whose turn it is; def == defs: all are done */
};

/* `items` with room for `need` of them, the new ones zeroed; NULL when out of memory. */
static void *widen(void *items, size_t *count, size_t need, size_t size)
{
    if (need <= *count)
        return items;
    size_t more = 2 * *count > need ? 2 * *count : need;
    char *wider = deja_realloc_array(items, more, size);
    if (!wider)
        return NULL;
    memset(wider + *count * size, 0, (more - *count) * size);
    *count = more;
    return wider;
}

static int remember(early *e, uint32_t index, outbox_held *held)
{
    uint64_t *ended = widen(e->ended, &e->ended_words, index / 64 + 1, sizeof *ended);
    if (!ended)
        return -1;
    e->ended = ended;
    if (held) {
        outbox_held **all = widen(e->held, &e->held_count, (size_t)index + 1, sizeof(outbox_held *));
        if (!all)
            return -1;
        e->held = all;
        all[index] = held;
    }
    ended[index / 64] |= UINT64_C(1) << index % 64;
    return 0;
}

static int has_ended(const early *e, uint32_t index)
{
    return index / 64 < e->ended_words && (e->ended[index / 64] >> index % 64 & 1);
}

static void print_held(printer *p, uint32_t def, uint32_t index)
{
    early *e = &p->early[def];
    if (index >= e->held_count || !e->held[index])
        return;
    outbox_release(p->box, e->held[index]);
    e->held[index] = NULL;
}

static void free_early(early *e)
{
    deja_free(e->ended);
    deja_free(e->held);
    *e = (early){0};
}

static void next_def(printer *p)
{
    free_early(&p->early[p->def]);
    p->def++;
    p->index = 0;
}

int printer_open(printer **ret, outbox *box, uint32_t defs, printer_count count, printer_has has,
                 void *context, deja_error *err)
{
    printer *p = deja_calloc(1, sizeof *p);
    early *all = deja_calloc(defs ? defs : 1, sizeof *all);
    if (!p || !all) {
        deja_free(p);
        deja_free(all);
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    }
    *p = (printer){.box = box, .count = count, .has = has, .context = context, .early = all, .defs = defs};
    *ret = p;
    return 0;
}

void printer_go_on(printer *p)
{
    while (p->def < p->defs) {
        uint32_t count;
        int known = p->count(p->context, p->def, &count);
        while (has_ended(&p->early[p->def], p->index) ||
               (known && p->has && p->index < count && !p->has(p->context, p->def, p->index)))
            print_held(p, p->def, p->index++);
        if (!known || p->index < count)
            return;
        next_def(p);
    }
}

void printer_add(printer *p, uint32_t def, uint32_t index, const flow_bytes *out, const flow_bytes *err)
{
    if (p->def < def)
        printer_go_on(p);
    if (def < p->def || (def == p->def && index <= p->index)) {
        outbox_put(p->box, out, err);
        if (def == p->def && index == p->index) {
            p->index++;
            printer_go_on(p);
        }
        return;
    }
    outbox_held *held = outbox_hold(p->box, out, err);
    if (remember(&p->early[def], index, held))
        outbox_release(p->box, held); /* out of memory: out of order rather than lost */
}

void printer_finish(printer *p)
{
    for (; p->def < p->defs; next_def(p))
        for (size_t i = 0; i < p->early[p->def].held_count; i++)
            print_held(p, p->def, (uint32_t)i);
}

void printer_close(printer *p)
{
    if (!p)
        return;
    for (uint32_t d = 0; d < p->defs; d++) {
        for (size_t i = 0; i < p->early[d].held_count; i++)
            outbox_drop(p->box, p->early[d].held[i]);
        free_early(&p->early[d]);
    }
    deja_free(p->early);
    deja_free(p);
}
