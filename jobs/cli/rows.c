/* Rows of arguments out of several sources, see rows.h. */
#include "rows.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

enum { SHOWN = 40 }; /* bytes of an argument in a message */

static rows_group *add_group(rows *r)
{
    rows_group *groups = deja_grow(r->groups, r->count, &r->cap, sizeof *groups);
    if (!groups)
        return NULL;
    r->groups = groups;
    groups[r->count] = (rows_group){0};
    return &groups[r->count++];
}

item_source *rows_add(rows *r, int linked)
{
    rows_group *g = linked && r->count ? &r->groups[r->count - 1] : add_group(r);
    item_source *sources = g ? deja_grow(g->sources, g->count, &g->cap, sizeof *sources) : NULL;
    if (!sources)
        return NULL;
    g->sources = sources;
    sources[g->count] = (item_source){.fd = -1};
    return &sources[g->count++];
}

static int add_columns(const rows *r, const item *it, texts *ret, deja_error *err)
{
    size_t cut = r->column_separator ? strlen(r->column_separator) : 0;
    const char *text = it->text, *rest = text + it->len;
    for (;;) {
        const char *end = cut ? memmem(text, (size_t)(rest - text), r->column_separator, cut) : NULL;
        int code = texts_add(ret, text, (size_t)((end ? end : rest) - text), err);
        if (code || !end)
            return code;
        text = end + cut;
    }
}

/* Kept until the row is pulled: the first fault of it. */
static void note_unfit(rows *r, const item *it)
{
    DEJA_AUTO_BUFFER deja_buffer shown = {0};
    if (r->unfit.code)
        return;
    deja_text_escape(&shown, it->text, it->len < SHOWN ? it->len : SHOWN);
    deja_fail(&r->unfit, DEJA_EINVAL, "the argument '%s%s': %s", deja_buffer_string(&shown),
              it->len > SHOWN ? "..." : "", it->unfit);
}

/* Completes the row at hand of a group. */
static int pull_linked(rows *r, rows_group *g, deja_error *err)
{
    for (; g->has < g->count; g->has++) {
        item it;
        int state = item_source_next(&g->sources[g->has], &it, err);
        if (state == ITEM_LATER)
            r->waits = &g->sources[g->has];
        g->ended = state < 0 || state == ITEM_END;
        if (state != ITEM_ONE)
            return state;
        if (it.unfit)
            note_unfit(r, &it);
        int code = add_columns(r, &it, &g->row, err);
        if (code)
            return code;
    }
    g->has = 0;
    return ITEM_ONE;
}

static int add_texts(texts *to, const texts *from, size_t first, size_t end, deja_error *err)
{
    int code = 0;
    for (size_t i = first; i < end && !code; i++) {
        size_t len;
        const char *text = texts_get(from, i, &len);
        code = texts_add(to, text, len, err);
    }
    return code;
}

static int add_to_table(rows_group *g, deja_error *err)
{
    size_t *ends = deja_grow(g->ends, g->end_count, &g->end_cap, sizeof *ends);
    if (!ends)
        return deja_fail(err, DEJA_ENOMEM, "read arguments: out of memory");
    g->ends = ends;
    int code = add_texts(&g->table, &g->row, 0, g->row.count, err);
    ends[g->end_count++] = g->table.count;
    texts_clear(&g->row);
    return code;
}

/* Reads what is multiplied: ITEM_ONE when all of it is there. */
static int load_tables(rows *r, deja_error *err)
{
    for (size_t i = 1; i < r->count; i++) {
        rows_group *g = &r->groups[i];
        while (!g->ended) {
            int state = pull_linked(r, g, err);
            if (state == ITEM_LATER || state < 0)
                return state;
            int code = state == ITEM_ONE ? add_to_table(g, err) : 0;
            if (code)
                return code;
        }
        if (g->end_count == 0)
            return ITEM_END;
    }
    return ITEM_ONE;
}

/* Goes on to the next combination of the tables: 0 when it was the last one for the row of the first group.
 */
static int advance(rows *r)
{
    for (size_t i = r->count; i-- > 1;) {
        rows_group *g = &r->groups[i];
        if (++g->at < g->end_count)
            return 1;
        g->at = 0;
    }
    return 0;
}

static int add_product(rows *r, texts *ret, deja_error *err)
{
    int code = add_texts(ret, &r->groups[0].row, 0, r->groups[0].row.count, err);
    for (size_t i = 1; i < r->count && !code; i++) {
        rows_group *g = &r->groups[i];
        code = add_texts(ret, &g->table, g->at ? g->ends[g->at - 1] : 0, g->ends[g->at], err);
    }
    return code;
}

int rows_pull(rows *r, texts *ret, deja_error *err)
{
    r->waits = NULL;
    int state = load_tables(r, err);
    if (state != ITEM_ONE)
        return state;
    rows_group *first = &r->groups[0];
    if (!r->goes_on) {
        if (first->has == 0) {
            texts_clear(&first->row);
            r->unfit.code = 0;
        }
        state = first->ended ? ITEM_END : pull_linked(r, first, err);
        if (state != ITEM_ONE)
            return state;
    }
    int code = add_product(r, ret, err);
    r->goes_on = advance(r);
    return code ? code : ITEM_ONE;
}

int rows_header(rows *r, texts *ret, deja_error *err)
{
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < r->groups[i].count; k++) {
            item_source *s = &r->groups[i].sources[k];
            item it;
            int state;
            while ((state = item_source_next(s, &it, err)) == ITEM_LATER)
                item_source_wait(s);
            if (state == ITEM_END)
                state = deja_fail(err, DEJA_EINVAL, "a source has no first line that names its arguments");
            int code = state < 0 ? state : add_columns(r, &it, ret, err);
            if (code)
                return code;
        }
    return 0;
}

int rows_fd(const rows *r)
{
    return r->waits ? r->waits->fd : -1;
}

static void group_done(rows_group *g)
{
    for (size_t i = 0; i < g->count; i++)
        item_source_done(&g->sources[i]);
    deja_free(g->sources);
    texts_done(&g->row);
    texts_done(&g->table);
    deja_free(g->ends);
}

void rows_done(rows *r)
{
    for (size_t i = 0; i < r->count; i++)
        group_done(&r->groups[i]);
    deja_free(r->groups);
    *r = (rows){0};
}
