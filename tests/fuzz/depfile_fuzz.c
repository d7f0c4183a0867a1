/*
 * Any bytes as a depfile: the parse ends, and a name that is written as compilers escape it is read back.
 */
#include "depfile.h"
#include "replay.h"

static int look(void *context, const char *path, deja_error *err)
{
    (void)err;
    require(*path != 0, "an empty name");
    return *(const char **)context && strcmp(path, *(const char **)context) != 0 ? DEJA_EINVAL : 0;
}

/* As gcc does (libcpp, mkdeps.cc): backslashes in front of a blank are doubled. */
static void escape(deja_buffer *b, const char *name)
{
    size_t slashes = 0;
    for (const char *p = name; *p; p++) {
        for (size_t i = 0; (*p == ' ' || *p == '\t') && i <= slashes; i++)
            deja_buffer_add_char(b, '\\');
        if (*p == '#')
            deja_buffer_add_char(b, '\\');
        if (*p == '$')
            deja_buffer_add_char(b, '$');
        deja_buffer_add_char(b, *p);
        slashes = *p == '\\' ? slashes + 1 : 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEJA_AUTO_FREE char *name = deja_dup(data, size);
    DEJA_AUTO_BUFFER deja_buffer rule = {0};
    const char *expected = NULL;
    require(name != NULL, "out of memory");
    (void)depfile_parse((const char *)data, size, look, &expected, NULL);
    size_t len = strlen(name);
    if (len == 0 || strpbrk(name, "\n\r") || strstr(name, "\\:") || name[len - 1] == '\\')
        return 0;
    deja_buffer_add_string(&rule, "x.o: ");
    escape(&rule, name);
    deja_buffer_add_string(&rule, " \n");
    expected = name;
    require(depfile_parse(rule.data, rule.len, look, &expected, NULL) == 0, "escaped it is read as another");
    return 0;
}
