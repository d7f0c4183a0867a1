/* piece.h: one content of a result on its way in. */
#include "failing_alloc.h"
#include "piece.h"
#include "store_fixture.h"

#include "scratch.h"

static int open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void assert_content(const deja_stored *s, deja_content_kind kind, const void *data, size_t len)
{
    deja_hash want = deja_hash_bytes(data, len);
    assert_int_equal(s->content.kind, kind);
    assert_int_equal(s->content.size, len);
    assert_true(deja_hash_equal(&s->content.hash, &want));
    if (s->where == DEJA_STORED_INLINE && len)
        assert_memory_equal(s->data, data, len);
}

/* The bytes of a stage, which has no name. */
static void assert_stage(int fd, const void *data, size_t len)
{
    struct stat st;
    char *have = deja_realloc(NULL, len);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_size, len);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(pread(fd, have, len, 0), (ssize_t)len);
    assert_memory_equal(have, data, len);
    deja_free(have);
}

static void test_piece__files_up_to_the_limit_are_held_in_memory(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    const size_t sizes[] = {0, 1, c->inline_bytes, c->inline_bytes + 1u, BIG_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        piece p = {.fd = -1};
        deja_stored s;
        write_file("f", data, sizes[i], 0600);
        int fd = open_file("f"), small = sizes[i] <= c->inline_bytes;
        assert_int_equal(piece_take_file(c, fd, sizes[i], "f", &p, &s, NULL), 0);
        assert_int_equal(s.where, small ? DEJA_STORED_INLINE : DEJA_STORED_BLOB);
        assert_int_equal(p.fd >= 0, !small);
        write_file("f", "changed afterwards", 18, 0600);
        assert_content(&s, DEJA_CONTENT_FILE, data, sizes[i]);
        if (!small)
            assert_stage(p.fd, data, sizes[i]);
        piece_done(&p);
        assert_int_equal(p.fd, -1);
        assert_null(p.data);
        close(fd);
    }
    deja_free(data);
    deja_cache_close(c);
}

static void test_piece__a_file_of_another_size_has_changed(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    piece p = {.fd = -1};
    deja_stored s;
    deja_error err;
    write_file("f", "12345", 5, 0600);
    int fd = open_file("f");
    assert_int_equal(piece_take_file(c, fd, 6, "f", &p, &s, &err), DEJA_ECHANGED);
    assert_string_equal(err.text, "'f' became shorter while it was read");
    assert_int_equal(piece_take_file(c, fd, 4, "f", &p, &s, &err), DEJA_ECHANGED);
    assert_string_equal(err.text, "'f' became longer while it was read");
    assert_int_equal(piece_take_file(c, fd, BIG_BYTES, "f", &p, &s, &err), DEJA_ECHANGED);
    close(fd);
    /* A large one is taken as far as it was asked for. */
    write_file("f", data, BIG_BYTES, 0600);
    fd = open_file("f");
    assert_int_equal(piece_take_file(c, fd, BIG_BYTES - 1, "f", &p, &s, &err), 0);
    assert_content(&s, DEJA_CONTENT_FILE, data, BIG_BYTES - 1);
    close(fd);
    piece_done(&p);
    deja_free(data);
    deja_cache_close(c);
}

static int count_open(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

/* A file that changed is taken again, be it of another size now: what was held before is given back. */
static void test_piece__may_be_taken_again(void **state)
{
    (void)state;
    static const size_t sizes[] = {5, 7, BIG_BYTES, BIG_BYTES - 1, 3};
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    piece p = {.fd = -1};
    int before = count_open();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        deja_stored s;
        write_file("f", data, sizes[i], 0600);
        int fd = open_file("f");
        assert_int_equal(piece_take_file(c, fd, sizes[i], "f", &p, &s, NULL), 0);
        assert_content(&s, DEJA_CONTENT_FILE, data, sizes[i]);
        if (s.where == DEJA_STORED_BLOB)
            assert_stage(p.fd, data, sizes[i]);
        close(fd);
    }
    piece_done(&p);
    assert_int_equal(count_open(), before);
    deja_free(data);
    deja_cache_close(c);
}

static void test_piece__small_memory_is_borrowed_and_large_staged(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    piece p = {.fd = -1};
    deja_stored s;
    assert_int_equal(piece_take_bytes(c, &(deja_payload){data, c->inline_bytes, -1}, "out", &p, &s, NULL), 0);
    assert_ptr_equal(s.data, data);
    assert_null(p.data);
    assert_int_equal(p.fd, -1);
    assert_content(&s, DEJA_CONTENT_FILE, data, c->inline_bytes);
    assert_int_equal(piece_take_bytes(c, &(deja_payload){data, BIG_BYTES, -1}, "out", &p, &s, NULL), 0);
    assert_int_equal(s.where, DEJA_STORED_BLOB);
    assert_null(s.data);
    assert_content(&s, DEJA_CONTENT_FILE, data, BIG_BYTES);
    assert_stage(p.fd, data, BIG_BYTES);
    piece_done(&p);
    deja_free(data);
    deja_cache_close(c);
}

static ino_t inode_of(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return st.st_ino;
}

/* A large stage becomes the blob itself, a named file is copied: somebody may write to it. */
static void test_piece__a_stage_is_kept_and_a_file_copied(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    deja_stored s;
    write_file("f", data, BIG_BYTES, 0600);
    for (int named = 0; named < 2; named++) {
        piece p = {.fd = -1};
        int fd = named ? open_file("f") : deja_cache_stage(c, NULL);
        if (!named)
            assert_int_equal(write(fd, data, BIG_BYTES), BIG_BYTES);
        assert_int_equal(piece_take_bytes(c, &(deja_payload){NULL, 0, fd}, "out", &p, &s, NULL), 0);
        assert_int_not_equal(p.fd, fd);
        assert_int_equal(inode_of(p.fd) == inode_of(fd), !named);
        assert_content(&s, DEJA_CONTENT_FILE, data, BIG_BYTES);
        close(fd); /* stays the caller's */
        assert_stage(p.fd, data, BIG_BYTES);
        piece_done(&p);
    }
    deja_free(data);
    deja_cache_close(c);
}

static void test_piece__a_small_stage_goes_to_memory(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    piece p = {.fd = -1};
    deja_stored s;
    deja_error err = {0};
    int fd = deja_cache_stage(c, NULL);
    assert_int_equal(write(fd, "small", 5), 5);
    assert_int_equal(piece_take_bytes(c, &(deja_payload){NULL, 0, fd}, "out", &p, &s, NULL), 0);
    assert_int_equal(s.where, DEJA_STORED_INLINE);
    assert_content(&s, DEJA_CONTENT_FILE, "small", 5);
    close(fd);
    piece_done(&p);
    assert_true(piece_take_bytes(c, &(deja_payload){NULL, 0, 1000000}, "out", &p, &s, &err) < 0);
    assert_string_equal(err.text, "look at 'out': Bad file descriptor");
    piece_done(&p);
    deja_cache_close(c);
}

static void test_piece__a_link_is_its_text(void **state)
{
    (void)state;
    piece p = {.fd = -1};
    deja_stored s;
    deja_error err;
    char target[3000];
    memset(target, 't', sizeof target);
    target[sizeof target - 1] = '\0';
    assert_int_equal(symlink(target, "link"), 0);
    assert_int_equal(piece_take_link(AT_FDCWD, "link", &p, &s, &err), 0);
    assert_int_equal(s.where, DEJA_STORED_INLINE);
    assert_content(&s, DEJA_CONTENT_LINK, target, strlen(target));
    piece_done(&p);
    assert_int_equal(piece_take_link(AT_FDCWD, "none", &p, &s, &err), DEJA_ENOTFOUND);
    assert_string_equal(err.text, "read the link 'none': No such file or directory");
    write_file("file", "", 0, 0600);
    assert_int_equal(piece_take_link(AT_FDCWD, "file", &p, &s, &err), DEJA_EINVAL);
    failing_alloc_at(1);
    assert_int_equal(piece_take_link(AT_FDCWD, "link", &p, &s, &err), DEJA_ENOMEM);
    failing_alloc_at(0);
    piece_done(&p);
}

/* A stage that cannot be had is trouble of the cache, and its text says of which. */
static void test_piece__trouble_of_the_cache_says_which_one(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    deja_stored s;
    deja_error err = {0};
    write_file("f", "short", 5, 0600);
    int fd = open_file("f");
    piece p = {.fd = -1};
    assert_int_equal(piece_take_file(c, fd, BIG_BYTES, "f", &p, &s, &err), DEJA_ECHANGED);
    assert_non_null(strstr(err.text, "the cache '"));
    assert_non_null(strstr(err.text, c->folder.path));
    piece_done(&p);
    close(fd);
    deja_free(data);
    deja_cache_close(c);
}

static void test_piece__any_allocation_may_fail(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    write_file("small", data, 100, 0600);
    write_file("large", data, BIG_BYTES, 0600);
    static const char *const names[] = {"small", "large"};
    for (int i = 0; i < 2; i++) {
        int fd = open_file(names[i]);
        for (long n = 1, hits = 1; hits; n++) {
            piece p = {.fd = -1};
            deja_stored s;
            deja_error err = {0};
            size_t len = i ? BIG_BYTES : 100;
            failing_alloc_at(n);
            int status = piece_take_file(c, fd, len, names[i], &p, &s, &err);
            hits = failing_alloc_hits;
            failing_alloc_at(0);
            if (status == 0)
                assert_content(&s, DEJA_CONTENT_FILE, data, len);
            else
                assert_int_equal(status, DEJA_ENOMEM);
            assert_true(status == 0 || hits);
            piece_done(&p);
        }
        close(fd);
    }
    deja_free(data);
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_piece__files_up_to_the_limit_are_held_in_memory),
        CASE(test_piece__a_file_of_another_size_has_changed),
        CASE(test_piece__may_be_taken_again),
        CASE(test_piece__small_memory_is_borrowed_and_large_staged),
        CASE(test_piece__a_stage_is_kept_and_a_file_copied),
        CASE(test_piece__a_small_stage_goes_to_memory),
        CASE(test_piece__a_link_is_its_text),
        CASE(test_piece__trouble_of_the_cache_says_which_one),
        CASE(test_piece__any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
