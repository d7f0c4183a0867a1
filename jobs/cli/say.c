/* Messages to the user, see say.h. */
#include "say.h"
#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/text.h>
#include <errno.h>
#include <string.h>

/* `text` with everything escaped but its newlines. */
static void add_lines(deja_buffer *b, const char *prefix, const char *text)
{
    deja_buffer_add_string(b, prefix);
    while (*text) {
        size_t len = strcspn(text, "\n");
        deja_text_escape(b, text, len);
        deja_buffer_add_char(b, '\n');
        text += len + (text[len] == '\n');
    }
}

__attribute__((format(printf, 2, 0))) static void format_lines(deja_buffer *b, const char *format,
                                                               va_list args)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_buffer_vaddf(&text, format, args);
    add_lines(b, "deja: ", deja_buffer_string(&text));
}

static void write_error(const deja_buffer *b)
{
    if (!b->failed)
        deja_file_write_all(STDERR_FILENO, b->data, b->len, "standard error", NULL);
}

void say_format(deja_buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    format_lines(b, format, args);
    va_end(args);
}

void say_format_error(deja_buffer *b, const deja_error *err)
{
    add_lines(b, err->code == DEJA_ESYNTAX ? "" : "deja: ", err->text);
}

void say(const char *format, ...)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    va_list args;
    va_start(args, format);
    format_lines(&b, format, args);
    va_end(args);
    write_error(&b);
}

void say_error(const deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    say_format_error(&b, err);
    write_error(&b);
}

void say_usage(const char *command, const deja_error *err)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    deja_text_escape(&text, err->text, strlen(err->text));
    say("%s (see 'deja %s%s--help')", deja_buffer_string(&text), command, *command ? " " : "");
}

int say_output(const deja_buffer *b)
{
    deja_error err;
    if (b->failed)
        deja_fail(&err, DEJA_ENOMEM, "out of memory");
    else if (!b->len || deja_file_write_all(STDOUT_FILENO, b->data, b->len, "standard output", &err) == 0)
        return 0;
    if ((errno = err.sys_errno))
        deja_fail_errno(&err, "write to standard output"); /* as a run says it */
    say_error(&err);
    return 1;
}
