/*
 * Any bytes as a file of deja_dump or numpy: it is refused, or a value. The checks of a head are made right,
 * so that a search comes behind them.
 */
#include "replay.h"
#include <deja/dump.h>
#include <deja/hash.h>
#include <sys/mman.h>

#define HEAD_LEN 64

static void mend(uint8_t *file, size_t size)
{
    uint64_t len = size - HEAD_LEN;
    memcpy(file + 24, &len, sizeof len);
    if (!(file[12] & 1)) {
        deja_hash hash = deja_hash_bytes(file + HEAD_LEN, len);
        memcpy(file + 16, &len, sizeof len);
        memcpy(file + 32, &hash, sizeof hash);
    } else {
        memset(file + 19, 0, 5); /* at most 16 MB */
    }
    uint64_t check = deja_hash64(file, 56);
    memcpy(file + 56, &check, sizeof check);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEJA_AUTO_FREE uint8_t *copy = deja_realloc(NULL, size);
    DEJA_AUTO_CLOSE int fd = memfd_create("dump", MFD_CLOEXEC);
    deja_loaded *l = NULL;
    deja_error err;
    char path[40];
    require(copy && fd >= 0, "out of memory");
    if (size)
        memcpy(copy, data, size);
    if (size >= HEAD_LEN && copy[0] == 0x89)
        mend(copy, size);
    require(deja_file_write_at(fd, copy, size, 0, "memfd", NULL) == 0, "not written");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int r = deja_load(path, &l, &err);
    if (r)
        require(!l && strncmp(err.text, "load '", 6) == 0, "an odd failure");
    else
        require(deja_value_check(deja_loaded_value(l), NULL) == 0, "loaded, and no value");
    deja_loaded_free(l);
    return 0;
}
