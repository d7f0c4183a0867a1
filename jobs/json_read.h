#ifndef JSON_READ_H
#define JSON_READ_H
/*
 * JSON (RFC 8259) read from memory, a value at a time, for records that json.h wrote; they may be cut or
 * damaged, and then reading ends softly: `failed` is set, and what is read is nothing. No tree is made.
 *
 *     json_reader r = {.at = text, .end = text + len};
 *     json_enter(&r, '{');
 *     while (json_next_member(&r, &name))
 *         if (!strcmp(name.data, "job")) json_take_string(&r, &job); else json_skip(&r);
 */
#include <deja/buffer.h>

typedef struct json_reader {
    const char *at, *end;
    int failed;
    int first; /* private: no comma before the next one */
} json_reader;

/* The bracket that begins an object or a list. */
void json_enter(json_reader *r, char bracket);

/* The name of the next member of the object: 1, and its value is next; 0 behind the last one. A name is
 * NUL-terminated, what follows a NUL in it is cut. */
int json_next_member(json_reader *r, deja_buffer *name);

/* 1 when another element of the list follows; 0 behind the last one. */
int json_next_element(json_reader *r);

/* A string, or bytes that were written as {"base64":"..."}; replaces what is in `b`. */
void json_take_string(json_reader *r, deja_buffer *b);

/* The bytes of a base64 string, as of a member NAME_base64. */
void json_take_base64(json_reader *r, deja_buffer *b);

int64_t json_take_int(json_reader *r);

/* Decimal seconds as nanoseconds. */
int64_t json_take_seconds(json_reader *r);

/* 1 when a number is next; null, say, is none. */
int json_is_number(const json_reader *r);

/* Passes over any value. */
void json_skip(json_reader *r);

#endif
