/*
 * Hashing a large file against reading it: read(2) of a file in the page cache and digest_fd of the same,
 * interleaved. hash [FILE [ROUNDS]]      without FILE: 1 GB of its own below TMPDIR, removed at the end
 * Prints one JSON line a round, then one with the medians: value = hashing, reference = reading, seconds.
 */
#include "digest.h"
#include <deja/cleanup.h>
#include <deja/clock.h>
#include <deja/file.h>
#include <deja/text.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES  (UINT64_C(1) << 30)
#define CHUNK_BYTES (256 * 1024)
#define MOST_ROUNDS 101

static int make_file(deja_error *err)
{
    const char *folder = getenv("TMPDIR");
    DEJA_AUTO_CLOSE int fd = deja_file_unnamed(AT_FDCWD, folder && *folder ? folder : "/tmp", err);
    if (fd < 0)
        return fd;
    DEJA_AUTO_FREE uint64_t *chunk = deja_realloc(NULL, CHUNK_BYTES);
    if (!chunk)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    uint64_t x = 1;
    for (uint64_t done = 0; done < FILE_BYTES; done += CHUNK_BYTES) {
        for (size_t i = 0; i < CHUNK_BYTES / sizeof *chunk; i++)
            chunk[i] = x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int code = deja_file_write_all(fd, chunk, CHUNK_BYTES, "the file to hash", err);
        if (code < 0)
            return code;
    }
    return deja_take_fd(fd);
}

static int read_whole(int fd, char *chunk, uint64_t len, deja_error *err)
{
    if (lseek(fd, 0, SEEK_SET) < 0)
        return deja_fail_errno(err, "seek");
    for (uint64_t done = 0; done < len;) {
        ssize_t n = read(fd, chunk, CHUNK_BYTES);
        if (n <= 0 && errno != EINTR)
            return deja_fail_errno(err, "read");
        done += n > 0 ? (uint64_t)n : 0;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int measure(int fd, uint64_t len, int rounds, deja_error *err)
{
    double reading[MOST_ROUNDS], hashing[MOST_ROUNDS];
    DEJA_AUTO_FREE char *chunk = deja_calloc(1, CHUNK_BYTES);
    if (!chunk)
        return deja_fail(err, DEJA_ENOMEM, "out of memory");
    int code = read_whole(fd, chunk, len, err);
    for (int i = 0; i < rounds && code == 0; i++) {
        deja_hash hash;
        int64_t start = deja_monotonic_ns(NULL);
        code = read_whole(fd, chunk, len, err);
        int64_t middle = deja_monotonic_ns(NULL);
        if (code == 0)
            code = digest_fd(fd, len, &hash, NULL, err);
        int64_t end = deja_monotonic_ns(NULL);
        reading[i] = (double)(middle - start) / (double)DEJA_S_NS;
        hashing[i] = (double)(end - middle) / (double)DEJA_S_NS;
        printf("{\"round\":%d,\"read_s\":%.4f,\"hash_s\":%.4f}\n", i + 1, reading[i], hashing[i]);
    }
    if (code < 0)
        return code;
    qsort(reading, (size_t)rounds, sizeof *reading, compare);
    qsort(hashing, (size_t)rounds, sizeof *hashing, compare);
    double value = hashing[rounds / 2], reference = reading[rounds / 2];
    printf(
        "{\"name\":\"hash a large file\",\"value\":%.4f,\"unit\":\"s\",\"reference\":%.4f,\"ratio\":%.3f}\n",
        value, reference, reference / value);
    return 0;
}

int main(int argc, char **argv)
{
    deja_error err = {0};
    int64_t rounds = 5;
    DEJA_AUTO_CLOSE int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : make_file(&err);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        fprintf(stderr, "hash: %s\n", err.code ? err.text : strerror(errno));
        return 1;
    }
    if (argc > 2 && (deja_text_int(argv[2], &rounds) < 0 || rounds < 1 || rounds > MOST_ROUNDS)) {
        fprintf(stderr, "hash: rounds: a number from 1 to %d\n", MOST_ROUNDS);
        return 2;
    }
    if (measure(fd, (uint64_t)st.st_size, (int)rounds, &err) < 0) {
        fprintf(stderr, "hash: %s\n", err.text);
        return 1;
    }
    return 0;
}
