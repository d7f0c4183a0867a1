/*
 * A stream: arguments come from a generator, a few at a time, so that there may be more of them than fit in
 * memory, or no end of them. Here the first number that takes more than 400 steps to get to 1 (Collatz):
 * whoever finds it stops.
 */
#include <deja.h>
#include <stdio.h>

enum { block = 1000, wanted = 400 };

static int64_t steps_of(int64_t x)
{
    int64_t steps = 0;
    for (; x > 1; steps++)
        x = x % 2 ? 3 * x + 1 : x / 2;
    return steps;
}

/* The first such number of a block, or 0. */
DEJA_FUNC1(int64_t, search, int64_t, first)
{
    for (int64_t x = first; x < first + block; x++)
        if (steps_of(x) > wanted)
            return x;
    return 0;
}

/* The first numbers of the blocks, for ever. Called by deja_stream_next, when there is room for one more. */
static int next_block(void *context, deja_value *row, deja_error *err)
{
    int64_t *next = context;
    (void)err;
    *row = deja_i64(*next);
    *next += block;
    return 1; /* 0 would be the end */
}

int main(void)
{
    int64_t next = 1, found = 0;
    deja_error err;
    deja *d = deja_open(NULL, &err);
    deja_fn *f = deja_define(d, "search", "1", search, NULL, &err);
    deja_stream *s = deja_stream_open(f, 1, next_block, &next, DEJA_STREAM_OPTIONS(.in_flight = 16), &err);
    deja_done done = {0};
    int blocks = 0, hits = 0, rc = 0;
    while (!found && (rc = deja_stream_next(s, -1, &done, &err)) > 0 && done.value) { /* in order */
        found = done.value->i64;
        hits += done.was_cached;
        blocks++;
    }
    if (found)
        printf("%lld takes %lld steps, found in block %d, %d from the cache\n", (long long)found,
               (long long)steps_of(found), blocks, hits);
    else
        fprintf(stderr, "%s\n", rc < 0 ? err.text : done.error);
    deja_done_free(&done);
    deja_stream_close(s); /* ends what is under way beyond it */
    deja_close(d);
    return !found;
}
