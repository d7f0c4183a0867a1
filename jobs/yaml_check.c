/*
 * Checks around libyaml. The directives are refused here since libyaml 0.2.5 compares each %TAG with all
 * others.
 */
#include "yaml_check.h"
#include "yaml_tree.h"
#include <deja/text.h>
#include <string.h>

/* One of libyaml's complaints and what we say instead. */
typedef struct phrase {
    const char *problem;
    const char *text;
} phrase;

static const char no_directives[] = "directives are not supported, except one '%YAML 1.2'";

static const phrase phrases[] = {
    {"found unexpected ':'", "unexpected ':': text that holds it needs quotes"},
    {"mapping values are not allowed in this context",
     "unexpected ':': text that holds ': ' needs quotes, or this line is indented wrongly"},
    {"did not find expected key", "expected 'word: value' here: is the line indented like its neighbours?"},
    {"could not find expected ':'", "expected ':' and a value after this word"},
    {"did not find expected '-' indicator",
     "expected '- ' here: is the line indented like the other items of its list?"},
    {"did not find expected ',' or ']'", "expected ',' or ']' in this list"},
    {"did not find expected ',' or '}'", "expected ',' or '}' in this map"},
    {"did not find expected node content", "expected a value here"},
    {"block sequence entries are not allowed in this context",
     "an item '- ' cannot stand here: it begins a line of its own"},
    {"mapping keys are not allowed in this context", "a key '? ' cannot stand here"},
    {"did not find expected <document start>", "expected '---' after a directive"},
    {"found unexpected end of stream", "the file ends inside quotes"},
    {"found unexpected document indicator", "'---' or '...' inside quotes"},
    {"found a tab character that violates indentation", "a tab cannot indent: use blanks"},
    {"found a tab character where an indentation space is expected", "a tab cannot indent: use blanks"},
    {"found unknown escape character", "unknown escape: in \"...\" a backslash is written '\\\\'"},
    {"did not find expected hexdecimal number", "expected hexadecimal digits after '\\x', '\\u' or '\\U'"},
    {"found invalid Unicode character escape code", "this escape is no Unicode character"},
    {"did not find expected alphabetic or numeric character",
     "text that begins with '*' or '&' needs quotes"},
    {"found undefined tag handle", "tags are not supported: text that begins with '!' needs quotes"},
    {"did not find expected comment or line break", "expected the end of the line after '|' or '>'"},
    {"found an indentation indicator equal to 0", "an indentation indicator is 1 to 9"},
    {"found incompatible YAML document", "this is not YAML 1.1 or 1.2"},
    {"control characters are not allowed", "a control character: in a text it is written as \"\\xNN\""},
};

static int starts(const source *s, size_t at, const char *with)
{
    size_t n = strlen(with);
    return s->len - at >= n && memcmp(s->text + at, with, n) == 0;
}

/* Bytes of the line break at `at` as libyaml sees it (YAML 1.1: CR, LF, NEL, LS, PS), 0 when there is none.
 */
static size_t line_break(const source *s, size_t at)
{
    static const char *const wide[] = {"\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};
    unsigned char c = (unsigned char)s->text[at];
    if (c < 0x80)
        return c == '\n' || c == '\r';
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (starts(s, at, wide[i]))
            return strlen(wide[i]);
    return 0;
}

static size_t skip_line(const source *s, size_t at)
{
    while (at < s->len && !line_break(s, at))
        at++;
    return at;
}

/* The first byte from `at` on that is no blank, comment or line break. `*ret_column` is its distance from the
 * line's begin. */
static size_t skip_blank(const source *s, size_t at, size_t *ret_column)
{
    size_t line = at;
    for (;;) {
        while (at < s->len && (s->text[at] == ' ' || s->text[at] == '\t'))
            at++;
        if (at < s->len && s->text[at] == '#')
            at = skip_line(s, at);
        size_t n = at < s->len ? line_break(s, at) : 0;
        if (!n)
            break;
        at += n;
        line = at;
    }
    *ret_column = at - line;
    return at;
}

/* Where the first byte that is no valid UTF-8 stands, s->len when all is well. */
static size_t find_invalid(const source *s)
{
    size_t at = 0;
    while (at < s->len) {
        size_t n = (unsigned char)s->text[at] < 0x80 ? 1 : deja_text_utf8(s->text + at, s->len - at);
        if (!n)
            break;
        at += n;
    }
    return at;
}

static int check_encoding(const source *s, deja_error *err)
{
    mark none = {0};
    if (s->len >= 2 && (starts(s, 0, "\xFF\xFE") || starts(s, 0, "\xFE\xFF") || !s->text[0] || !s->text[1]))
        return source_fail(s, none, err,
                           "this is UTF-16 or UTF-32, or no text at all: save the file as UTF-8");
    size_t invalid = find_invalid(s);
    if (invalid == s->len)
        return 0;
    return source_fail(s, source_mark(s, invalid), err,
                       "the byte 0x%02X is not valid UTF-8: save the file as UTF-8",
                       (unsigned char)s->text[invalid]);
}

int yaml_check_text(const source *s, int *ret_empty, deja_error *err)
{
    if (s->len > YAML_FILE_BYTES)
        return deja_fail(err, DEJA_ELIMIT, "%s: larger than 64 MB", s->path);
    int code = check_encoding(s, err);
    if (code)
        return code;
    size_t column, at = skip_blank(s, starts(s, 0, "\xEF\xBB\xBF") ? 3 : 0, &column);
    if (at < s->len && column == 0 && starts(s, at, "%YAML "))
        at = skip_blank(s, skip_line(s, at), &column);
    if (at < s->len && column == 0 && s->text[at] == '%')
        return source_fail(s, source_mark(s, at), err, "%s", no_directives);
    *ret_empty = at == s->len;
    return 0;
}

int yaml_check_rest(const source *s, size_t offset, int ended, deja_error *err)
{
    size_t column, at = offset < s->len ? skip_blank(s, offset, &column) : s->len;
    while (at < s->len && starts(s, at, "..."))
        at = skip_blank(s, at + 3, &column);
    if (at == s->len)
        return 0;
    if (starts(s, at, "---"))
        return source_fail(s, source_mark(s, at), err,
                           "a second document begins here: a file holds only one");
    return source_fail(s, source_mark(s, at), err, "expected the end of the file%s",
                       ended ? "" : ": is this line indented like the first one?");
}

/* An expression without quotes inside [...] or {...}: YAML takes its braces for a map. */
static int is_bare_expression(const source *s, size_t at)
{
    return at >= 1 && s->text[at - 1] == '$' && starts(s, at, "{{");
}

static const char *phrase_of(const char *problem)
{
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (strcmp(phrases[i].problem, problem) == 0)
            return phrases[i].text;
    return problem;
}

static mark mark_before(mark at)
{
    return (mark){.line = at.line, .column = at.column - 1, .offset = at.offset - 1, .file = at.file};
}

/* 1 when the line has something before `at`. */
static int is_inside_line(const source *s, size_t at)
{
    while (at > 0 && (s->text[at - 1] == ' ' || s->text[at - 1] == '\t'))
        at--;
    return at > 0 && s->text[at - 1] != '\n' && s->text[at - 1] != '\r';
}

/* What is not supported anyway need not be written rightly. */
static const char *unsupported(const char *context)
{
    if (strstr(context, " tag"))
        return phrase_of("found undefined tag handle");
    return strstr(context, "directive") ? no_directives : NULL;
}

/* A complaint about the end of the text is shown behind the last word. */
static mark last_word(const source *s, mark at)
{
    size_t end = s->len;
    while (end > 0 && strchr(" \t\r\n", s->text[end - 1]))
        end--;
    return at.offset < end || end == 0 ? at : source_mark(s, end);
}

static int cannot_begin(const source *s, mark at, deja_error *err)
{
    char c = s->text[at.offset];
    return c == '\t' ? source_fail(s, at, err, "a tab cannot indent: use blanks")
                     : source_fail(s, at, err, "text that begins with '%c' needs quotes", c);
}

/* What stands where a key was expected. */
static int not_a_key(const source *s, mark at, deja_error *err)
{
    if (is_inside_line(s, at.offset))
        return source_fail(s, at, err, "unexpected text after a value: quotes go around all of it");
    if (starts(s, at.offset, "- "))
        return source_fail(s, at, err, "unexpected '- ': is it indented like the other items of its list?");
    return source_fail(s, at, err, "%s", phrase_of("did not find expected key"));
}

int yaml_problem(const source *s, mark at, mark begin, const char *problem, const char *context,
                 deja_error *err)
{
    int in_text = at.offset < s->len,
        ends = !in_text || strcmp(problem, "found unexpected end of stream") == 0;
    if (is_bare_expression(s, at.offset))
        return source_fail(s, mark_before(at), err,
                           "an expression inside [...] or {...} needs quotes: \"${{ ... }}\"");
    if (in_text && strcmp(problem, "found character that cannot start any token") == 0)
        return cannot_begin(s, at, err);
    if (in_text && strcmp(problem, "did not find expected key") == 0)
        return not_a_key(s, at, err);
    if (ends && begin.line && context && strstr(context, "quoted"))
        return source_fail(s, begin, err, "these quotes are never closed");
    if (in_text && !s->text[at.offset] && strstr(problem, "control characters"))
        return source_fail(s, at, err, "a NUL character in a text: no program could be given it");
    if (begin.line && context && unsupported(context))
        return source_fail(s, begin, err, "%s", unsupported(context));
    if (begin.line &&
        (strcmp(problem, "could not find expected ':'") == 0 || strstr(problem, "alphabetic or numeric")))
        at = begin;
    at = last_word(s, at);
    if (begin.line && begin.line != at.line && strstr(problem, "',' or"))
        return source_fail(s, at, err, "%s, which begins in line %u", phrase_of(problem), begin.line);
    return source_fail(s, at, err, "%s", phrase_of(problem));
}
