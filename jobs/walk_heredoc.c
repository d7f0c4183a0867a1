/*
 * Here-documents (POSIX.1-2017, XCU 2.7.4).
 */
#include "walk.h"
#include <string.h>

static void add_delimiter(walk *w, walk_heredoc *h, char c)
{
    if (h->len + 1 >= WALK_DELIMITER_LIMIT)
        walk_lost(w, "a here-document");
    else
        h->delimiter[h->len++] = c;
}

/* One piece of the delimiter at w->i; 0 at its end. */
static int delimiter_piece(walk *w, walk_heredoc *h)
{
    char c = w->flat[w->i];
    if (walk_is_value(w, w->i)) {
        walk_refuse(w, "into the delimiter of a here-document");
    } else if (c == '\'' || c == '"') {
        h->quoted = 1;
        for (w->i++; w->i < w->len && w->flat[w->i] != c && !w->done; w->i++) {
            if (walk_is_value(w, w->i) || walk_one_of(w->flat[w->i], "\n$`\\"))
                walk_lost(w, "the delimiter of a here-document");
            else
                add_delimiter(w, h, w->flat[w->i]);
        }
        w->i++;
    } else if (c == '\\' && w->i + 1 < w->len && w->flat[w->i + 1] != '\n' && !walk_is_value(w, w->i + 1)) {
        h->quoted = 1;
        add_delimiter(w, h, w->flat[w->i + 1]);
        w->i += 2;
    } else if (walk_one_of(c, "$`\\")) {
        walk_lost(w, "the delimiter of a here-document");
    } else if (walk_one_of(c, " \t\n;&|<>()")) {
        return 0;
    } else {
        add_delimiter(w, h, c);
        w->i++;
    }
    return !w->done;
}

void walk_open_heredoc(walk *w)
{
    walk_heredoc h = {.depth = w->depth, .tabs = walk_peek(w, 2) == '-'};
    w->i += h.tabs ? 3 : 2;
    while (walk_one_of(walk_peek(w, 0), " \t"))
        w->i++;
    size_t begin = w->i;
    while (w->i < w->len && delimiter_piece(w, &h))
        ;
    if (w->done)
        return;
    if (w->i == begin || !walk_is_commands(walk_top(w)) || w->pending_count == WALK_HEREDOC_LIMIT) {
        walk_lost(w, "a here-document");
        return;
    }
    w->pending[w->pending_count++] = h;
    if (walk_top(w)->pos == POS_KEYWORD)
        walk_top(w)->pos = POS_UNSURE;
}

static size_t line_end(const walk *w, size_t at)
{
    const char *walk_newline = memchr(w->flat + at, '\n', w->len - at);
    return walk_newline ? (size_t)(walk_newline - w->flat) : w->len;
}

static int goes_on(const walk *w, size_t begin, size_t end)
{
    size_t backslashes = 0;
    while (end > begin && w->flat[end - 1] == '\\') {
        backslashes++;
        end--;
    }
    return backslashes & 1;
}

/* An expansion that is perhaps open at the end of a line could hide the delimiter from some shells. */
static int opens_expansion(const walk *w, size_t begin, size_t end)
{
    int open = 0, ticks = 0;
    for (size_t i = begin; i < end; i++) {
        char c = w->flat[i];
        if (c == '$' && i + 1 < end && (w->flat[i + 1] == '(' || w->flat[i + 1] == '{'))
            open++;
        else if ((c == ')' || c == '}') && open > 0)
            open--;
        else if (c == '`')
            ticks ^= 1;
    }
    return open || ticks;
}

static int is_delimiter(const walk_heredoc *h, const char *line, size_t len)
{
    return len == h->len && memcmp(line, h->delimiter, len) == 0;
}

/* Passes the body that begins at w->i; ends at the newline behind its delimiter. */
static void heredoc_body(walk *w, const walk_heredoc *h)
{
    int continued = 0;
    for (size_t at = w->i; at < w->len;) {
        size_t end = line_end(w, at), begin = at;
        while (h->tabs && begin < end && w->flat[begin] == '\t')
            begin++;
        const char *line = w->flat + begin;
        int last = is_delimiter(h, line, end - begin);
        if (last && !continued) {
            walk_skip_to(w, end, "inside a here-document; pipe it in from printf, or use 'env'");
            return;
        }
        int more = !h->quoted && goes_on(w, begin, end);
        if (last || (more && end - begin - 1 <= h->len && memcmp(line, h->delimiter, end - begin - 1) == 0) ||
            (!h->quoted && opens_expansion(w, begin, end))) {
            walk_skip_to(w, end, "inside a here-document; pipe it in from printf, or use 'env'");
            if (!w->done)
                walk_lost(w, "a here-document");
            return;
        }
        continued = more;
        at = end + 1;
    }
    walk_skip_to(w, w->len, "inside a here-document; pipe it in from printf, or use 'env'");
}

/* At a newline: the bodies of the here-documents that began on the line. */
void walk_heredoc_bodies(walk *w)
{
    for (size_t k = 0; k < w->pending_count && !w->done; k++) {
        if (w->pending[k].depth != w->depth) {
            walk_lost(w, "a here-document inside parentheses");
            return;
        }
        if (w->i < w->len)
            w->i++;
        heredoc_body(w, &w->pending[k]);
    }
    w->pending_count = 0;
}
