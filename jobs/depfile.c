/*
 * A walk over the bytes. What a backslash means follows from what comes behind a run of them: before a blank
 * every two of them are one, and an odd one makes the blank part of the name (GNU make 4.4, "Rule Syntax";
 * gcc writes names so); before a hash, a newline or a colon one of them goes; elsewhere all stand for
 * themselves.
 */
#include "depfile.h"
#include <deja/buffer.h>
#include <deja/cleanup.h>
#include <string.h>

typedef struct walk {
    const char *at, *end;
    const char *start;
    deja_buffer word;
    int is_target; /* in front of the colon */
} walk;

static int peek(const walk *w, size_t ahead)
{
    return (size_t)(w->end - w->at) > ahead ? (unsigned char)w->at[ahead] : -1;
}

/* Bytes of the end of a line that begins `ahead`; 0: none does. */
static size_t newline_at(const walk *w, size_t ahead)
{
    if (peek(w, ahead) == '\n')
        return 1;
    return peek(w, ahead) == '\r' && peek(w, ahead + 1) == '\n' ? 2 : 0;
}

static int is_blank(int c)
{
    return c == ' ' || c == '\t';
}

/* A colon ends the targets where a blank or the end of the line follows. */
static int ends_targets(const walk *w)
{
    int next = peek(w, 1);
    return w->is_target && peek(w, 0) == ':' && (next < 0 || is_blank(next) || newline_at(w, 1));
}

static void add_many(deja_buffer *b, char c, size_t count)
{
    while (count-- > 0)
        deja_buffer_add_char(b, c);
}

/* A run of backslashes and what it acts on. 1 the word goes on, 0 it ends here. */
static int take_backslashes(walk *w)
{
    size_t n = 0;
    while (peek(w, n) == '\\')
        n++;
    int next = peek(w, n);
    if (newline_at(w, n)) { /* the last one joins lines: the word ends */
        add_many(&w->word, '\\', n - 1);
        w->at += n - 1;
        return 0;
    }
    w->at += n;
    if (is_blank(next)) {
        add_many(&w->word, '\\', n / 2);
        if (n % 2 == 0)
            return 0;
    } else if (next == '#' || next == ':') {
        add_many(&w->word, '\\', n - 1);
    } else {
        add_many(&w->word, '\\', n);
        return 1;
    }
    deja_buffer_add_char(&w->word, *w->at++);
    return 1;
}

static void skip_blanks(walk *w)
{
    for (;;) {
        if (is_blank(peek(w, 0)))
            w->at++;
        else if (peek(w, 0) == '\\' && newline_at(w, 1))
            w->at += 1 + newline_at(w, 1);
        else
            return;
    }
}

/* The next word of a line into w->word; empty at its end. */
static void take_word(walk *w)
{
    deja_buffer_clear(&w->word);
    skip_blanks(w);
    for (int c; (c = peek(w, 0)) >= 0 && !is_blank(c) && !newline_at(w, 0) && !ends_targets(w);) {
        if (c == '\\') {
            if (!take_backslashes(w))
                return;
            continue;
        }
        w->at += c == '$' && peek(w, 1) == '$';
        deja_buffer_add_char(&w->word, *w->at++);
    }
}

static int fail_at(const walk *w, deja_error *err, const char *what)
{
    unsigned line = 1;
    for (const char *p = w->start; p < w->at; p++)
        line += *p == '\n';
    return deja_fail(err, DEJA_EINVAL, "line %u: %s", line, what);
}

static int take_targets(walk *w, deja_error *err)
{
    size_t count = 0;
    w->is_target = 1;
    for (take_word(w); w->word.len; take_word(w))
        count++;
    w->is_target = 0;
    skip_blanks(w);
    if (peek(w, 0) == ':') {
        w->at++;
        return 0;
    }
    return count ? fail_at(w, err, "no colon behind a target: this is not a rule as compilers write it") : 0;
}

static int take_rule(walk *w, depfile_each each, void *context, deja_error *err)
{
    int code = take_targets(w, err);
    while (!code) {
        take_word(w);
        if (w->word.failed)
            return deja_fail(err, DEJA_ENOMEM, "out of memory");
        if (!w->word.len)
            break;
        code = each(context, deja_buffer_string(&w->word), err);
    }
    return code;
}

int depfile_parse(const char *text, size_t len, depfile_each each, void *context, deja_error *err)
{
    walk w = {.at = text, .start = text, .end = text + len};
    const char *nul = len ? memchr(text, 0, len) : NULL;
    if (nul) {
        w.at = nul;
        return fail_at(&w, err, "a NUL byte");
    }
    int code = 0;
    while (!code && w.at < w.end) {
        code = take_rule(&w, each, context, err);
        w.at += code ? 0 : newline_at(&w, 0);
    }
    deja_buffer_done(&w.word);
    return code;
}
