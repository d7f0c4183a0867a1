/*
 * Values in files, format 1 of FORMAT.md: a head of 64 bytes and an image, plain or as one zstd frame. Both
 * the file and, for a compressed one, its image are written by mapping unnamed files, so that storing costs
 * no memory.
 */
#include "array.h"
#include "compress.h"
#include "mapped.h"
#include "npy.h"

#include <deja/cleanup.h>
#include <deja/dump.h>
#include <deja/file.h>
#include <deja/image.h>
#include <fcntl.h>

#define MAGIC                                                                                                \
    "\x89"                                                                                                   \
    "deja\r\n\x1a" /* as PNG's: a transfer as text shows */
#define MAGIC_LEN 8
#define FORMAT    1
#define FLAG_ZSTD 1
#define HEAD_LEN  64

typedef struct dump_head {
    char magic[MAGIC_LEN];
    uint32_t format;
    uint32_t flags;
    uint64_t image_len;  /* bytes */
    uint64_t stored_len; /* bytes behind the head */
    deja_hash image_hash;
    uint64_t reserved;
    uint64_t check; /* XXH3-64 of all before it */
} dump_head;
_Static_assert(sizeof(dump_head) == HEAD_LEN, "the head of a dump is on disk");

struct deja_loaded {
    deja_value value;
    mapped file;   /* what the value lies in */
    mapped memory; /* ... where it could not be used as it is */
    deja_arena arena;
    deja_array array; /* of an .npy */
    int64_t shape[DEJA_NDIM_MAX], strides[DEJA_NDIM_MAX];
};

static void fill_head(dump_head *h, const void *image, uint64_t len, int is_compressed, uint64_t stored)
{
    *h = (dump_head){
        .format = FORMAT, .flags = is_compressed ? FLAG_ZSTD : 0, .image_len = len, .stored_len = stored};
    memcpy(h->magic, MAGIC, MAGIC_LEN);
    h->image_hash = deja_hash_bytes(image, len);
    h->check = deja_hash64(h, offsetof(dump_head, check));
}

static int dump_plain(const char *path, const deja_value *v, uint64_t len, deja_error *err)
{
    MAPPED_AUTO mapped file = MAPPED_NONE;
    dump_head head;
    int r = mapped_draft(&file, path, HEAD_LEN + len, err);
    if (r)
        return r;
    deja_image_write(v, NULL, file.data + HEAD_LEN);
    fill_head(&head, file.data + HEAD_LEN, len, 0, len);
    memcpy(file.data, &head, HEAD_LEN);
    return mapped_publish(&file, path, err);
}

static int write_compressed(int fd, const char *path, const mapped *image, int level, deja_error *err)
{
    dump_head head;
    uint64_t stored;
    int r = compress_to(fd, HEAD_LEN, image->data, image->len, level, &stored, path, err);
    if (r)
        return r;
    fill_head(&head, image->data, image->len, 1, stored);
    r = deja_file_write_at(fd, &head, HEAD_LEN, 0, path, err);
    return r ? r : mapped_publish_file(fd, path, err);
}

static int dump_compressed(const char *path, const deja_value *v, uint64_t len, int level, deja_error *err)
{
    MAPPED_AUTO mapped image = MAPPED_NONE;
    int r = mapped_draft(&image, path, len, err);
    if (r)
        return r;
    deja_image_write(v, NULL, image.data);
    DEJA_AUTO_CLOSE int fd = deja_file_begin(AT_FDCWD, path, 0666, err);
    return fd < 0 ? fd : write_compressed(fd, path, &image, level, err);
}

static int check_head(const mapped *file, dump_head *ret, deja_error *err)
{
    if (file->len < HEAD_LEN)
        return deja_fail(err, DEJA_ECORRUPT, "it ends early");
    memcpy(ret, file->data, HEAD_LEN);
    if (ret->check != deja_hash64(ret, offsetof(dump_head, check)))
        return deja_fail(err, DEJA_ECORRUPT, "its head is damaged");
    if (ret->format != FORMAT || ret->flags & ~(uint32_t)FLAG_ZSTD)
        return deja_fail(err, DEJA_EVERSION, "it is of format %u, known is %d", ret->format, FORMAT);
    if (ret->stored_len != file->len - HEAD_LEN ||
        (!(ret->flags & FLAG_ZSTD) && ret->image_len != ret->stored_len))
        return deja_fail(err, DEJA_ECORRUPT, "it has another length than it says");
    return 0;
}

static int load_image(deja_loaded *l, deja_error *err)
{
    dump_head head;
    int r = check_head(&l->file, &head, err);
    if (r)
        return r;
    const char *image = l->file.data + HEAD_LEN;
    if (head.flags & FLAG_ZSTD) {
        r = mapped_memory(&l->memory, head.image_len, err);
        if (!r)
            r = compress_undo(image, head.stored_len, l->memory.data, l->memory.len, err);
        if (r)
            return r;
        mapped_done(&l->file);
        image = l->memory.data;
    }
    deja_hash hash = deja_hash_bytes(image, head.image_len);
    if (!deja_hash_equal(&hash, &head.image_hash))
        return deja_fail(err, DEJA_ECORRUPT, "its content is damaged");
    return deja_image_read(image, head.image_len, NULL, &l->arena, &l->value, err);
}

static void set_fortran_strides(deja_loaded *l)
{
    uint64_t stride = deja_dtype_size(l->array.dtype);
    for (uint32_t i = 0; i < l->array.ndim; i++) {
        l->strides[i] = (int64_t)stride;
        stride *= (uint64_t)l->shape[i];
    }
    l->array.strides = l->strides;
}

/* Elements that this processor cannot use where they lie. */
static int copy_elements(deja_loaded *l, const npy_head *head, uint64_t bytes, deja_error *err)
{
    int r = mapped_memory(&l->memory, bytes, err);
    if (r)
        return r;
    memcpy(l->memory.data, l->file.data + head->offset, bytes);
    if (head->is_big)
        npy_swap(l->memory.data, head->dtype, bytes);
    mapped_done(&l->file);
    l->array.data = l->memory.data;
    return 0;
}

static int load_npy(deja_loaded *l, deja_error *err)
{
    npy_head head;
    int r = npy_parse(l->file.data, l->file.len, &head, err);
    if (r)
        return r;
    memcpy(l->shape, head.shape, sizeof l->shape);
    l->array = (deja_array){
        .data = l->file.data + head.offset, .dtype = head.dtype, .ndim = head.ndim, .shape = l->shape};
    l->value = deja_of_array(&l->array);
    uint64_t bytes = deja_array_bytes(&l->array);
    if (bytes > l->file.len - head.offset)
        return deja_fail(err, DEJA_ECORRUPT, "it ends early");
    if (head.is_fortran && head.ndim > 1 && bytes)
        set_fortran_strides(l);
    if (bytes &&
        ((head.is_big && array_alignment(head.dtype) > 1) || head.offset % array_alignment(head.dtype)))
        return copy_elements(l, &head, bytes, err);
    return 0;
}

static int load(deja_loaded *l, const char *path, deja_error *err)
{
    int r = mapped_open(&l->file, path, err);
    if (r)
        return r;
    if (npy_is(l->file.data, l->file.len))
        r = load_npy(l, err);
    else if (l->file.len >= MAGIC_LEN && memcmp(l->file.data, MAGIC, MAGIC_LEN) == 0)
        r = load_image(l, err);
    else
        r = deja_fail(err, DEJA_ECORRUPT, "it is neither a dump nor an .npy");
    if (r)
        deja_fail_in(err, "load '%s'", path);
    return r;
}

int deja_dump(const char *path, const deja_value *v, int level, deja_error *err)
{
    if (level < 0 || level > COMPRESS_LEVEL_MOST)
        return deja_fail(err, DEJA_EINVAL, "write '%s': no level %d, they go from 0 to %d", path, level,
                         COMPRESS_LEVEL_MOST);
    int r = deja_value_check(v, err);
    if (r) {
        deja_fail_in(err, "write '%s'", path);
        return r;
    }
    uint64_t len = deja_image_size(v, NULL);
    if (len > INT64_MAX)
        return deja_fail(err, DEJA_EINVAL, "write '%s': the value is too large", path);
    DEJA_AUTO_BUFFER deja_buffer target = {0};
    r = deja_file_target(&target, path, err);
    if (r)
        return r;
    return level ? dump_compressed(deja_buffer_string(&target), v, len, level, err)
                 : dump_plain(deja_buffer_string(&target), v, len, err);
}

int deja_load(const char *path, deja_loaded **ret, deja_error *err)
{
    deja_loaded *l = deja_calloc(1, sizeof *l);
    if (!l)
        return deja_fail(err, DEJA_ENOMEM, "load '%s': out of memory", path);
    l->file = l->memory = MAPPED_NONE;
    int r = load(l, path, err);
    if (r)
        deja_loaded_free(l);
    else
        *ret = l;
    return r;
}

const deja_value *deja_loaded_value(const deja_loaded *l)
{
    return l ? &l->value : NULL;
}

void deja_loaded_free(deja_loaded *l)
{
    if (!l)
        return;
    deja_arena_done(&l->arena);
    mapped_done(&l->file);
    mapped_done(&l->memory);
    deja_free(l);
}
