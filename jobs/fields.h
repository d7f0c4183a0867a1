#ifndef FIELDS_H
#define FIELDS_H
/*
 * What a job is made of, as people and other programs read it: the fields of its key, and its parameters.
 */
#include "batch.h"
#include <deja/key.h>

/* "env", "input": the name of a tag. Static memory. */
const char *fields_tag(deja_field_tag tag);

/* The value of a field: contents as hexadecimal hash ("link HASH", "folder", "absent"), secrets as their
 * hash, arguments as argument_text() says, a build-id in hexadecimal; not escaped. */
void fields_text(deja_buffer *b, const deja_field *field);

/* All fields of an encoding, a line each: "  input      data/a.txt = HASH". Escaped. */
void fields_lines(deja_buffer *b, const void *encoding, size_t len);

/* "KEY":[["tag","name","value"],...]: the fields of an encoding. Contents and secrets as hexadecimal hash,
 * null for what is absent, arguments and build-ids as text. */
void fields_json(deja_buffer *b, const char *key, const void *encoding, size_t len);

/* "KEY":{"name":"value",...}: the parameters of an instance, by name. */
void fields_params(deja_buffer *b, const char *key, const batch_job *def, uint32_t index);

#endif
