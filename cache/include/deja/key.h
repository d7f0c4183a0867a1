#ifndef DEJA_KEY_H
#define DEJA_KEY_H
/*
 * Keys: XXH3-128 over a canonical encoding of all that a result depends on. Every field carries its tag, its
 * name and its value with their lengths, so that no two different inputs encode alike. Values only: no
 * addresses, hosts or times.
 *
 * Encoding, integers little-endian:
 *     "deja" u8 format (1) u8 algorithm (1 = XXH3-128)
 *     field* = u8 tag, u32 length of name, name, u64 length of value, value
 * The order of fields is the caller's and must be canonical; golden vectors in tests/golden/ hold all of it
 * fixed for ever.
 */
#include <deja/buffer.h>
#include <deja/hash.h>

/* What a field says. Numbers are part of the format and never change. */
typedef enum deja_field_tag {
    DEJA_FIELD_KIND = 1,        /* value: "command", "function" or (of a batch) "call" */
    DEJA_FIELD_SCOPE = 2,       /* value: the scope that keeps projects apart */
    DEJA_FIELD_VERSION = 3,     /* value: the user's version string */
    DEJA_FIELD_WORD = 4,        /* value: one argv element; in order */
    DEJA_FIELD_TEXT = 5,        /* value: shell text after substitution */
    DEJA_FIELD_SHELL = 6,       /* value: one word of the shell's argv; in order */
    DEJA_FIELD_FOLDER = 7,      /* value: working directory */
    DEJA_FIELD_ENV = 8,         /* name: variable, value: its value */
    DEJA_FIELD_ENV_ABSENT = 9,  /* name: a variable that is not set */
    DEJA_FIELD_ENV_SECRET = 10, /* name: variable, value: 16 bytes, hash of its value */
    DEJA_FIELD_ENV_CLEAN = 11,  /* the environment is a clean one */
    DEJA_FIELD_PROGRAM = 12,    /* value: content of the program file; empty where none was found */
    DEJA_FIELD_INPUT = 13,      /* name: path, value: content */
    DEJA_FIELD_STDIN = 14,      /* name: path, value: content */
    DEJA_FIELD_OUTPUT = 15,     /* name: the output's name ("" without), value: its path */
    DEJA_FIELD_NEED = 16,       /* name: needed job, value: 16 bytes, hash of what it left */
    DEJA_FIELD_FUNCTION = 17,   /* value: the function's name */
    DEJA_FIELD_ARGUMENT = 18,   /* name: parameter ("" by place), value: canonical encoding of the value
                                   (deja/encoding.h); in order */
    DEJA_FIELD_BUILD = 19,      /* value: build-id of the object that holds the function */
    DEJA_FIELD_LIBRARY = 20,    /* name: path, value: content of the library; empty where a version stands
                                   for it */
    DEJA_FIELD_EXECUTABLE = 21, /* name: path of the file in the field before, which somebody may execute */
} deja_field_tag;

/* What is at a path, by content. Encoded in a field as u8 kind, u64 size, 16 bytes hash. */
typedef enum deja_content_kind {
    DEJA_CONTENT_ABSENT = 0,
    DEJA_CONTENT_FILE = 1,   /* hash of the bytes */
    DEJA_CONTENT_LINK = 2,   /* a symbolic link: hash of its target's text */
    DEJA_CONTENT_FOLDER = 3, /* an empty folder: hash of nothing */
} deja_content_kind;

typedef struct deja_content {
    uint8_t kind; /* deja_content_kind */
    deja_hash hash;
    uint64_t size; /* bytes */
} deja_content;

/* An encoding being written. Zeroed memory is ready; sticky like its buffer. One thread at a time. */
typedef struct deja_key {
    deja_buffer bytes;
} deja_key;

/* Empties it and writes the header and the kind of job ("command", "function"). */
DEJA_API void deja_key_begin(deja_key *k, const char *kind);
DEJA_API void deja_key_add(deja_key *k, deja_field_tag tag, const char *name, const void *value, size_t len);
DEJA_API void deja_key_add_string(deja_key *k, deja_field_tag tag, const char *name, const char *value);
DEJA_API void deja_key_add_content(deja_key *k, deja_field_tag tag, const char *name,
                                   const deja_content *content);

/* The hash of all that was added. 0 or DEJA_ENOMEM. */
DEJA_API int deja_key_finish(const deja_key *k, deja_hash *ret);
DEJA_API void deja_key_done(deja_key *k);

/* One field of an encoding, borrowed from it. `name` and `value` are not NUL-terminated. */
typedef struct deja_field {
    deja_field_tag tag;
    const char *name;
    uint32_t name_len;
    const unsigned char *value;
    uint64_t value_len;
} deja_field;

/*
 * Walks over an encoding: zero `*at` before the first call. 1 and a field, 0 at the end, DEJA_ECORRUPT when
 * the bytes are no encoding of format 1.
 */
DEJA_API int deja_field_next(const void *encoding, size_t len, size_t *at, deja_field *ret);

/* The content in the value of an INPUT, STDIN, PROGRAM or LIBRARY field. 0 or DEJA_ECORRUPT. */
DEJA_API int deja_field_content(const deja_field *field, deja_content *ret);

#endif
