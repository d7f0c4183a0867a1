/*
 * Blobs: published whole, checked before use, repaired by the next publishing.
 */
#include "blob.h"

#include "store_fixture.h"

#include "scratch.h"

#include <limits.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Which folders were synced, in this order: the C library's fsync is replaced for this program. */
static char synced[1024];

int fsync(int fd)
{
    char link[40], path[256] = "";
    struct stat st;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    const char *last = n > 0 ? strstr(path, "/cache/blobs") : NULL;
    size_t len = strlen(synced);
    if (last && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        snprintf(synced + len, sizeof synced - len, "%s ", last + 1);
    return (int)syscall(SYS_fsync, fd);
}

/* What the copying of files reads while it is at work can be changed at that moment: likewise. */
static const char *change_while_copying;

ssize_t copy_file_range(int from, off_t *in, int to, off_t *out, size_t len, unsigned flags)
{
    if (change_while_copying) {
        usleep(20000); /* another time stamp */
        int fd = open(change_while_copying, O_WRONLY | O_CLOEXEC);
        if (pwrite(fd, "C", 1, 0) == 1)
            change_while_copying = NULL;
        close(fd);
    }
    return syscall(SYS_copy_file_range, from, in, to, out, len, flags);
}

static int stage_with(deja_cache *c, const char *data, size_t len, deja_content *ret)
{
    int fd = deja_cache_stage(c, NULL);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    *ret = (deja_content){DEJA_CONTENT_FILE, deja_hash_bytes(data, len), len};
    return fd;
}

static void publish(deja_cache *c, const char *data, size_t len, deja_content *ret)
{
    deja_error err;
    int fd = stage_with(c, data, len, ret);
    if (blob_publish(c, fd, ret, &err))
        fail_msg("%s", err.text);
    close(fd);
}

static void path_below(const deja_content *content, char path[80])
{
    char name[BLOB_PATH];
    blob_path(&content->hash, name);
    snprintf(path, 80, "cache/%s", name);
}

static void assert_readable(deja_cache *c, const deja_content *content, const char *data)
{
    char back[64];
    deja_error err = {0};
    int fd = blob_open(c, content, &err);
    if (fd < 0)
        fail_msg("%s", err.text);
    assert_int_equal(pread(fd, back, sizeof back, 0), (ssize_t)content->size);
    assert_memory_equal(back, data, content->size);
    close(fd);
}

static void test_blob__is_named_by_its_hash_and_read_only(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_content content;
    struct stat st;
    char path[80];
    publish(c, "content", 7, &content);
    path_below(&content, path);
    assert_int_equal(strlen(path), strlen("cache/blobs/ab/") + 30);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0444);
    assert_int_equal(blob_present(&c->folder, &content.hash, 7), 1);
    assert_int_equal(blob_present(&c->folder, &content.hash, 8), 0);
    assert_readable(c, &content, "content");
    assert_int_equal(blob_check(c, &content, NULL, NULL), 0);
    assert_warning(c, NULL);
    deja_cache_close(c);
}

static void test_blob__of_the_same_content_is_reused(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_content content;
    struct stat before, after;
    char path[80];
    publish(c, "content", 7, &content);
    path_below(&content, path);
    assert_int_equal(stat(path, &before), 0);
    publish(c, "content", 7, &content);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    deja_cache_close(c);
}

/* A content of 7 bytes whose blob goes to the same folder as that of `like`, and is another. */
static void content_beside(const deja_content *like, char data[8])
{
    for (unsigned i = 0;; i++) {
        snprintf(data, 8, "%07u", i);
        deja_hash hash = deja_hash_bytes(data, 7);
        if (hash.byte[0] == like->hash.byte[0])
            return;
    }
}

static void assert_synced(const char *above, const deja_content *content)
{
    char expected[256];
    snprintf(expected, sizeof expected, "%scache/blobs/%02x ", above, content->hash.byte[0]);
    assert_string_equal(synced, expected);
    synced[0] = 0;
}

/* All that leads to a blob is on the disk before a row can refer to it, whoever made it. */
static void test_blob__its_folders_are_synced_whoever_made_them(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache"), *maker = open_cache("cache");
    deja_content content, second;
    char data[8];
    publish(maker, "content", 7, &content);
    synced[0] = 0;
    /* a blob that is there, in a folder that is there */
    publish(c, "content", 7, &content);
    assert_synced("cache/blobs ", &content);
    publish(c, "content", 7, &content);
    assert_synced("", &content);
    content_beside(&content, data);
    publish(c, data, 7, &second);
    assert_synced("", &content);
    deja_cache_close(c);
    /* a new blob in the folder of another process */
    c = open_cache("cache");
    synced[0] = 0;
    publish(c, "another", 7, &second);
    assert_synced("cache/blobs ", &second);
    publish(c, "content", 7, &content);
    assert_synced("", &content);
    deja_cache_close(c);
    deja_cache_close(maker);
}

static void damage(const char *path, const char *kind)
{
    if (!strcmp(kind, "flipped"))
        write_file(path, "cOntent", 7, 0444);
    else if (!strcmp(kind, "truncated"))
        write_file(path, "con", 3, 0444);
    else if (!strcmp(kind, "longer"))
        write_file(path, "content!", 8, 0444);
    else {
        assert_int_equal(unlink(path), 0);
        if (!strcmp(kind, "link"))
            assert_int_equal(symlink("/etc/passwd", path), 0);
        else
            assert_int_equal(mknod(path, (!strcmp(kind, "fifo") ? S_IFIFO : S_IFSOCK) | 0600, 0), 0);
    }
}

static void test_blob__damage_is_seen_and_mended_by_publishing(void **state)
{
    (void)state;
    static const char *const kinds[] = {"flipped", "truncated", "longer", "link", "fifo", "socket"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        deja_cache *c = open_cache("cache");
        deja_content content;
        deja_error err;
        char path[80];
        publish(c, "content", 7, &content);
        path_below(&content, path);
        assert_warning(c, NULL);
        damage(path, kinds[i]);
        assert_int_equal(blob_open(c, &content, &err), DEJA_ECORRUPT);
        assert_warning(c, "is damaged");
        assert_int_equal(blob_check(c, &content, NULL, NULL), DEJA_ECORRUPT);
        assert_int_equal(access(path, F_OK), strcmp(kinds[i], "link") ? 0 : access("/etc/passwd", F_OK));
        publish(c, "content", 7, &content);
        assert_readable(c, &content, "content");
        deja_cache_close(c);
    }
}

/* Only to be seen by an ordinary user: nothing keeps root from reading. */
static void test_blob__without_permissions_is_damage(void **state)
{
    (void)state;
    assert_int_equal(chmod(".", 0777), 0);
    pid_t child = fork();
    if (child == 0) {
        char here[PATH_MAX];
        if ((geteuid() == 0 && setuid(65534)) || !getcwd(here, sizeof here) || access(here, R_OK | X_OK))
            _exit(0);
        deja_cache *c = open_cache("cache");
        deja_content content;
        char path[80];
        publish(c, "content", 7, &content);
        path_below(&content, path);
        int bad = chmod(path, 0);
        bad |= blob_open(c, &content, NULL) != DEJA_ECORRUPT;
        publish(c, "content", 7, &content);
        assert_readable(c, &content, "content");
        deja_cache_close(c);
        _exit(bad);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_blob__a_copy_is_what_was_checked(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_content content;
    char path[80], back[8] = "";
    publish(c, "content", 7, &content);
    path_below(&content, path);
    int to = open("to", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(blob_copy(c, &content, to, "to", NULL), 0);
    assert_int_equal(pread(to, back, sizeof back, 0), 7);
    assert_memory_equal(back, "content", 7);
    assert_int_equal(chmod(path, 0600), 0);
    change_while_copying = path;
    int r = blob_copy(c, &content, to, "to", NULL);
    /* A clone is made at one moment: there the change comes too late. */
    assert_int_equal(r, change_while_copying ? 0 : DEJA_ENOTFOUND);
    change_while_copying = NULL;
    close(to);
    deja_cache_close(c);
}

static void test_blob__that_is_gone_is_not_found_and_no_damage(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_content content;
    char path[80];
    publish(c, "content", 7, &content);
    path_below(&content, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(blob_open(c, &content, NULL), DEJA_ENOTFOUND);
    assert_int_equal(blob_check(c, &content, NULL, NULL), DEJA_ENOTFOUND);
    assert_int_equal(blob_remove(&c->folder, &content.hash, NULL), 0);
    assert_warning(c, NULL);
    deja_cache_close(c);
}

/* A stage that had a name already, which was taken away again, can only be copied (linkat(2), ENOENT). */
static void test_blob__a_stage_can_be_published_again(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_content content;
    int fd = stage_with(c, "content", 7, &content);
    assert_int_equal(blob_publish(c, fd, &content, NULL), 0);
    assert_int_equal(blob_remove(&c->folder, &content.hash, NULL), 0);
    assert_int_equal(blob_publish(c, fd, &content, NULL), 0);
    close(fd);
    assert_readable(c, &content, "content");
    deja_cache_close(c);
}

static void test_blob__folders_that_somebody_removed_are_made_again(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_content content;
    assert_int_equal(rmdir("cache/blobs"), 0);
    publish(c, "content", 7, &content);
    assert_readable(c, &content, "content");
    deja_cache_close(c);
}

static int count(void *context, const deja_hash *hash)
{
    (void)hash;
    return ++*(int *)context == 5;
}

static void test_blob__each_visits_blobs_and_skips_strangers(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_content content;
    int n = 0;
    char path[80];
    publish(c, "content", 7, &content);
    path_below(&content, path);
    snprintf(path + strlen("cache/blobs/ab/"), 10, "README");
    write_file(path, "x", 1, 0600);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(blob_each(&c->folder, i, count, &n, NULL), 0);
    assert_int_equal(n, 1);
    deja_cache_close(c);
}

static void test_blob__lack_of_descriptors_is_neither_damage_nor_absence(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    deja_content content;
    int fds[256], n = 0;
    struct rlimit old, few;
    publish(c, "content", 7, &content);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (n < 256 && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n++;
    int r = blob_open(c, &content, NULL);
    while (n)
        close(fds[--n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(r, DEJA_ERESOURCE);
    assert_warning(c, NULL);
    assert_readable(c, &content, "content");
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_blob__is_named_by_its_hash_and_read_only),
        CASE(test_blob__of_the_same_content_is_reused),
        CASE(test_blob__its_folders_are_synced_whoever_made_them),
        CASE(test_blob__damage_is_seen_and_mended_by_publishing),
        CASE(test_blob__without_permissions_is_damage),
        CASE(test_blob__a_copy_is_what_was_checked),
        CASE(test_blob__that_is_gone_is_not_found_and_no_damage),
        CASE(test_blob__a_stage_can_be_published_again),
        CASE(test_blob__folders_that_somebody_removed_are_made_again),
        CASE(test_blob__each_visits_blobs_and_skips_strangers),
        CASE(test_blob__lack_of_descriptors_is_neither_damage_nor_absence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
