#ifndef JSON_H
#define JSON_H
/*
 * JSON (RFC 8259) appended to a buffer, a member at a time, for lines that are written by the million: no
 * tree, no allocation but the buffer's. Commas are put where they belong by looking at the last byte. A
 * string is always valid UTF-8; bytes that are not go by their own name, as base64 (RFC 4648, section 4).
 * Sticky as the buffer is. `key` may be NULL: an element of a list.
 */
#include <deja/buffer.h>
#include <deja/hash.h>

void json_open(deja_buffer *b, const char *key, char bracket); /* '{' or '[' */
void json_close(deja_buffer *b, char bracket);                 /* '}' or ']' */

/* Text that is known to be UTF-8 and NUL-terminated: names that deja itself chose. */
void json_word(deja_buffer *b, const char *key, const char *word);

/* "KEY":"text", or "KEY_base64":"..." where the bytes are not UTF-8; without a key {"base64":"..."}. */
void json_bytes(deja_buffer *b, const char *key, const void *data, size_t len);
void json_string(deja_buffer *b, const char *key, const char *text);

/* Any bytes as a member's name of an object: bytes that are not UTF-8 become \ufffd. Follow with a call whose
 * key is NULL. */
void json_name(deja_buffer *b, const char *name, size_t len);

void json_int(deja_buffer *b, const char *key, int64_t v);
void json_bool(deja_buffer *b, const char *key, int v);
void json_null(deja_buffer *b, const char *key);
void json_hash(deja_buffer *b, const char *key, const deja_hash *h); /* 32 hexadecimal digits */

/* Nanoseconds as decimal seconds, exact, without trailing zeros: 1.5 */
void json_seconds(deja_buffer *b, const char *key, int64_t ns);

/* A moment since 1970-01-01 UTC, as stamp_add writes it. */
void json_time(deja_buffer *b, const char *key, int64_t wall_ns);

/* The inside of a string and of base64, for writing long ones in parts: any multiple of three bytes but in
 * the last part. */
void json_escape(deja_buffer *b, const char *text, size_t len);
void json_base64(deja_buffer *b, const void *data, size_t len);

#endif
