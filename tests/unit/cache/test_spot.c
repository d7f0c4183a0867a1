/* spot.h: one output put in its place. */
#include "failing_alloc.h"
#include "spot.h"
#include "store_fixture.h"

#include "scratch.h"

#include <deja/cleanup.h>
#include <limits.h>
#include <pthread.h>
#include <sys/file.h>

/* An output whose bytes are in its entry. */
static deja_output output(const char *path, deja_content_kind kind, const char *bytes, uint32_t mode)
{
    size_t len = strlen(bytes);
    return (deja_output){.name = "",
                         .path = path,
                         .mode = mode,
                         .stored = {.content = {(uint8_t)kind, deja_hash_bytes(bytes, len), len},
                                    .where = DEJA_STORED_INLINE,
                                    .data = bytes}};
}

static int put(deja_cache *c, const char *path, const char *text, deja_error *err)
{
    deja_output o = output(path, DEJA_CONTENT_FILE, text, 0640);
    return spot_put(c, AT_FDCWD, &o, err);
}

static void assert_text(const char *path, const char *text)
{
    assert_file(path, text, strlen(text));
}

static struct stat look_at(const char *path)
{
    struct stat st = {0};
    assert_int_equal(lstat(path, &st), 0);
    return st;
}

static int count_names(const char *folder)
{
    DIR *d = opendir(folder);
    int n = 0;
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

/* Temporary name number `n` of an output without folders. */
static const char *temporary(const char *name, unsigned n)
{
    static char path[64];
    snprintf(path, sizeof path, ".deja-%016llx-%u", (unsigned long long)deja_hash64(name, strlen(name)), n);
    return path;
}

static int is_ours(deja_cache *c, const char *path)
{
    struct stat st = look_at(path);
    deja_content content;
    unsigned flags = 0;
    statmem_find(c->statmem, &st, &content, &flags);
    return (flags & STATMEM_OURS) != 0;
}

static void test_spot__makes_parents_and_sets_the_mode(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    static const uint32_t modes[] = {0640, 0755, 0444, 0};
    mode_t mask = umask(0077);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        deja_output o = output("a/b/o", DEJA_CONTENT_FILE, "text", modes[i]);
        assert_int_equal(spot_put(c, AT_FDCWD, &o, NULL), 0);
        assert_int_equal(look_at("a/b/o").st_mode, S_IFREG | modes[i]);
        assert_int_equal(is_ours(c, "a/b/o"), 1);
        assert_int_equal(count_names("a/b"), 1);
    }
    umask(mask);
    assert_int_equal(chmod("a/b/o", 0600), 0);
    assert_text("a/b/o", "text");
    deja_cache_close(c);
}

static void test_spot__begins_at_the_root(void **state)
{
    char full[8192];
    deja_cache *c = open_cache("cache");
    mkdir("root", 0700);
    DEJA_AUTO_CLOSE int root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    deja_output o = output("d/o", DEJA_CONTENT_FILE, "relative", 0600);
    assert_int_equal(spot_put(c, root, &o, NULL), 0);
    assert_text("root/d/o", "relative");
    snprintf(full, sizeof full, "%s/abs/o", (char *)*state);
    o = output(full, DEJA_CONTENT_FILE, "absolute", 0600);
    assert_int_equal(spot_put(c, root, &o, NULL), 0);
    assert_text("abs/o", "absolute");
    deja_cache_close(c);
}

/* Who has the old file open, or another name of it, keeps it. */
static void test_spot__replaces_the_name_and_not_the_file(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    write_file("o", "old", 3, 0600);
    assert_int_equal(link("o", "other"), 0);
    ino_t old = look_at("o").st_ino;
    int names = count_names(".");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(c, "o", i % 2 ? "new" : "newer", NULL), 0);
        assert_text("o", i % 2 ? "new" : "newer");
        assert_text("other", "old");
        assert_int_not_equal(look_at("o").st_ino, old);
        assert_int_equal(count_names("."), names);
        assert_int_equal(is_ours(c, "o"), 1);
    }
    deja_cache_close(c);
}

static void test_spot__links_and_files_replace_one_another(void **state)
{
    (void)state;
    char target[PATH_MAX] = "";
    deja_cache *c = open_cache("cache");
    write_file("target", "kept", 4, 0600);
    deja_output link_there = output("d/o", DEJA_CONTENT_LINK, "../target", 0777);
    deja_output dangling = output("d/o", DEJA_CONTENT_LINK, "nowhere", 0777);
    assert_int_equal(spot_put(c, AT_FDCWD, &link_there, NULL), 0);
    assert_text("d/o", "kept");
    assert_int_equal(is_ours(c, "d/o"), 1);
    assert_int_equal(put(c, "d/o", "file", NULL), 0);
    assert_true(S_ISREG(look_at("d/o").st_mode));
    assert_text("target", "kept");
    assert_int_equal(spot_put(c, AT_FDCWD, &dangling, NULL), 0);
    assert_int_equal(readlink("d/o", target, sizeof target), 7);
    assert_string_equal(target, "nowhere");
    assert_int_equal(spot_put(c, AT_FDCWD, &link_there, NULL), 0);
    assert_text("d/o", "kept");
    assert_int_equal(count_names("d"), 1);
    deja_cache_close(c);
}

static void test_spot__a_folder_in_the_way_stays(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_error err = {0};
    deja_output dangling = output("o", DEJA_CONTENT_LINK, "nowhere", 0777);
    mkdir("o", 0700);
    int names = count_names(".");
    for (int full = 0; full < 2; full++) {
        assert_int_equal(put(c, "o", "text", &err), DEJA_EEXIST);
        assert_string_equal(err.text, "a folder is in the way of output 'o'");
        assert_int_equal(put(c, "o", "text", NULL), DEJA_EEXIST);
        assert_int_equal(spot_put(c, AT_FDCWD, &dangling, &err), DEJA_EEXIST);
        assert_int_equal(count_names("."), names);
        assert_true(S_ISDIR(look_at("o").st_mode));
        write_file("o/file", "", 0, 0600);
    }
    assert_int_equal(put(c, "o/file/below", "text", &err), DEJA_ETYPE); /* a file where a folder should be */
    deja_cache_close(c);
}

static void test_spot__what_was_not_kept_cannot_be_put(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_error err = {0};
    deja_output o = output("o", DEJA_CONTENT_FILE, "text", 0600);
    o.stored.where = DEJA_STORED_RECORD;
    assert_int_equal(spot_put(c, AT_FDCWD, &o, &err), DEJA_ENOTFOUND);
    o.stored.content.kind = DEJA_CONTENT_LINK;
    assert_int_equal(spot_put(c, AT_FDCWD, &o, &err), DEJA_ENOTFOUND);
    o = output("o", DEJA_CONTENT_FILE, "text", 0600);
    o.stored.where = DEJA_STORED_BLOB;
    write_file("o", "old", 3, 0600);
    assert_int_equal(spot_put(c, AT_FDCWD, &o, &err), DEJA_ENOTFOUND);
    assert_text("o", "old");
    deja_cache_close(c);
}

static void test_spot__a_stored_link_that_is_none_is_damage(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_error err = {0};
    char *data = big(1);
    memset(data, 'x', PATH_MAX);
    deja_output o = output("o", DEJA_CONTENT_LINK, "", 0777);
    assert_int_equal(spot_put(c, AT_FDCWD, &o, &err), DEJA_ECORRUPT);
    o.stored.data = "a\0b";
    o.stored.content.size = 3;
    assert_int_equal(spot_put(c, AT_FDCWD, &o, &err), DEJA_ECORRUPT);
    o.stored.data = data;
    o.stored.content.size = PATH_MAX;
    assert_int_equal(spot_put(c, AT_FDCWD, &o, &err), DEJA_ECORRUPT);
    assert_int_equal(access("o", F_OK), -1);
    deja_free(data);
    deja_cache_close(c);
}

static void test_spot__copies_a_blob(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    deja_result r = result_of("big", "");
    r.out = (deja_payload){data, BIG_BYTES, -1};
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_entry *e = look(c, "big");
    deja_output o = {.name = "", .path = "o", .mode = 0600, .stored = e->out};
    assert_int_equal(spot_put(c, AT_FDCWD, &o, NULL), 0);
    assert_file("o", data, BIG_BYTES);
    write_file("o", "edited", 6, 0600); /* the blob is another file */
    unlink("o");
    assert_int_equal(spot_put(c, AT_FDCWD, &o, NULL), 0);
    assert_file("o", data, BIG_BYTES);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
}

/* Names that others hold are passed over, others are leftovers and go. */
static void test_spot__takes_the_first_name_that_nobody_holds(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_error err = {0};
    int held[16];
    write_file("o", "old", 3, 0600);
    for (unsigned i = 0; i < 16; i++) {
        write_file(temporary("o", i), "busy", 4, 0600);
        held[i] = open(temporary("o", i), O_RDONLY | O_CLOEXEC);
        assert_int_equal(flock(held[i], LOCK_EX), 0);
    }
    assert_int_equal(put(c, "o", "new", &err), DEJA_EBUSY);
    assert_string_equal(err.text, "replace 'o': too many others do so");
    assert_text("o", "old");
    close(held[11]);
    assert_int_equal(put(c, "o", "new", &err), 0);
    assert_text("o", "new");
    assert_int_equal(access(temporary("o", 11), F_OK), -1);
    for (unsigned i = 0; i < 16; i++) {
        if (i != 11)
            assert_text(temporary("o", i), "busy");
        if (i != 11)
            close(held[i]);
    }
    deja_cache_close(c);
}

/* A link cannot be held, and what it leads to is not ours. */
static void test_spot__a_link_in_the_place_of_a_temporary_name_goes(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    write_file("victim", "kept", 4, 0600);
    write_file("o", "old", 3, 0600);
    assert_int_equal(symlink("victim", temporary("o", 0)), 0);
    assert_int_equal(put(c, "o", "new", NULL), 0);
    assert_text("o", "new");
    assert_text("victim", "kept");
    assert_int_equal(unlink(temporary("o", 0)), -1);
    deja_cache_close(c);
}

static void test_spot__without_the_right_to_write_it_says_so(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip(); /* may write anywhere */
    deja_cache *c = open_cache("cache");
    deja_error err = {0};
    mkdir("d", 0700);
    assert_int_equal(chmod("d", 0500), 0);
    int file = put(c, "d/o", "text", &err), below = put(c, "d/e/o", "text", &err);
    assert_int_equal(chmod("d", 0700), 0);
    assert_int_equal(file, DEJA_EDENIED);
    assert_int_equal(below, DEJA_EDENIED);
    deja_cache_close(c);
}

static void test_spot__any_allocation_may_fail(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    write_file("o", "old", 3, 0600);
    int names = count_names(".");
    for (long n = 1, hits = 1; hits; n++) {
        deja_error err = {0};
        failing_alloc_at(n);
        int status = put(c, "o", "new", &err);
        hits = failing_alloc_hits;
        failing_alloc_at(0);
        if (status)
            assert_int_equal(status, DEJA_ENOMEM);
        assert_text("o", status ? "old" : "new");
        assert_int_equal(count_names("."), names);
        write_file("o", "old", 3, 0600);
    }
    deja_cache_close(c);
}

typedef struct placing {
    deja_cache *cache;
    const char *text;
    int failed;
} placing;

static void *place_often(void *context)
{
    placing *p = context;
    for (int i = 0; i < 100; i++)
        p->failed += put(p->cache, "d/o", p->text, NULL) != 0;
    return NULL;
}

static void test_spot__any_threads_replace_one_output_at_once(void **state)
{
    (void)state;
    static const char *const texts[] = {"one", "two2", "three"};
    deja_cache *c = open_cache("cache");
    pthread_t threads[3];
    placing p[3];
    for (int i = 0; i < 3; i++) {
        p[i] = (placing){.cache = c, .text = texts[i]};
        assert_int_equal(pthread_create(&threads[i], NULL, place_often, &p[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(p[i].failed, 0);
    }
    assert_text("d/o", texts[look_at("d/o").st_size - 3]);
    assert_int_equal(count_names("d"), 1);
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_spot__makes_parents_and_sets_the_mode),
        CASE(test_spot__begins_at_the_root),
        CASE(test_spot__replaces_the_name_and_not_the_file),
        CASE(test_spot__links_and_files_replace_one_another),
        CASE(test_spot__a_folder_in_the_way_stays),
        CASE(test_spot__what_was_not_kept_cannot_be_put),
        CASE(test_spot__a_stored_link_that_is_none_is_damage),
        CASE(test_spot__copies_a_blob),
        CASE(test_spot__takes_the_first_name_that_nobody_holds),
        CASE(test_spot__a_link_in_the_place_of_a_temporary_name_goes),
        CASE(test_spot__without_the_right_to_write_it_says_so),
        CASE(test_spot__any_allocation_may_fail),
        CASE(test_spot__any_threads_replace_one_output_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
