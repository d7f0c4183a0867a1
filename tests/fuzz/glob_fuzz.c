/*
 * Any two lines as a pattern and a path: matching ends, and an escaped path matches itself.
 */
#include "glob.h"
#include "replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEJA_AUTO_FREE char *pattern = deja_dup(data, size);
    DEJA_AUTO_BUFFER deja_buffer escaped = {0};
    DEJA_AUTO_BUFFER deja_buffer back = {0};
    require(pattern != NULL, "out of memory");
    char *path = strchr(pattern, '\n');
    if (!path)
        return 0;
    *path++ = 0;
    (void)glob_match(pattern, path);
    glob_escape(&escaped, path, strlen(path));
    require(!glob_is_pattern(deja_buffer_string(&escaped)), "an escaped text is a pattern");
    require(glob_match(deja_buffer_string(&escaped), path), "an escaped path does not match itself");
    glob_unescape(&back, deja_buffer_string(&escaped));
    require(strcmp(deja_buffer_string(&back), path) == 0, "unescaped it is another");
    return 0;
}
