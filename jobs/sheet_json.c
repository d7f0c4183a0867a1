/*
 * Rows of one JSON object a line (RFC 8259). Lists and objects inside are passed over.
 */
#include "sheet_row.h"
#include <string.h>

#define DEPTH 64 /* of lists and objects inside */

static int fault(const sheet_text *t, deja_error *err, const char *what)
{
    return deja_fail(err, DEJA_ESYNTAX, "line %u: %s", t->line, what);
}

static void skip_space(sheet_text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\t' || *t->at == '\r'))
        t->at++;
}

static void skip_blank(sheet_text *t)
{
    for (skip_space(t); t->at < t->end && *t->at == '\n'; skip_space(t)) {
        t->at++;
        t->line++;
    }
}

static int hex(const char *s, const char *end, uint32_t *ret)
{
    *ret = 0;
    if (end - s < 4)
        return 0;
    for (int i = 0; i < 4; i++) {
        int c = s[i], digit = c >= '0' && c <= '9'                 ? c - '0'
                              : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                                   : -1;
        if (digit < 0)
            return 0;
        *ret = *ret << 4 | (uint32_t)digit;
    }
    return 1;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* \uXXXX, at the `u`; two of them where the first is a high surrogate. NULL when it is none. */
static char *read_unicode(sheet_text *t, char *to)
{
    uint32_t c, low;
    if (!hex(t->at + 1, t->end, &c) || c == 0 || (c >= 0xdc00 && c < 0xe000))
        return NULL;
    t->at += 5;
    if (c >= 0xd800 && c < 0xdc00) {
        if (t->end - t->at < 6 || t->at[0] != '\\' || t->at[1] != 'u' || !hex(t->at + 2, t->end, &low) ||
            low < 0xdc00 || low >= 0xe000)
            return NULL;
        t->at += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    return put_utf8(to, c);
}

static char *read_escape(sheet_text *t, char *to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (t->at < t->end && *t->at == 'u')
        return read_unicode(t, to);
    const char *name = t->at < t->end && *t->at ? strchr(names, *t->at) : NULL;
    if (!name)
        return NULL;
    t->at++;
    *to++ = values[name - names];
    return to;
}

/* At the quote. The text is moved to where it stood. */
static int read_string(sheet_text *t, const char **ret, deja_error *err)
{
    char *to = t->at++;
    *ret = to;
    while (t->at < t->end && *t->at != '"') {
        if ((unsigned char)*t->at < 0x20)
            return fault(t, err, "a control character in a string");
        if (*t->at != '\\') {
            *to++ = *t->at++;
            continue;
        }
        t->at++;
        to = read_escape(t, to);
        if (!to)
            return fault(t, err, "a wrong escape in a string (or \\u0000, which no value can hold)");
    }
    if (t->at == t->end)
        return fault(t, err, "a string that does not end");
    t->at++;
    *to = '\0';
    return 0;
}

/* A number, true, false or null: the word as it stands. */
static int read_word(sheet_text *t, const char **ret, deja_error *err)
{
    static const char *const words[] = {"true", "false", "null"};
    *ret = t->at;
    size_t n = 0, left = (size_t)(t->end - t->at), digits;
    while (n < left && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", t->at[n]) && t->at[n])
        n++;
    t->at += n;
    for (size_t i = 0; i < 3; i++)
        if (n == strlen(words[i]) && memcmp(*ret, words[i], n) == 0)
            return 0;
    const char *s = *ret, *end = s + n;
    s += s < end && *s == '-';
    digits = s < end ? strspn(s, "0123456789") : 0;
    if (digits == 0 || s + digits > end || (*s == '0' && digits > 1))
        return fault(t, err, "expected a value: a string in quotes, a number, true, false or null");
    s += digits;
    if (s < end && *s == '.') {
        digits = strspn(s + 1, "0123456789");
        s += digits ? 1 + digits : 0;
    }
    if (s < end && (*s == 'e' || *s == 'E')) {
        size_t sign = s + 1 < end && (s[1] == '+' || s[1] == '-');
        digits = strspn(s + 1 + sign, "0123456789");
        s += digits ? 1 + sign + digits : 0;
    }
    return s == end ? 0 : fault(t, err, "a number that is none");
}

/* A list or an object, up to its end on the same line. */
static int pass_over(sheet_text *t, deja_error *err)
{
    char open[DEPTH];
    size_t depth = 0;
    const char *unused;
    do {
        char c = *t->at;
        if (c == '"') {
            if (read_string(t, &unused, err) < 0)
                return DEJA_ESYNTAX;
            continue;
        }
        if (c == '\n')
            break;
        if (c == '[' || c == '{') {
            if (depth == DEPTH)
                return fault(t, err, "lists and objects nested too deep");
            open[depth++] = c == '[' ? ']' : '}';
        } else if ((c == ']' || c == '}') && open[--depth] != c) {
            return fault(t, err, "brackets that do not match");
        }
        t->at++;
        if (depth == 0)
            return 0;
    } while (t->at < t->end);
    return fault(t, err, "a list or an object that does not end on its line");
}

static int read_member(sheet_text *t, sheet_row *row, deja_error *err)
{
    sheet_cell *c = sheet_row_add(row);
    if (!c)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    if (t->at == t->end || *t->at != '"')
        return fault(t, err, "expected a name in quotes");
    int code = read_string(t, &c->name, err);
    skip_space(t);
    if (!code && (t->at == t->end || *t->at != ':'))
        code = fault(t, err, "expected ':' behind a name");
    if (code)
        return code;
    t->at++;
    skip_space(t);
    if (t->at < t->end && *t->at == '"')
        return read_string(t, &c->text, err);
    c->is_scalar = t->at == t->end || (*t->at != '[' && *t->at != '{');
    c->plain = c->is_scalar;
    return c->is_scalar ? read_word(t, &c->text, err) : pass_over(t, err);
}

/* Behind a member: 1 another one, 0 the object ends here. A plain value gets its NUL. */
static int end_member(sheet_text *t, deja_error *err)
{
    char *end = t->at;
    skip_space(t);
    if (t->at == t->end || (*t->at != ',' && *t->at != '}'))
        return fault(t, err, "expected ',' or '}' behind a value (an object has one line)");
    int more = *t->at++ == ',';
    *end = '\0';
    skip_space(t);
    return more;
}

int sheet_row_json(sheet_text *t, sheet_row *row, deja_error *err)
{
    skip_blank(t);
    row->count = 0;
    row->line = t->line;
    if (t->at == t->end)
        return 0;
    if (*t->at != '{')
        return fault(t, err, "expected an object, {\"NAME\": VALUE, ...}");
    t->at++;
    skip_space(t);
    int more = t->at < t->end && *t->at == '}' ? (t->at++, 0) : 1;
    while (more > 0) {
        more = read_member(t, row, err);
        more = more < 0 ? more : end_member(t, err);
    }
    skip_space(t);
    if (more == 0 && t->at < t->end && *t->at != '\n')
        return fault(t, err, "text behind the object: each has a line of its own");
    return more < 0 ? more : 1;
}
