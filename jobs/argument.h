#ifndef ARGUMENT_H
#define ARGUMENT_H
/*
 * Arguments in keys of functions, for people: of a canonical encoding (deja/encoding.h) a scalar can be
 * shown, of the rest only kind and hash.
 */
#include <deja/buffer.h>

/* A scalar as JSON writes it; "array f64 2x3 HASH", "bytes HASH", "list HASH", "map HASH", "file HASH";
 * "unknown HASH" of what is no encoding of format 1. The HASH of an array or file is that of its content. */
void argument_text(deja_buffer *b, const void *encoding, size_t len);

#endif
