/*
 * Rows in flight are few and are dropped nearly in order: a small table of chains by number finds them.
 */
#include "feed.h"
#include <deja/memory.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum {
    CHAINS = 1024,     /* a power of two, about as many as there are jobs in flight */
    NAMED_MOST = 4,    /* arguments in a name for people */
    NAMED_FIRST = 3,   /* of more than that so many */
    NAMED_BYTES = 200, /* of one of them */
};

struct feed {
    feed_options options;
    feed_row *chains[CHAINS];
    size_t held, bytes; /* rows in the table, and what they hold */
    uint32_t count;     /* handed out */
    uint32_t settled;
    int ended;
    int waits; /* the source has nothing yet */
};

int feed_open(feed **ret, const feed_options *options, deja_error *err)
{
    feed *f = deja_calloc(1, sizeof *f);
    if (!f)
        return deja_fail(err, DEJA_ENOMEM, "read arguments: out of memory");
    f->options = *options;
    *ret = f;
    return 0;
}

feed_row *feed_row_new(const char *const *values, const size_t *lens, size_t count)
{
    size_t bytes = sizeof(feed_row) + count * sizeof(char *);
    for (size_t i = 0; i < count; i++)
        bytes += lens[i] + 1;
    feed_row *row = deja_realloc(NULL, bytes);
    if (!row)
        return NULL;
    *row = (feed_row){.count = (uint32_t)count, .values = (const char **)(row + 1), .bytes = bytes, .fd = -1};
    char *text = (char *)(row->values + count);
    for (size_t i = 0; i < count; i++) {
        row->values[i] = text;
        memcpy(text, values[i], lens[i]);
        text[lens[i]] = '\0';
        text += lens[i] + 1;
    }
    return row;
}

void feed_row_free(feed_row *row)
{
    if (!row)
        return;
    if (row->fd >= 0)
        close(row->fd);
    deja_free(row->error);
    deja_free(row);
}

static int is_full(const feed *f)
{
    return f->held > 0 && (f->held >= f->options.rows_most || f->bytes >= f->options.bytes_most);
}

static const deja_error no_memory = {.code = DEJA_ENOMEM, .text = "read arguments: out of memory"};

/* A last instance, to tell why there are no more. */
static feed_row *row_of_error(const deja_error *why)
{
    feed_row *row = feed_row_new(NULL, NULL, 0);
    if (row)
        row->error = deja_dup(why, sizeof *why);
    return row;
}

int feed_next(feed *f, uint32_t *ret, const deja_error **ret_error)
{
    deja_error why;
    feed_row *row = NULL;
    f->waits = 0;
    if (f->ended || is_full(f))
        return 0;
    int status = f->count == UINT32_MAX - 1
                     ? deja_fail(&why, DEJA_ELIMIT, "more than %" PRIu32 " jobs", UINT32_MAX - 1)
                     : f->options.next(f->options.context, &row, &why);
    f->waits = status == 0;
    f->ended = status == FEED_END || status < 0;
    if (status == 0 || status == FEED_END)
        return 0;
    if (status < 0)
        row = row_of_error(&why);
    *ret = f->count++;
    *ret_error = row ? row->error : &no_memory;
    if (!row)
        return f->ended = 1;
    row->index = *ret;
    row->next = f->chains[row->index % CHAINS];
    f->chains[row->index % CHAINS] = row;
    f->held++;
    f->bytes += row->bytes;
    return 1;
}

const feed_row *feed_get(const feed *f, uint32_t index)
{
    const feed_row *row = f->chains[index % CHAINS];
    while (row && row->index != index)
        row = row->next;
    return row;
}

const deja_error *feed_refuse(feed *f, uint32_t index, const deja_error *why)
{
    feed_row *row = (feed_row *)feed_get(f, index);
    row->error = deja_dup(why, sizeof *why);
    return row->error ? row->error : &no_memory;
}

void feed_settle(feed *f)
{
    f->settled++;
}

void feed_drop(feed *f, uint32_t index)
{
    feed_row **at = &f->chains[index % CHAINS];
    while (*at && (*at)->index != index)
        at = &(*at)->next;
    feed_row *row = *at;
    if (!row)
        return;
    *at = row->next;
    f->held--;
    f->bytes -= row->bytes;
    feed_row_free(row);
}

int feed_fd(const feed *f)
{
    return f->waits ? f->options.fd(f->options.context) : -1;
}

int feed_count(const feed *f, uint32_t *ret)
{
    *ret = f->count;
    return f->ended;
}

int feed_finished(const feed *f)
{
    return f->ended && f->settled == f->count;
}

int feed_names_files(const feed *f)
{
    return f->options.names_files;
}

void feed_argument_name(const feed *f, uint32_t at, deja_buffer *b)
{
    if (at < f->options.name_count)
        deja_buffer_add_string(b, f->options.names[at]);
    else
        deja_buffer_addf(b, "%" PRIu32, at + 1);
}

/* Of a long one the begin, without a character cut in two. */
static void add_value(deja_buffer *b, const char *value)
{
    size_t len = strnlen(value, NAMED_BYTES + 1);
    if (len <= NAMED_BYTES) {
        deja_buffer_add(b, value, len);
        return;
    }
    for (len = NAMED_BYTES; len > 0 && ((unsigned char)value[len] & 0xc0) == 0x80;)
        len--;
    deja_buffer_add(b, value, len);
    deja_buffer_add_string(b, "...");
}

void feed_name(const feed *f, uint32_t index, deja_buffer *b)
{
    const feed_row *row = feed_get(f, index);
    uint32_t count = row ? row->count : 0;
    uint32_t named = count > NAMED_MOST ? NAMED_FIRST : count;
    if (count == 0) {
        deja_buffer_addf(b, "[#=%" PRIu32 "]", index + 1);
        return;
    }
    for (uint32_t i = 0; i < named; i++) {
        deja_buffer_add_char(b, i ? ',' : '[');
        feed_argument_name(f, i, b);
        deja_buffer_add_char(b, '=');
        add_value(b, row->values[i]);
    }
    deja_buffer_add_string(b, named < count ? ",...]" : "]");
}

void feed_close(feed *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < CHAINS; i++)
        while (f->chains[i])
            feed_drop(f, f->chains[i]->index);
    deja_free(f);
}
