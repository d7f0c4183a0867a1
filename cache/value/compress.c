/*
 * Compression, in parts: besides what zstd needs for its window only one buffer.
 */
#include "compress.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <zstd.h>

static void free_compressor(ZSTD_CCtx **c)
{
    ZSTD_freeCCtx(*c);
}

static void free_decompressor(ZSTD_DCtx **d)
{
    ZSTD_freeDCtx(*d);
}

int compress_to(int fd, uint64_t offset, const void *data, size_t len, int level, uint64_t *ret_stored,
                const char *path, deja_error *err)
{
    __attribute__((cleanup(free_compressor))) ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t room = ZSTD_CStreamOutSize(), left;
    DEJA_AUTO_FREE char *chunk = deja_realloc(NULL, room);
    if (!c || !chunk || ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(c, len)))
        return deja_fail(err, DEJA_ENOMEM, "compress '%s': out of memory", path);
    ZSTD_inBuffer in = {data, len, 0};
    uint64_t stored = 0;
    do {
        ZSTD_outBuffer out = {chunk, room, 0};
        left = ZSTD_compressStream2(c, &out, &in, ZSTD_e_end);
        if (ZSTD_isError(left))
            return deja_fail(err, DEJA_ENOMEM, "compress '%s': %s", path, ZSTD_getErrorName(left));
        int r = deja_file_write_at(fd, chunk, out.pos, offset + stored, path, err);
        if (r)
            return r;
        stored += out.pos;
    } while (left);
    *ret_stored = stored;
    return 0;
}

int compress_undo(const void *frame, size_t stored, void *to, size_t len, deja_error *err)
{
    __attribute__((cleanup(free_decompressor))) ZSTD_DCtx *d = ZSTD_createDCtx();
    if (!d)
        return deja_fail(err, DEJA_ENOMEM, "decompress: out of memory");
    size_t frame_size = ZSTD_findFrameCompressedSize(frame, stored);
    if (ZSTD_isError(frame_size) || frame_size != stored)
        return deja_fail(err, DEJA_ECORRUPT, "decompress: no zstd frame of this length");
    size_t n = ZSTD_decompressDCtx(d, to, len, frame, stored);
    if (ZSTD_isError(n))
        return deja_fail(err, DEJA_ECORRUPT, "decompress: %s", ZSTD_getErrorName(n));
    return n == len ? 0 : deja_fail(err, DEJA_ECORRUPT, "decompress: another length");
}
