/*
 * Messages about places in a source text. An error text has room for a thousand bytes: the path, the message
 * and the line are each cut so that the caret always gets there.
 */
#include "source.h"
#include <deja/buffer.h>
#include <deja/cleanup.h>
#include <deja/text.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES     160 /* of a long path its end is shown */
#define MESSAGE_BYTES  420
#define BEFORE_COLUMNS 44  /* of the line, before the caret */
#define LINE_COLUMNS   88  /* of the line in all */
#define LINE_BYTES     170 /* the same in bytes, so that combining characters cannot push the caret out */

/* A line as it is shown: text and, for the caret's line, what stands before the caret. */
typedef struct excerpt {
    deja_buffer text;
    deja_buffer pad;
} excerpt;

static size_t step(const source *s, size_t at)
{
    size_t n = deja_text_utf8(s->text + at, s->len - at);
    return n ? n : 1;
}

/* The start of the character before `at`. */
static size_t step_back(const source *s, size_t at)
{
    size_t back = 1;
    while (back < 4 && back < at && ((unsigned char)s->text[at - back] & 0xC0) == 0x80)
        back++;
    return deja_text_utf8(s->text + at - back, back) == back ? at - back : at - 1;
}

static size_t line_begin(const source *s, size_t at)
{
    const char *newline = at ? memrchr(s->text, '\n', at) : NULL;
    return newline ? (size_t)(newline - s->text) + 1 : 0;
}

static size_t line_end(const source *s, size_t at)
{
    const char *newline = at < s->len ? memchr(s->text + at, '\n', s->len - at) : NULL;
    size_t end = newline ? (size_t)(newline - s->text) : s->len;
    return end > at && s->text[end - 1] == '\r' ? end - 1 : end;
}

/* One character as it is shown; a tab stays a tab. */
static void add_shown(deja_buffer *b, const char *c, size_t len)
{
    if (len == 1 && *c == '\t')
        deja_buffer_add_char(b, '\t');
    else
        deja_text_escape(b, c, len);
}

static size_t shown_columns(const char *c, size_t len)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    add_shown(&b, c, len);
    return *c == '\t' ? 1 : deja_text_columns(b.data ? b.data : "", b.len);
}

/* 1 when the line is shown as a whole. */
static int fits(const source *s, size_t begin, size_t end)
{
    size_t columns = 0;
    for (size_t at = begin; at < end && end - begin <= LINE_BYTES; at += step(s, at))
        columns += shown_columns(s->text + at, step(s, at));
    return end - begin <= LINE_BYTES && columns <= LINE_COLUMNS;
}

/* Where the shown part of the line begins: as far before the caret as there is room. */
static size_t window_begin(const source *s, size_t begin, size_t end, size_t caret)
{
    if (fits(s, begin, end))
        return begin;
    size_t at = caret, columns = 0;
    while (at > begin && caret - at < LINE_BYTES / 2) {
        size_t before = step_back(s, at);
        columns += shown_columns(s->text + before, at - before);
        if (columns > BEFORE_COLUMNS)
            break;
        at = before;
    }
    return at;
}

/* Blanks below `c`, tabs below tabs. */
static void add_pad(deja_buffer *pad, const char *c, size_t len)
{
    if (*c == '\t') {
        deja_buffer_add_char(pad, '\t');
        return;
    }
    for (size_t n = shown_columns(c, len); n > 0; n--)
        deja_buffer_add_char(pad, ' ');
}

static void cut_line(const source *s, size_t caret, excerpt *ret)
{
    size_t begin = line_begin(s, caret), end = line_end(s, caret);
    size_t at = window_begin(s, begin, end, caret), columns = 0;
    if (at > begin) {
        deja_buffer_add_string(&ret->text, "...");
        deja_buffer_add_string(&ret->pad, "   ");
    }
    while (at < end && ret->text.len < LINE_BYTES) {
        size_t n = step(s, at);
        columns += shown_columns(s->text + at, n);
        if (columns > LINE_COLUMNS)
            break;
        add_shown(&ret->text, s->text + at, n);
        if (at < caret)
            add_pad(&ret->pad, s->text + at, n);
        at += n;
    }
    if (at < end)
        deja_buffer_add_string(&ret->text, "...");
}

/* The message escaped and cut. */
static void add_message(deja_buffer *b, const char *message, size_t len)
{
    DEJA_AUTO_BUFFER deja_buffer escaped = {0};
    deja_text_escape(&escaped, message, len);
    size_t cut = escaped.len;
    if (cut > MESSAGE_BYTES) {
        cut = MESSAGE_BYTES;
        while (cut && ((unsigned char)escaped.data[cut] & 0xC0) == 0x80)
            cut--;
    }
    deja_buffer_add(b, escaped.data, cut);
    if (cut < escaped.len)
        deja_buffer_add_string(b, "...");
    b->failed |= escaped.failed;
}

static void add_path(deja_buffer *b, const char *path)
{
    size_t len = strlen(path), from = len > PATH_BYTES ? len - PATH_BYTES : 0;
    while (from && from < len && ((unsigned char)path[from] & 0xC0) == 0x80)
        from++;
    if (from)
        deja_buffer_add_string(b, "...");
    deja_text_escape(b, path + from, len - from);
}

static void add_place(deja_buffer *b, const source *s, mark at)
{
    excerpt e = {0};
    cut_line(s, at.offset, &e);
    char number[16];
    int width = snprintf(number, sizeof number, "%5u", at.line);
    deja_buffer_addf(b, "\n%s | %s\n%*s | %s^", number, deja_buffer_string(&e.text), width, "",
                     deja_buffer_string(&e.pad));
    b->failed |= e.text.failed | e.pad.failed;
    deja_buffer_done(&e.text);
    deja_buffer_done(&e.pad);
}

const source *source_at(const source *s, mark at)
{
    return at.file && at.file != s->file && s->others ? s->others[at.file - 1] : s;
}

const char *source_place(char text[SOURCE_PLACE], const source *s, mark at, mark from)
{
    const char *path = source_at(s, at)->path;
    size_t len = strlen(path), cut = len > PATH_BYTES ? len - PATH_BYTES : 0;
    if (at.file == from.file)
        snprintf(text, SOURCE_PLACE, "in line %u", at.line);
    else
        snprintf(text, SOURCE_PLACE, "in '%s%s', line %u", cut ? "..." : "", path + cut, at.line);
    return text;
}

int source_fail(const source *s, mark at, deja_error *err, const char *format, ...)
{
    DEJA_AUTO_BUFFER deja_buffer message = {0};
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    va_list args;
    s = source_at(s, at);
    va_start(args, format);
    deja_buffer_vaddf(&message, format, args);
    va_end(args);
    if (s->path && *s->path) {
        add_path(&text, s->path);
        if (at.line)
            deja_buffer_addf(&text, ":%u:%u", at.line, at.column);
        deja_buffer_add_string(&text, ": ");
    }
    add_message(&text, deja_buffer_string(&message), message.len);
    if (at.line && s->text && at.offset <= s->len && s->len)
        add_place(&text, s, at);
    if (message.failed || text.failed)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    return deja_fail(err, s->path && *s->path ? DEJA_ESYNTAX : DEJA_EINVAL, "%s", deja_buffer_string(&text));
}

mark source_mark(const source *s, size_t offset)
{
    mark m = {.line = 1, .column = 1, .offset = (uint32_t)offset, .file = s->file};
    size_t at = 0;
    for (const char *newline; (newline = memchr(s->text + at, '\n', offset - at)) != NULL; m.line++)
        at = (size_t)(newline - s->text) + 1;
    if (at == 0 && offset >= 3 && memcmp(s->text, "\xEF\xBB\xBF", 3) == 0)
        at = 3;
    for (; at < offset; at += step(s, at))
        m.column++;
    return m;
}

static const char *find_open(const char *text, size_t len)
{
    return len ? memmem(text, len, "${{", 3) : NULL;
}

static size_t skip(const char *text, size_t len, const char *set)
{
    size_t n = 0;
    while (n < len && text[n] && strchr(set, text[n]))
        n++;
    return n;
}

/* Bytes from the mark of a scalar to where expressions of its own may stand: behind its anchor, its tag, and
 * the line of its '|' or '>', which may end with a comment. */
static size_t skip_header(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && (text[n] == '&' || text[n] == '!')) {
        while (n < len && !strchr(" \t\r\n", text[n]))
            n++;
        n += skip(text + n, len - n, " \t\r\n");
    }
    if (n < len && (text[n] == '|' || text[n] == '>')) {
        const char *newline = memchr(text + n, '\n', len - n);
        n = newline ? (size_t)(newline - text) : len;
    }
    return n;
}

/* 1 when the expressions that begin at `a` and `b` have the same name. */
static int is_same_name(const char *a, size_t a_len, const char *b, size_t b_len)
{
    static const char blanks[] = " \t\r\n";
    static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t i = 3 + skip(a + 3, a_len - 3, blanks), k = 3 + skip(b + 3, b_len - 3, blanks);
    size_t n = skip(a + i, a_len - i, name);
    return n == skip(b + k, b_len - k, name) && memcmp(a + i, b + k, n) == 0;
}

mark source_mark_in(const source *s, mark at, const char *value, size_t offset)
{
    s = source_at(s, at);
    if (!at.line || !s->text || at.offset >= s->len)
        return at;
    /* The last "${{" of the value at or before `offset`, and the one of the same number in the source. */
    const char *in_value = NULL, *in_source = NULL;
    const char *v = value, *v_end = value + strlen(value), *t = s->text + at.offset,
               *t_end = s->text + s->len;
    t += skip_header(t, (size_t)(t_end - t));
    for (;;) {
        const char *next = find_open(v, (size_t)(v_end - v));
        if (!next || (size_t)(next - value) > offset)
            break;
        const char *found = find_open(t, (size_t)(t_end - t));
        if (!found || !is_same_name(next, (size_t)(v_end - next), found, (size_t)(t_end - found)))
            return at;
        in_value = next;
        in_source = found;
        v = next + 3;
        t = found + 3;
    }
    if (!in_value)
        return at;
    size_t inside = (size_t)(value + offset - in_value), from = (size_t)(in_source - s->text);
    if (inside && (inside > s->len - from || memcmp(in_value, in_source, inside) != 0))
        inside = 0;
    return source_mark(s, from + inside);
}

const char *source_word(char word[SOURCE_WORD], const char *text, size_t len)
{
    size_t cut = len < SOURCE_WORD ? len : SOURCE_WORD - 4;
    while (cut && cut < len && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;
    memcpy(word, text, cut);
    memcpy(word + cut, cut < len ? "..." : "", cut < len ? 4 : 1);
    return word;
}
