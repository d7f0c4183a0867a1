/*
 * Any bytes as a batch file: it is loaded, or refused with a place and a message that no terminal could take
 * for a command.
 */
#include "batch.h"
#include "replay.h"
#include <deja/text.h>

/* Newlines and tabs are the layout of a message; nothing else in it may be a control character. */
static void check_message(const char *text)
{
    size_t len = strlen(text);
    require(strncmp(text, "fuzz.yaml:", 10) == 0, "a message without its file");
    require(deja_text_is_utf8(text, len), "a message that is not UTF-8");
    for (size_t i = 0; i < len; i++)
        require((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t',
                "a control character in a message");
    require(!strchr(text, '\n') || text[len - 1] == '^', "a line without a caret");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    batch *b = NULL;
    deja_error err;
    if (batch_load_text(&b, "fuzz.yaml", (const char *)data, size, "/", &err) < 0)
        check_message(err.text);
    else
        require(b && b->job_count > 0, "a batch without jobs");
    for (size_t i = 0; b && i < b->warning_count; i++)
        check_message(b->warnings[i]);
    batch_free(b);
    return 0;
}
