/*
 * Patterns as texts: matching of one component, and of whole paths. A failed match goes back to the last star
 * only, which is enough: a shorter match of an earlier star leaves more to the later ones, never less. For
 * `**` this holds too: no `**` takes a component that begins with a dot, so those of the path and those of
 * the pattern pair up in order.
 */
#include "glob_match.h"
#include "glob.h"
#include <deja/text.h>
#include <string.h>

/* One character at `s` (< end): its bytes and its number; a byte that is no UTF-8 has a number of its own. */
static size_t decode(const char *s, const char *end, uint32_t *ret)
{
    size_t n = deja_text_utf8(s, (size_t)(end - s));
    unsigned char c = (unsigned char)*s;
    if (n == 0) {
        *ret = UINT32_C(0x110000) + c;
        return 1;
    }
    *ret = n == 1 ? c : c & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        *ret = *ret << 6 | ((unsigned char)s[i] & 0x3f);
    return n;
}

static int in_class(uint32_t c, const char *name, size_t len)
{
    int lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9';
    int graph = c > ' ' && c < 0x7f, space = c == ' ' || (c >= '\t' && c <= '\r');
    const struct {
        const char *name;
        int in;
    } classes[] = {
        {"alnum", lower || upper || digit},
        {"alpha", lower || upper},
        {"blank", c == ' ' || c == '\t'},
        {"cntrl", c < ' ' || c == 0x7f},
        {"digit", digit},
        {"graph", graph},
        {"lower", lower},
        {"print", graph || c == ' '},
        {"punct", graph && !lower && !upper && !digit},
        {"space", space},
        {"upper", upper},
        {"xdigit", digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')},
    };
    for (size_t k = 0; k < sizeof classes / sizeof *classes; k++)
        if (strlen(classes[k].name) == len && memcmp(classes[k].name, name, len) == 0)
            return classes[k].in;
    return 0;
}

/* The end of "[:name:]" at `p`, NULL when there is none. */
static const char *class_end(const char *p, const char *end)
{
    if (end - p < 4 || p[0] != '[' || p[1] != ':')
        return NULL;
    for (const char *q = p + 2; q + 1 < end; q++) {
        if (q[0] == ':' && q[1] == ']')
            return q + 2;
        if (*q < 'a' || *q > 'z')
            return NULL;
    }
    return NULL;
}

/* The byte behind the `]` of the set that begins with the `[` at `p`; NULL when the set is never closed. */
static const char *set_end(const char *p, const char *end)
{
    p++;
    if (p < end && (*p == '!' || *p == '^'))
        p++;
    for (const char *first = p; p < end; p++) {
        const char *named = class_end(p, end);
        if (named)
            p = named - 1;
        else if (*p == '\\')
            p++;
        else if (*p == ']' && p > first)
            return p + 1;
    }
    return NULL;
}

/* One character of a set, perhaps escaped, at *p. */
static uint32_t set_char(const char **p, const char *end)
{
    uint32_t c;
    if (**p == '\\' && *p + 1 < end)
        ++*p;
    *p += decode(*p, end, &c);
    return c;
}

/* 1 when `c` is in the set from `p` (behind the `[`) to `end` (at its `]`). */
static int in_set(const char *p, const char *end, uint32_t c)
{
    int negated = *p == '!' || *p == '^', found = 0;
    p += negated;
    while (p < end) {
        const char *named = class_end(p, end);
        if (named) {
            found |= in_class(c, p + 2, (size_t)(named - p) - 4);
            p = named;
            continue;
        }
        uint32_t low = set_char(&p, end), high = low;
        if (end - p >= 2 && *p == '-') {
            p++;
            high = set_char(&p, end);
        }
        found |= c >= low && c <= high;
    }
    return found != negated;
}

/*
 * Matches one character of `s` against the single element at *p (no star) and moves both behind it. A leading
 * dot of a name is matched only by a dot.
 */
static int match_one(const char **p, const char *pend, const char **s, const char *send, int leading)
{
    uint32_t c;
    size_t n = decode(*s, send, &c);
    const char *set = **p == '[' ? set_end(*p, pend) : NULL;
    if (set || **p == '?') {
        if ((leading && c == '.') || (set && !in_set(*p + 1, set - 1, c)))
            return 0;
        *p = set ? set : *p + 1;
        *s += n;
        return 1;
    }
    const char *literal = **p == '\\' && *p + 1 < pend ? *p + 1 : *p;
    if (*literal != **s)
        return 0;
    *p = literal + 1;
    ++*s;
    return 1;
}

/* `dots`: a leading dot is a character like any other. */
static int match(const char *pattern, size_t pattern_len, const char *name, size_t name_len, int dots)
{
    const char *p = pattern, *pend = pattern + pattern_len, *s = name, *send = name + name_len;
    const char *star = NULL, *back = NULL;
    while (s < send) {
        if (p < pend && *p == '*') {
            if (!dots && s == name && *s == '.')
                return 0;
            star = ++p;
            back = s;
        } else if (p < pend && match_one(&p, pend, &s, send, !dots && s == name)) {
            continue;
        } else if (star) {
            uint32_t c;
            back += decode(back, send, &c);
            p = star;
            s = back;
        } else {
            return 0;
        }
    }
    while (p < pend && *p == '*')
        p++;
    return p == pend;
}

int glob_match_name(const char *pattern, size_t pattern_len, const char *name, size_t name_len)
{
    return match(pattern, pattern_len, name, name_len, 0);
}

int glob_match_text(const char *pattern, size_t pattern_len, const char *text, size_t len)
{
    return match(pattern, pattern_len, text, len, 1);
}

/* The length of the component at *at of a path of `len` bytes (slashes before it are passed); 0 when there is
 * none. */
static size_t next_component(const char *path, size_t len, size_t *at)
{
    while (*at < len && path[*at] == '/')
        ++*at;
    size_t end = *at;
    while (end < len && path[end] != '/')
        end++;
    return end - *at;
}

static int is_any_depth(const char *component, size_t len)
{
    return len == 2 && component[0] == '*' && component[1] == '*';
}

/* The components of `path` against those of `pattern`, as glob_match_name does with characters. */
static int match_components(const char *pattern, size_t pattern_len, const char *path, size_t path_len)
{
    size_t p = 0, s = 0, star = 0, back = 0;
    int starred = 0;
    for (;;) {
        size_t sn = next_component(path, path_len, &s), pn = next_component(pattern, pattern_len, &p);
        if (is_any_depth(pattern + p, pn)) {
            p += pn;
            star = p;
            back = s;
            starred = 1;
        } else if (sn == 0 && pn == 0) {
            return 1;
        } else if (sn && pn && glob_match_name(pattern + p, pn, path + s, sn)) {
            p += pn;
            s += sn;
        } else if (starred && sn) {
            size_t n = next_component(path, path_len, &back);
            if (path[back] == '.')
                return 0;
            back += n;
            p = star;
            s = back;
        } else {
            return 0;
        }
    }
}

static int ends_with_slash(const char *s, size_t len)
{
    return len && s[len - 1] == '/';
}

/* The pattern without a final `**`: to that the last component of a path is left. */
static size_t without_final_depth(const char *pattern, size_t len)
{
    if (len >= 2 && is_any_depth(pattern + len - 2, 2) && (len == 2 || pattern[len - 3] == '/'))
        return len - 2;
    return len;
}

static size_t last_component(const char *path, size_t len)
{
    while (len && path[len - 1] != '/')
        len--;
    return len;
}

int glob_is_pattern(const char *text)
{
    for (; *text; text++) {
        if (*text == '*' || *text == '?' || *text == '[')
            return 1;
        if (*text == '\\' && !*++text)
            return 0;
    }
    return 0;
}

size_t glob_base(const char *pattern)
{
    size_t len = strcspn(pattern, "*?[\\");
    while (len > 0 && pattern[len - 1] != '/')
        len--;
    return len;
}

void glob_escape(deja_buffer *b, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (memchr("*?[\\", text[i], 4))
            deja_buffer_add_char(b, '\\');
        deja_buffer_add_char(b, text[i]);
    }
}

void glob_unescape(deja_buffer *b, const char *pattern)
{
    for (; *pattern; pattern++) {
        if (*pattern == '\\' && pattern[1])
            pattern++;
        deja_buffer_add_char(b, *pattern);
    }
}

int glob_match(const char *pattern, const char *path)
{
    size_t pattern_len = strlen(pattern), path_len = strlen(path);
    if ((*pattern == '/') != (*path == '/') ||
        ends_with_slash(pattern, pattern_len) != ends_with_slash(path, path_len))
        return 0;
    size_t depth = without_final_depth(pattern, pattern_len);
    if (depth == pattern_len)
        return match_components(pattern, pattern_len, path, path_len);
    size_t last = last_component(path, path_len);
    return last < path_len && path[last] != '.' && match_components(pattern, pattern_len, path, last);
}
