/* /proc/meminfo (proc(5)): MemAvailable is an estimate of what programs can have without swapping. */
#include "machine.h"
#include <deja/buffer.h>
#include <deja/cleanup.h>
#include <deja/file.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MOST 65536 /* bytes of /proc/meminfo */

/* A line of it, "NAME:   NUMBER kB", in bytes. */
static uint64_t read_memory(const char *name)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    if (deja_file_load(AT_FDCWD, "/proc/meminfo", FILE_MOST, &b, NULL) < 0)
        return 0;
    const char *line = strstr(deja_buffer_string(&b), name);
    uint64_t kib;
    return line && sscanf(line + strlen(name), ": %" SCNu64, &kib) == 1 ? kib << 10 : 0;
}

double machine_load(const machine_source *m)
{
    double load;
    if (m && m->load)
        return m->load(m->context);
    return getloadavg(&load, 1) == 1 ? load : -1;
}

uint64_t machine_memory_free(const machine_source *m)
{
    return m && m->memory_free ? m->memory_free(m->context) : read_memory("MemAvailable");
}

uint64_t machine_memory(void)
{
    return read_memory("MemTotal");
}
