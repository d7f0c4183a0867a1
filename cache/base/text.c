/*
 * Text that goes to a terminal: UTF-8 told from other bytes, and what a terminal would obey made visible.
 */
#include <deja/text.h>

static int is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* C0, DEL, and C1 (U+0080 to U+009F, two bytes C2 80 to C2 9F): ECMA-48, sections 5.2 and 5.3. */
static int is_control(const char *s, size_t n)
{
    unsigned char c = (unsigned char)s[0];
    if (n == 1)
        return c < 0x20 || c == 0x7F;
    return n == 2 && c == 0xC2 && (unsigned char)s[1] < 0xA0;
}

static void escape_bytes(deja_buffer *b, const char *s, size_t n)
{
    if (n == 1 && *s == '\n')
        deja_buffer_add_string(b, "\\n");
    else if (n == 1 && *s == '\t')
        deja_buffer_add_string(b, "\\t");
    else
        for (size_t i = 0; i < n; i++)
            deja_buffer_addf(b, "\\x%02x", (unsigned char)s[i]);
}

void deja_text_escape(deja_buffer *b, const char *text, size_t len)
{
    size_t plain = 0; /* bytes before `at` that go out as they are */
    for (size_t at = 0; at < len;) {
        size_t n = deja_text_utf8(text + at, len - at);
        if (n && !is_control(text + at, n)) {
            plain += n;
            at += n;
            continue;
        }
        deja_buffer_add(b, text + at - plain, plain);
        escape_bytes(b, text + at, n + !n);
        at += n + !n;
        plain = 0;
    }
    deja_buffer_add(b, text + len - plain, plain);
}

/* RFC 3629, section 4: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t deja_text_utf8(const char *s, size_t len)
{
    if (!len)
        return 0;
    unsigned char c = (unsigned char)s[0];
    unsigned char second = len > 1 ? (unsigned char)s[1] : 0;
    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF)
        return len >= 2 && is_continuation(s[1]) ? 2 : 0;
    if (c >= 0xE0 && c <= 0xEF) {
        int fits = (c != 0xE0 || second >= 0xA0) && (c != 0xED || second < 0xA0);
        return len >= 3 && fits && is_continuation(s[1]) && is_continuation(s[2]) ? 3 : 0;
    }
    if (c >= 0xF0 && c <= 0xF4) {
        int fits = (c != 0xF0 || second >= 0x90) && (c != 0xF4 || second < 0x90);
        return len >= 4 && fits && is_continuation(s[1]) && is_continuation(s[2]) && is_continuation(s[3])
                   ? 4
                   : 0;
    }
    return 0;
}

int deja_text_is_utf8(const char *s, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = deja_text_utf8(s + at, len - at);
        if (!n)
            return 0;
        at += n;
    }
    return 1;
}
