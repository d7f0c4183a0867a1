/*
 * Any bytes as the literal in the head of an .npy: it is refused, or a shape of elements that could be.
 */
#include "npy.h"
#include "replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    npy_head head;
    deja_error err;
    if (size > 0xffff)
        return 0;
    deja_buffer_add(&b, "\x93NUMPY\1\0", 8);
    deja_buffer_add_char(&b, (char)size);
    deja_buffer_add_char(&b, (char)(size >> 8));
    deja_buffer_add(&b, data, size);
    DEJA_AUTO_FREE char *exact = deja_realloc(NULL, b.len);
    require(exact != NULL, "out of memory");
    memcpy(exact, b.data, b.len);
    int r = npy_parse(exact, b.len, &head, &err);
    if (r) {
        require((r == DEJA_ECORRUPT || r == DEJA_ETYPE) && err.text[0], "an odd failure");
        for (const char *c = err.text; *c; c++)
            require((unsigned char)*c >= ' ' && (unsigned char)*c < 0x7f, "a control character in a message");
        return 0;
    }
    deja_array a = {.dtype = head.dtype, .ndim = head.ndim, .shape = head.shape};
    require(deja_dtype_size(head.dtype) && head.ndim <= DEJA_NDIM_MAX, "no array");
    require(deja_array_bytes(&a) != UINT64_MAX && head.offset == b.len, "an odd size");
    return 0;
}
