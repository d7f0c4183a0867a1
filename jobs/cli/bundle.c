/* What one job of `deja map` gets, see bundle.h. */
#include "bundle.h"
#include <deja/cleanup.h>
#include <string.h>
#include <unistd.h>

enum {
    SPARE_BYTES = 65536,      /* of the limit of execve(2), for what deja sets in the environment */
    SHELL_SPARE_BYTES = 1024, /* of the limit of one text */
    MOST_BYTES =
        2 << 20,        /* of a limit that is higher: Linux has another one, 6 MB, that nobody can ask for */
    LEAST_BYTES = 4096, /* whatever is left */
    POINTER_BYTES = 8,  /* each word costs a pointer besides, ... */
    QUOTES_BYTES = 2,   /* ... or quotes, in a shell's text */
};

static size_t environment_bytes(void)
{
    size_t bytes = 0;
    for (char **e = environ; *e; e++)
        bytes += strlen(*e) + 1 + POINTER_BYTES;
    return bytes;
}

size_t bundle_room(size_t fixed, int is_shell)
{
    long most = sysconf(_SC_ARG_MAX);
    size_t limit = is_shell ? ITEM_MOST : most > 0 && most < MOST_BYTES ? (size_t)most : MOST_BYTES;
    size_t used = fixed + (is_shell ? SHELL_SPARE_BYTES : environment_bytes() + SPARE_BYTES);
    return limit > used + LEAST_BYTES ? limit - used : LEAST_BYTES;
}

/* Of a word in the command: its text and a NUL and a pointer to it, or a blank and quotes. */
static size_t cost_of(const bundle *b, const texts *t)
{
    size_t cost = t->bytes.len + t->count * (b->options.is_shell ? QUOTES_BYTES : POINTER_BYTES);
    for (size_t i = 0; b->options.is_shell && i < t->bytes.len; i++)
        cost += t->bytes.data[i] == '\'' ? 3 : 0;
    return cost * b->options.times;
}

static int make_row(const bundle *b, size_t first, size_t end, feed_row **ret)
{
    size_t count = end - first;
    DEJA_AUTO_FREE const char **values = deja_calloc(count + 1, sizeof *values);
    DEJA_AUTO_FREE size_t *lens = deja_calloc(count + 1, sizeof *lens);
    for (size_t i = 0; values && lens && i < count; i++)
        values[i] = texts_get(&b->texts, first + i, &lens[i]);
    *ret = values && lens ? feed_row_new(values, lens, count) : NULL;
    if (!*ret || !b->unfit.code)
        return *ret != NULL;
    (*ret)->error = deja_dup(&b->unfit, sizeof b->unfit);
    return (*ret)->error != NULL;
}

/* Texts first ... end-1 become a row; after the last one the next begins. */
static int hand_out(bundle *b, size_t first, size_t end, feed_row **ret, deja_error *err)
{
    if (!make_row(b, first, end, ret)) {
        feed_row_free(*ret);
        return deja_fail(err, DEJA_ENOMEM, "read arguments: out of memory");
    }
    if (end == b->texts.count) {
        texts_clear(&b->texts);
        b->row_count = b->bytes = b->share = b->given = 0;
        b->unfit.code = 0;
    }
    return 1;
}

/* What is left at the end, in shares. */
static int hand_out_rest(bundle *b, feed_row **ret, deja_error *err)
{
    if (b->row_count == 0)
        return FEED_END;
    if (b->options.each)
        return hand_out(b, 0, b->texts.count, ret, err);
    if (!b->share)
        b->share = (b->texts.count + b->options.slots - 1) / b->options.slots;
    size_t first = b->given, left = b->texts.count - first;
    b->given += left < b->share ? left : b->share;
    return hand_out(b, first, b->given, ret, err);
}

/* A row more: ITEM_ONE when it is in `texts`, or waits in `coming` until there is room. */
static int pull(bundle *b, deja_error *err)
{
    if (b->coming.count)
        return ITEM_ONE;
    int state = rows_pull(b->rows, b->options.each ? &b->texts : &b->coming, err);
    if (state == ITEM_ONE && b->rows->unfit.code)
        b->unfit = b->rows->unfit;
    b->row_count += state == ITEM_ONE && b->options.each;
    return state;
}

static int take_in(bundle *b, deja_error *err)
{
    int code = 0;
    for (size_t i = 0; i < b->coming.count && !code; i++) {
        size_t len;
        const char *text = texts_get(&b->coming, i, &len);
        code = texts_add(&b->texts, text, len, err);
    }
    texts_clear(&b->coming);
    b->row_count++;
    return code;
}

int bundle_next(void *context, feed_row **ret, deja_error *err)
{
    bundle *b = context;
    for (;;) {
        int state = b->share ? ITEM_END : pull(b, err);
        if (state == ITEM_LATER || state < 0)
            return state;
        if (state == ITEM_END)
            return hand_out_rest(b, ret, err);
        if (b->options.each) {
            if (b->row_count == b->options.each)
                return hand_out(b, 0, b->texts.count, ret, err);
            continue;
        }
        size_t cost = cost_of(b, &b->coming);
        if (b->row_count && b->bytes + cost > b->options.fit_bytes)
            return hand_out(b, 0, b->texts.count, ret, err);
        b->bytes += cost;
        int code = take_in(b, err);
        if (code)
            return code;
    }
}

int bundle_fd(void *context)
{
    const bundle *b = context;
    return rows_fd(b->rows);
}

void bundle_done(bundle *b)
{
    texts_done(&b->texts);
    texts_done(&b->coming);
    *b = (bundle){0};
}
