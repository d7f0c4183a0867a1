#ifndef SAY_H
#define SAY_H
/*
 * Messages of the program to its user, on standard error, while no outbox is open; and texts on standard
 * output that are the result of a command. Control characters are escaped, newlines stay. One thread.
 */
#include <deja/buffer.h>

/* "deja: TEXT" as one or more lines appended to `b`; a text that begins with FILE:LINE (a batch's fault) has
 * no prefix. */
void say_format(deja_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_format_error(deja_buffer *b, const deja_error *err);

/* The same, written at once. Trouble with standard error is nobody's to hear of. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_error(const deja_error *err);

/* A fault in how a command was called: "deja: TEXT (see 'deja COMMAND --help')". */
void say_usage(const char *command, const deja_error *err);

/* Writes `b` to standard output: 0, or 1 after saying what went wrong. */
int say_output(const deja_buffer *b);

#endif
