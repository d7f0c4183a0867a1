/* JSON appended to a buffer, see json.h. */
#include "json.h"
#include "stamp.h"
#include <deja/cleanup.h>
#include <deja/text.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

static void comma(deja_buffer *b)
{
    if (b->len == 0)
        return;
    char last = b->data[b->len - 1];
    if (last != '{' && last != '[' && last != ':' && last != '\n')
        deja_buffer_add_char(b, ',');
}

static void begin(deja_buffer *b, const char *key)
{
    comma(b);
    if (!key)
        return;
    deja_buffer_add_char(b, '"');
    deja_buffer_add_string(b, key);
    deja_buffer_add(b, "\":", 2);
}

static void escape_control(deja_buffer *b, unsigned c)
{
    char text[6] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
    if (c == '\n')
        deja_buffer_add(b, "\\n", 2);
    else if (c == '\t')
        deja_buffer_add(b, "\\t", 2);
    else if (c == '\r')
        deja_buffer_add(b, "\\r", 2);
    else
        deja_buffer_add(b, text, sizeof text);
}

/* Bytes at `s` that stand for themselves in a string. C1 controls (C2 80 to C2 9F) do not, as a line may be
 * read on a terminal. */
static size_t plain_run(const char *s, size_t len)
{
    size_t n = 0;
    for (; n < len; n++) {
        unsigned char c = (unsigned char)s[n];
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
            break;
        if (c == 0xc2 && n + 1 < len && (unsigned char)s[n + 1] < 0xa0)
            break;
    }
    return n;
}

void json_escape(deja_buffer *b, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = plain_run(text + at, len - at);
        deja_buffer_add(b, text + at, n);
        at += n;
        if (at == len)
            return;
        unsigned char c = (unsigned char)text[at++];
        if (c == '"' || c == '\\') {
            char pair[2] = {'\\', (char)c};
            deja_buffer_add(b, pair, 2);
        } else if (c == 0xc2) {
            escape_control(b, (unsigned char)text[at++]);
        } else {
            escape_control(b, c);
        }
    }
}

void json_base64(deja_buffer *b, const void *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    for (size_t at = 0; at < len; at += 3) {
        size_t n = len - at < 3 ? len - at : 3;
        unsigned v = (unsigned)p[at] << 16 | (n > 1 ? (unsigned)p[at + 1] << 8 : 0) | (n > 2 ? p[at + 2] : 0);
        char text[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                        n > 2 ? digits[v & 63] : '='};
        deja_buffer_add(b, text, sizeof text);
    }
}

static void quoted(deja_buffer *b, const char *text, size_t len)
{
    deja_buffer_add_char(b, '"');
    json_escape(b, text, len);
    deja_buffer_add_char(b, '"');
}

void json_open(deja_buffer *b, const char *key, char bracket)
{
    begin(b, key);
    deja_buffer_add_char(b, bracket);
}

void json_close(deja_buffer *b, char bracket)
{
    deja_buffer_add_char(b, bracket);
}

void json_word(deja_buffer *b, const char *key, const char *word)
{
    begin(b, key);
    quoted(b, word, strlen(word));
}

void json_bytes(deja_buffer *b, const char *key, const void *data, size_t len)
{
    if (deja_text_is_utf8(data, len)) {
        begin(b, key);
        quoted(b, data, len);
        return;
    }
    begin(b, NULL);
    if (key)
        deja_buffer_addf(b, "\"%s_base64\":\"", key);
    else
        deja_buffer_add_string(b, "{\"base64\":\"");
    json_base64(b, data, len);
    deja_buffer_add_string(b, key ? "\"" : "\"}");
}

void json_string(deja_buffer *b, const char *key, const char *text)
{
    json_bytes(b, key, text, strlen(text));
}

void json_name(deja_buffer *b, const char *name, size_t len)
{
    begin(b, NULL);
    deja_buffer_add_char(b, '"');
    for (size_t at = 0; at < len;) {
        size_t n = deja_text_utf8(name + at, len - at);
        if (n)
            json_escape(b, name + at, n);
        else
            deja_buffer_add_string(b, "\\ufffd");
        at += n ? n : 1;
    }
    deja_buffer_add(b, "\":", 2);
}

void json_int(deja_buffer *b, const char *key, int64_t v)
{
    char text[21];
    size_t at = sizeof text;
    uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (v < 0)
        text[--at] = '-';
    begin(b, key);
    deja_buffer_add(b, text + at, sizeof text - at);
}

void json_bool(deja_buffer *b, const char *key, int v)
{
    begin(b, key);
    deja_buffer_add_string(b, v ? "true" : "false");
}

void json_null(deja_buffer *b, const char *key)
{
    begin(b, key);
    deja_buffer_add_string(b, "null");
}

void json_hash(deja_buffer *b, const char *key, const deja_hash *h)
{
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(h, hex);
    json_word(b, key, hex);
}

void json_time(deja_buffer *b, const char *key, int64_t wall_ns)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    stamp_add(&text, wall_ns);
    b->failed |= text.failed;
    json_word(b, key, deja_buffer_string(&text));
}

void json_seconds(deja_buffer *b, const char *key, int64_t ns)
{
    char fraction[10] = {'.'};
    size_t len = 0;
    uint64_t value = ns < 0 ? 0 : (uint64_t)ns;
    uint64_t rest = value % 1000000000u;
    for (size_t i = 9; i >= 1; i--) {
        fraction[i] = (char)('0' + rest % 10);
        if (rest % 10 && !len)
            len = i + 1;
        rest /= 10;
    }
    json_int(b, key, (int64_t)(value / 1000000000u));
    deja_buffer_add(b, fraction, len);
}
