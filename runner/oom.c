/* The OOM killer, see oom.h. */
#include "oom.h"

#include <deja/buffer.h>
#include <deja/cleanup.h>
#include <deja/file.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { text_most = 1 << 20 }; /* bytes of /proc/vmstat, which has some 5,000 */

int oom_read(const char *text, uint64_t *ret)
{
    static const char name[] = "oom_kill ";
    for (const char *at = text; (at = strstr(at, name)); at++) {
        char *end;
        if (at != text && at[-1] != '\n')
            continue;
        unsigned long long count = strtoull(at + strlen(name), &end, 10);
        if (end == at + strlen(name) || (*end && *end != '\n'))
            return 0;
        *ret = count;
        return 1;
    }
    return 0;
}

static int look(uint64_t *ret)
{
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    return deja_file_load(AT_FDCWD, "/proc/vmstat", text_most, &text, NULL) == 0 &&
           oom_read(deja_buffer_string(&text), ret);
}

void oom_open(oom *o)
{
    o->known = look(&o->seen);
}

int oom_blame(oom *o)
{
    uint64_t now;
    if (!o->known || !look(&now) || now <= o->seen)
        return 0;
    o->seen++;
    return 1;
}
