/* JSON read, see json_read.h. */
#include "json_read.h"
#include <deja/clock.h>
#include <string.h>

enum { DEPTH = 64 }; /* of values within values that are passed over */

static void skip_blanks(json_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n'))
        r->at++;
}

/* The next byte that is no blank, 0 at the end. */
static char peek(json_reader *r)
{
    skip_blanks(r);
    return r->at < r->end && !r->failed ? *r->at : '\0';
}

static int take(json_reader *r, char c)
{
    if (peek(r) != c) {
        r->failed = 1;
        return 0;
    }
    r->at++;
    return 1;
}

void json_enter(json_reader *r, char bracket)
{
    take(r, bracket);
    r->first = 1;
}

/* 1 when something follows in what `bracket` closes. */
static int goes_on(json_reader *r, char bracket)
{
    if (peek(r) == bracket) {
        r->at++;
        r->first = 0;
        return 0;
    }
    if (!r->first)
        take(r, ',');
    r->first = 0;
    r->failed |= peek(r) == '\0';
    return !r->failed;
}

static void add_utf8(deja_buffer *b, uint32_t c)
{
    if (c >= 0x10000)
        deja_buffer_add_char(b, (char)(0xf0 | c >> 18));
    else if (c >= 0x800)
        deja_buffer_add_char(b, (char)(0xe0 | c >> 12));
    else if (c >= 0x80)
        deja_buffer_add_char(b, (char)(0xc0 | c >> 6));
    else
        deja_buffer_add_char(b, (char)c);
    if (c >= 0x10000)
        deja_buffer_add_char(b, (char)(0x80 | (c >> 12 & 0x3f)));
    if (c >= 0x800)
        deja_buffer_add_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
    if (c >= 0x80)
        deja_buffer_add_char(b, (char)(0x80 | (c & 0x3f)));
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The four digits of \uXXXX. */
static uint32_t take_unit(json_reader *r)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int digit = r->at < r->end ? digit_of(*r->at) : -1;
        if (digit < 0) {
            r->failed = 1;
            return 0;
        }
        unit = unit << 4 | (uint32_t)digit;
    }
    return unit;
}

static void take_unicode(json_reader *r, deja_buffer *b)
{
    uint32_t c = take_unit(r);
    if (c >= 0xd800 && c < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
        r->at += 2;
        uint32_t low = take_unit(r);
        c = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
    }
    add_utf8(b, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
}

static void take_escape(json_reader *r, deja_buffer *b)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    char c = r->at < r->end ? *r->at++ : '\0';
    const char *found = c ? strchr(letters, c) : NULL;
    if (c == 'u')
        take_unicode(r, b);
    else if (found)
        deja_buffer_add_char(b, meant[found - letters]);
    else
        r->failed = 1;
}

/* A string in quotes; `b` NULL passes over it. */
static void take_text(json_reader *r, deja_buffer *b)
{
    deja_buffer passed = {0};
    deja_buffer *to = b ? b : &passed;
    deja_buffer_clear(to);
    if (!take(r, '"'))
        return;
    while (!r->failed && r->at < r->end && *r->at != '"') {
        const char *from = r->at;
        while (r->at < r->end && *r->at != '"' && *r->at != '\\')
            r->at++;
        if (b)
            deja_buffer_add(to, from, (size_t)(r->at - from));
        if (r->at < r->end && *r->at == '\\') {
            r->at++;
            take_escape(r, to);
        }
    }
    r->failed |= r->at >= r->end || to->failed;
    r->at += !r->failed;
    deja_buffer_done(&passed);
}

int json_next_member(json_reader *r, deja_buffer *name)
{
    if (!goes_on(r, '}'))
        return 0;
    take_text(r, name);
    take(r, ':');
    if (r->failed)
        return 0;
    if (!name->data)
        deja_buffer_add(name, "", 0);
    return 1;
}

int json_next_element(json_reader *r)
{
    return goes_on(r, ']');
}

/* Decodes in place. */
static void decode_base64(json_reader *r, deja_buffer *b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned count = 0;
    size_t len = 0;
    for (size_t i = 0; i < b->len && b->data[i] != '='; i++) {
        const char *digit = b->data[i] ? strchr(digits, b->data[i]) : NULL;
        r->failed |= !digit;
        bits = bits << 6 | (uint32_t)(digit ? digit - digits : 0);
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        b->data[len++] = (char)(bits >> count);
    }
    b->len = len;
    if (b->data)
        b->data[len] = '\0';
}

void json_take_base64(json_reader *r, deja_buffer *b)
{
    take_text(r, b);
    decode_base64(r, b);
}

void json_take_string(json_reader *r, deja_buffer *b)
{
    if (peek(r) != '{') {
        take_text(r, b);
        return;
    }
    deja_buffer name = {0};
    json_enter(r, '{');
    while (json_next_member(r, &name)) {
        if (!strcmp(deja_buffer_string(&name), "base64"))
            json_take_base64(r, b);
        else
            json_skip(r);
    }
    deja_buffer_done(&name);
}

int json_is_number(const json_reader *r)
{
    json_reader look = *r;
    char c = peek(&look);
    return c == '-' || (c >= '0' && c <= '9');
}

/* The whole part; digits that do not fit make the largest number. */
static int64_t take_digits(json_reader *r)
{
    uint64_t v = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        uint64_t digit = (uint64_t)(*r->at++ - '0');
        v = v > (INT64_MAX - digit) / 10 ? INT64_MAX : v * 10 + digit;
    }
    return (int64_t)v;
}

int64_t json_take_int(json_reader *r)
{
    if (!json_is_number(r)) {
        json_skip(r);
        return 0;
    }
    int negative = peek(r) == '-';
    r->at += negative;
    int64_t v = take_digits(r);
    while (r->at < r->end && *r->at && strchr(".eE+-0123456789", *r->at))
        r->at++;
    return negative ? -v : v;
}

int64_t json_take_seconds(json_reader *r)
{
    if (!json_is_number(r)) {
        json_skip(r);
        return 0;
    }
    int negative = peek(r) == '-';
    r->at += negative;
    int64_t whole = take_digits(r), ns = 0, unit = DEJA_S_NS / 10;
    if (r->at < r->end && *r->at == '.')
        for (r->at++; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, unit /= 10)
            ns += (*r->at - '0') * unit;
    ns += whole > INT64_MAX / DEJA_S_NS - 1 ? INT64_MAX - DEJA_S_NS : whole * DEJA_S_NS;
    return negative ? -ns : ns;
}

void json_skip(json_reader *r)
{
    int depth = 0;
    do {
        char c = peek(r);
        if (c == '"') {
            take_text(r, NULL);
        } else if (c == '{' || c == '[') {
            depth++;
            r->at++;
            r->failed |= depth > DEPTH;
        } else if (c == '}' || c == ']') {
            depth--;
            r->at++;
        } else if (c && (depth || (c != ',' && c != ':'))) {
            r->at++;
            while (r->at < r->end && !strchr(",:]}[{\" \t\r\n", *r->at))
                r->at++;
        } else {
            r->failed = 1;
        }
    } while (!r->failed && depth > 0);
    r->failed |= depth < 0;
}
