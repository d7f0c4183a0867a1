#ifndef DEJA_REPLAY_H
#define DEJA_REPLAY_H
/*
 * What a fuzz target has besides its LLVMFuzzerTestOneInput. Built with clang's -fsanitize=fuzzer
 * -DDEJA_LIBFUZZER it searches for new inputs; built without, it replays the files and folders that are named
 * on its command line.
 */
#include <deja/cleanup.h>
#include <deja/file.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts when a property does not hold. */
static inline void require(int truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

#ifndef DEJA_LIBFUZZER

static int replay_file(int dirfd, const char *path)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    deja_error err;
    if (deja_file_load(dirfd, path, (size_t)1 << 20, &b, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    return LLVMFuzzerTestOneInput((const uint8_t *)deja_buffer_string(&b), b.len);
}

static int replay_folder(DIR *dir)
{
    int failed = 0, count = 0;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.') {
            failed |= replay_file(dirfd(dir), e->d_name);
            count++;
        }
    closedir(dir);
    return failed || count == 0;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        failed |= dir ? replay_folder(dir) : replay_file(AT_FDCWD, argv[i]);
    }
    return failed;
}

#endif
#endif
