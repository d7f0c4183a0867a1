#ifndef BATCH_FIXTURE_H
#define BATCH_FIXTURE_H
/*
 * Batches and files for tests of the jobs layer, in the scratch folder of the case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "batch.h"
#include "scratch.h"
#include <string.h>

static inline void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* The content of a file in static memory, NULL when it is not there. */
static inline const char *read_file(const char *path)
{
    static char text[65536];
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

/* `text` as batch file of the working directory. */
static inline batch *load(const char *text)
{
    char folder[4096];
    deja_error err;
    batch *b;
    assert_non_null(getcwd(folder, sizeof folder));
    if (batch_load_text(&b, "deja.yaml", text, strlen(text), folder, &err) < 0)
        fail_msg("%s", err.text);
    return b;
}

#endif
