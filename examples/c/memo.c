/*
 * Around code that is already there: name what a result depends on, look, and keep it yourself.
 */
#include <deja.h>
#include <stdio.h>
#include <time.h>

/* The code that is already there: how bright each letter of a scene is, for want of a real renderer. */
static int64_t render(const char *scene, int size)
{
    int64_t sum = 0;
    FILE *file = fopen(scene, "rb");
    for (int c; file && (c = fgetc(file)) != EOF;)
        sum += (int64_t)c * size;
    if (file)
        fclose(file);
    return sum;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    const char *scene = argc > 1 ? argv[1] : "scene.obj";
    deja_error err;
    deja *d = deja_open(DEJA_OPTIONS(.flags = DEJA_NO_WORKERS), &err); /* a cache is all we need */
    deja_memo *m = deja_memo_new(d, "render", "4", &err);
    deja_memo_add(m, "scene", deja_file(scene)); /* by content */
    deja_memo_add(m, "size", deja_i64(1024));

    const deja_value *hit = deja_memo_find(m, &err);
    const char *how = hit ? "from the cache" : "rendered";
    if (!hit && err.code == 0) { /* a miss, no trouble */
        int64_t start = now_ns();
        const deja_value image = deja_i64(render(scene, 1024));
        hit = deja_memo_store(m, &image, now_ns() - start, &err);
    }
    if (hit)
        printf("brightness %lld, %s\n", (long long)hit->i64, how);
    else
        fprintf(stderr, "%s\n", err.text);
    deja_memo_free(m);
    deja_close(d);
    return hit == NULL;
}
