/*
 * The life of an output on a hit: left alone, made, replaced, or kept.
 */
#include "store_fixture.h"

#include "scratch.h"

#include <dirent.h>
#include <sys/file.h>

/* Stores a result with the one output `path` as it is now, and gives its entry. */
static deja_entry *kept(deja_cache *c, const char *encoding, const char *path, uint32_t flags)
{
    deja_output o = {.name = "", .path = path};
    deja_result r = result_of(encoding, "");
    r.outputs = &o;
    r.output_count = 1;
    r.flags = flags;
    if (keep(c, &r))
        fail_msg("%s", r.step.error.text);
    deja_result_done(&r);
    return look(c, encoding);
}

static int restore(deja_cache *c, const deja_entry *e, uint32_t flags, uint8_t *result)
{
    deja_restore r = {.entry = e, .root_fd = AT_FDCWD, .flags = flags, .results = result};
    int status = wait_step(c, &r.step, deja_restore_begin(c, &r));
    if (status)
        print_message("restore: %s\n", r.step.error.text);
    return status;
}

static int files_in(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static void test_restore__what_is_right_is_left_alone(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    struct stat before, after;
    uint8_t result = 9;
    write_file("o", "content", 7, 0640);
    deja_entry *e = kept(c, "one", "o", 0);
    assert_int_equal(stat("o", &before), 0);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_LEFT);
    assert_int_equal(stat("o", &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    /* right by content, though somebody wrote it again */
    write_file("o", "content", 7, 0640);
    assert_int_equal(stat("o", &before), 0);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_LEFT);
    assert_int_equal(stat("o", &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    deja_entry_free(e);
    deja_cache_close(c);
}

static void test_restore__what_is_missing_is_made_with_its_mode_and_parents(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    struct stat st;
    uint8_t result = 9;
    assert_int_equal(mkdir("d", 0700), 0);
    for (int large = 0; large < 2; large++) {
        const char *content = large ? data : "small";
        size_t len = large ? BIG_BYTES : 5;
        write_file("d/o", content, len, 0751);
        deja_entry *e = kept(c, large ? "large" : "small", "d/o", 0);
        assert_int_equal(unlink("d/o"), 0);
        assert_int_equal(rmdir("d"), 0);
        assert_int_equal(restore(c, e, DEJA_RESTORE_CHECK_ONLY, &result), 0);
        assert_int_equal(access("d", F_OK), -1);
        assert_int_equal(restore(c, e, 0, &result), 0);
        assert_int_equal(result, DEJA_RESTORED_MADE);
        assert_file("d/o", content, len);
        assert_int_equal(stat("d/o", &st), 0);
        assert_int_equal(st.st_mode & 07777, 0751);
        assert_int_equal(st.st_nlink, 1); /* never the blob itself */
        assert_int_equal(files_in("d"), 1);
        deja_entry_free(e);
    }
    deja_free(data);
    deja_cache_close(c);
}

static void test_restore__what_deja_left_is_made_anew_and_an_edit_is_told(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    uint8_t result = 9;
    write_file("o", "version 1", 9, 0644);
    deja_entry *one = kept(c, "one", "o", 0);
    write_file("o", "version 2", 9, 0644);
    deja_entry *two = kept(c, "two", "o", 0);
    assert_int_equal(restore(c, one, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_MADE);
    assert_file("o", "version 1", 9);
    assert_int_equal(restore(c, two, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_MADE);
    assert_file("o", "version 2", 9);
    write_file("o", "by hand", 7, 0644);
    assert_int_equal(restore(c, one, DEJA_RESTORE_KEEP_EDITED, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_KEPT);
    assert_file("o", "by hand", 7);
    assert_int_equal(restore(c, one, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_REPLACED);
    assert_file("o", "version 1", 9);
    assert_int_equal(files_in("."), 2); /* o, cache */
    deja_entry_free(one);
    deja_entry_free(two);
    deja_cache_close(c);
}

/* Content and times say nothing of it: the check before a restore must not call the output right. */
static void test_restore__a_wrong_mode_is_an_edit(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    struct stat before, after;
    uint8_t result = 9;
    for (int large = 0; large < 2; large++) {
        const char *content = large ? data : "content";
        size_t len = large ? BIG_BYTES : 7;
        write_file("o", content, len, 0755);
        deja_entry *e = kept(c, large ? "large" : "small", "o", 0);
        assert_int_equal(chmod("o", 0600), 0);
        assert_int_equal(stat("o", &before), 0);
        assert_int_equal(restore(c, e, DEJA_RESTORE_CHECK_ONLY, &result), 0);
        assert_int_equal(result, DEJA_RESTORED_REPLACED);
        assert_int_equal(restore(c, e, DEJA_RESTORE_KEEP_EDITED, &result), 0);
        assert_int_equal(result, DEJA_RESTORED_KEPT);
        assert_int_equal(restore(c, e, 0, &result), 0);
        assert_int_equal(result, DEJA_RESTORED_REPLACED);
        assert_int_equal(stat("o", &after), 0);
        assert_int_equal(after.st_mode & 07777, 0755);
        assert_true(before.st_ino != after.st_ino);
        assert_file("o", content, len);
        assert_int_equal(restore(c, e, DEJA_RESTORE_CHECK_ONLY, &result), 0);
        assert_int_equal(result, DEJA_RESTORED_LEFT);
        deja_entry_free(e);
    }
    deja_free(data);
    deja_cache_close(c);
}

/* Two results with one content and two modes: that deja left the file there does not make it right. */
static void test_restore__the_mode_of_another_result_is_wrong(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    struct stat st;
    uint8_t result = 9;
    write_file("o", "content", 7, 0644);
    deja_entry *one = kept(c, "one", "o", 0);
    write_file("o", "content", 7, 0755);
    deja_entry *two = kept(c, "two", "o", 0);
    assert_int_equal(restore(c, one, DEJA_RESTORE_CHECK_ONLY, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_MADE);
    assert_int_equal(restore(c, one, 0, &result), 0);
    assert_int_equal(stat("o", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    deja_entry_free(one);
    deja_entry_free(two);
    deja_cache_close(c);
}

static void test_restore__links_stay_links(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char target[32] = {0};
    uint8_t result = 9;
    assert_int_equal(symlink("some/where", "o"), 0);
    deja_entry *e = kept(c, "one", "o", 0);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_LEFT);
    assert_int_equal(unlink("o"), 0);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_MADE);
    assert_int_equal(readlink("o", target, sizeof target - 1), 10);
    assert_string_equal(target, "some/where");
    /* a file in its place, and the other way round */
    write_file("o", "file", 4, 0600);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_REPLACED);
    assert_int_equal(readlink("o", target, sizeof target - 1), 10);
    deja_entry_free(e);
    write_file("p", "file", 4, 0600);
    write_file("victim", "victim", 6, 0600);
    e = kept(c, "two", "p", 0);
    assert_int_equal(unlink("p"), 0);
    assert_int_equal(symlink("victim", "p"), 0);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_REPLACED);
    assert_file("p", "file", 4);
    assert_file("victim", "victim", 6);
    deja_entry_free(e);
    deja_cache_close(c);
}

static void test_restore__a_folder_or_a_fifo_in_the_way_is_refused(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    uint8_t result = 9;
    write_file("o", "content", 7, 0600);
    deja_entry *e = kept(c, "one", "o", 0);
    assert_int_equal(unlink("o"), 0);
    assert_int_equal(mkdir("o", 0700), 0);
    assert_int_equal(restore(c, e, 0, &result), DEJA_EEXIST);
    assert_int_equal(rmdir("o"), 0);
    assert_int_equal(mkfifo("o", 0600), 0);
    assert_int_equal(restore(c, e, 0, &result), DEJA_EEXIST);
    assert_int_equal(unlink("o"), 0);
    deja_entry_free(e);
    deja_cache_close(c);
}

static void test_restore__a_recorded_output_must_be_in_place(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    uint8_t result = 9;
    write_file("o", "content", 7, 0600);
    deja_entry *e = kept(c, "one", "o", DEJA_RESULT_RECORD);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_LEFT);
    assert_int_equal(chmod("o", 0444), 0);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_int_equal(result, DEJA_RESTORED_LEFT);
    write_file("o", "cOntent", 7, 0600);
    assert_int_equal(restore(c, e, 0, &result), DEJA_ENOTFOUND);
    assert_file("o", "cOntent", 7);
    assert_int_equal(unlink("o"), 0);
    assert_int_equal(restore(c, e, 0, &result), DEJA_ENOTFOUND);
    deja_entry_free(e);
    deja_cache_close(c);
}

static void path_of_blob(const deja_hash *hash, char path[80])
{
    char hex[DEJA_HASH_HEX];
    deja_hash_hex(hash, hex);
    snprintf(path, 80, "cache/blobs/%.2s/%s", hex, hex + 2);
}

/* Nothing is replaced before everything that is needed was found sound. */
static void test_restore__a_bad_blob_is_a_miss_that_changes_nothing(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1), path[80];
    uint8_t results[2] = {9, 9};
    write_file("a", "small", 5, 0600);
    write_file("b", data, BIG_BYTES, 0600);
    deja_output o[2] = {{.name = "", .path = "a"}, {.name = "", .path = "b"}};
    deja_result r = result_of("one", "");
    r.outputs = o;
    r.output_count = 2;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_entry *e = look(c, "one");
    write_file("a", "edited", 6, 0600);
    assert_int_equal(unlink("b"), 0);
    path_of_blob(&e->outputs[1].stored.content.hash, path);
    data[5] ^= 1;
    write_file(path, data, BIG_BYTES, 0444);
    assert_int_equal(restore(c, e, 0, results), DEJA_ECORRUPT);
    assert_warning(c, "is damaged");
    assert_file("a", "edited", 6);
    assert_int_equal(access("b", F_OK), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(restore(c, e, DEJA_RESTORE_CHECK_ONLY, results), DEJA_ENOTFOUND);
    assert_int_equal(restore(c, e, 0, results), DEJA_ENOTFOUND);
    assert_file("a", "edited", 6);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
}

static void test_restore__a_missing_standard_output_is_a_miss(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1), path[80];
    deja_result r = result_of("one", "");
    r.out = (deja_payload){data, BIG_BYTES, -1};
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_entry *e = look(c, "one");
    assert_int_equal(restore(c, e, 0, NULL), 0);
    path_of_blob(&e->out.content.hash, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(restore(c, e, 0, NULL), DEJA_ENOTFOUND);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
}

/* A clock that is an hour ahead: what was written just now counts as settled. */
static int64_t wall_ahead(void *context)
{
    (void)context;
    return deja_wall_ns(NULL) + 3600 * DEJA_S_NS;
}

static int64_t monotonic(void *context)
{
    (void)context;
    return deja_monotonic_ns(NULL);
}

static void harm(const char *path, char *data, int how)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    data[BIG_BYTES / 2] ^= 4;
    if (how == 0) { /* a flipped bit under the same name, inode, size and time of writing */
        assert_int_equal(chmod(path, 0600), 0);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, data, BIG_BYTES, 0), BIG_BYTES);
        assert_int_equal(futimens(fd, times), 0);
        close(fd);
        assert_int_equal(chmod(path, 0444), 0);
    } else if (how == 1) {
        assert_int_equal(truncate(path, BIG_BYTES - 1), 0);
    } else if (how == 2) {
        assert_int_equal(unlink(path), 0);
    } else {
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    data[BIG_BYTES / 2] ^= 4;
}

/* Whatever happens to a blob after the look at it: a miss, and the output as it was. The blob is old enough
   to be known by its stat data. */
static void test_restore__a_blob_that_is_harmed_after_the_check_is_a_miss(void **state)
{
    (void)state;
    char *data = big(1), path[80];
    write_file("o", data, BIG_BYTES, 0600);
    for (int how = 0; how < 4; how++) {
        static const deja_clock clock = {.monotonic_ns = monotonic, .wall_ns = wall_ahead};
        deja_cache_options options = {.size = sizeof options, .folder = "cache", .clock = &clock};
        deja_cache *c = NULL;
        uint8_t result = 9;
        assert_int_equal(deja_cache_open(&c, &options, NULL), 0);
        deja_entry *e = kept(c, "one", "o", 0);
        write_file("o", "edited", 6, 0600);
        assert_int_equal(restore(c, e, DEJA_RESTORE_CHECK_ONLY, &result), 0);
        path_of_blob(&e->outputs[0].stored.content.hash, path);
        harm(path, data, how);
        int status = restore(c, e, 0, &result);
        assert_int_equal(status, how == 2 ? DEJA_ENOTFOUND : DEJA_ECORRUPT);
        assert_file("o", "edited", 6);
        assert_int_equal(files_in("."), 2);
        deja_entry_free(e);
        if (how == 3)
            assert_int_equal(rmdir(path), 0);
        write_file("o", data, BIG_BYTES, 0600);
        e = kept(c, "one", "o", 0);
        assert_int_equal(unlink("o"), 0);
        assert_int_equal(restore(c, e, 0, &result), 0);
        assert_file("o", data, BIG_BYTES);
        deja_entry_free(e);
        deja_cache_close(c);
    }
    deja_free(data);
}

/* Around the size up to which contents live in their row, and nothing at all. */
static void test_restore__sizes_around_the_limit_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385};
    enum { N = sizeof sizes / sizeof *sizes };
    deja_cache *c = open_cache("cache");
    char *data = big(1), byte, names[N][8];
    for (size_t i = 0; i < N; i++) {
        uint8_t result = 9;
        snprintf(names[i], sizeof names[i], "o%zu", i);
        write_file(names[i], data, sizes[i], 0600);
        deja_output o = {.name = "", .path = names[i]};
        deja_result r = result_of(names[i], "");
        r.out = (deja_payload){data, sizes[i], -1};
        r.err = (deja_payload){NULL, 0, open(names[i], O_RDONLY | O_CLOEXEC)};
        r.outputs = &o;
        r.output_count = 1;
        assert_int_equal(keep(c, &r), 0);
        close(r.err.fd);
        deja_result_done(&r);
        assert_int_equal(unlink(names[i]), 0);
        deja_entry *e = look(c, names[i]);
        uint8_t where = sizes[i] > 16384 ? DEJA_STORED_BLOB : DEJA_STORED_INLINE;
        assert_int_equal(e->out.where, where);
        assert_int_equal(e->err.where, where);
        assert_int_equal(e->outputs[0].stored.where, where);
        deja_restore s = {.entry = e, .root_fd = AT_FDCWD, .results = &result};
        assert_int_equal(wait_step(c, &s.step, deja_restore_begin(c, &s)), 0);
        assert_file(names[i], data, sizes[i]);
        if (where == DEJA_STORED_BLOB) {
            int fd = deja_restore_open(c, &s, &e->err, NULL);
            assert_int_equal(pread(fd, &byte, 1, (off_t)sizes[i] - 1), 1);
            assert_int_equal(byte, data[sizes[i] - 1]);
            close(fd);
        } else {
            assert_int_equal(e->out.content.size, sizes[i]);
            assert_int_equal(memcmp(e->err.data, data, sizes[i]), 0);
        }
        deja_entry_free(e);
    }
    deja_free(data);
    deja_cache_close(c);
}

/* Two names of one file are two outputs; a change through one name is a change of both. */
static void test_restore__hard_links_are_outputs_of_their_own(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1);
    uint8_t results[2] = {9, 9};
    struct stat a, other;
    write_file("a", data, BIG_BYTES, 0600);
    assert_int_equal(link("a", "b") | link("a", "elsewhere"), 0);
    deja_output o[2] = {{.name = "", .path = "a"}, {.name = "", .path = "b"}};
    deja_result r = result_of("one", "");
    r.outputs = o;
    r.output_count = 2;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_entry *e = look(c, "one");
    assert_int_equal(restore(c, e, 0, results), 0);
    assert_int_equal(results[0] | results[1], DEJA_RESTORED_LEFT);
    int fd = open("elsewhere", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "edited", 6, 50), 6);
    close(fd);
    assert_int_equal(restore(c, e, 0, results), 0);
    assert_int_equal(results[0], DEJA_RESTORED_REPLACED);
    assert_int_equal(results[1], DEJA_RESTORED_REPLACED);
    assert_file("a", data, BIG_BYTES);
    assert_file("b", data, BIG_BYTES);
    assert_int_equal(stat("a", &a) | stat("elsewhere", &other), 0);
    assert_int_equal(a.st_nlink, 1);
    assert_int_equal(other.st_nlink, 1);
    deja_entry_free(e);
    deja_free(data);
    deja_cache_close(c);
}

static int open_stream(deja_cache *c, const deja_restore *r, const deja_stored *s)
{
    deja_error err = {0};
    int fd = deja_restore_open(c, r, s, &err);
    if (fd < 0)
        assert_int_equal(fd, DEJA_ENOTFOUND);
    return fd;
}

/* What a restore has checked is handed out unread: a change since is told by the stat data, not by hashing,
 * so no warning comes. */
static void test_restore__a_stream_is_the_file_that_was_checked(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char *data = big(1), *more = big(2), path[80], byte;
    deja_result r = result_of("one", "");
    r.out = (deja_payload){data, BIG_BYTES, -1};
    r.err = (deja_payload){more, BIG_BYTES, -1};
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_entry *e = look(c, "one");
    for (uint32_t flags = 0; flags <= DEJA_RESTORE_CHECK_ONLY; flags += DEJA_RESTORE_CHECK_ONLY) {
        deja_restore s = {.entry = e, .root_fd = AT_FDCWD, .flags = flags};
        assert_int_equal(wait_step(c, &s.step, deja_restore_begin(c, &s)), 0);
        int out = open_stream(c, &s, &e->out), other = open_stream(c, &s, &e->err);
        assert_int_equal(pread(out, &byte, 1, 5), 1);
        assert_int_equal(byte, data[5]);
        assert_int_equal(pread(other, &byte, 1, 5), 1);
        assert_int_equal(byte, more[5]);
        close(out);
        close(other);
    }
    deja_restore s = {.entry = e, .root_fd = AT_FDCWD};
    assert_int_equal(wait_step(c, &s.step, deja_restore_begin(c, &s)), 0);
    path_of_blob(&e->out.content.hash, path);
    data[5] ^= 1;
    write_file(path, data, BIG_BYTES, 0444);
    assert_int_equal(open_stream(c, &s, &e->out), DEJA_ENOTFOUND);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(open_stream(c, &s, &e->out), DEJA_ENOTFOUND);
    path_of_blob(&e->err.content.hash, path);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 7), 0);
    assert_int_equal(open_stream(c, &s, &e->err), DEJA_ENOTFOUND);
    assert_warning(c, NULL);
    assert_int_equal(deja_restore_open(c, &s, &(deja_stored){.where = DEJA_STORED_BLOB}, NULL), DEJA_EINVAL);
    deja_entry_free(e);
    deja_free(data);
    deja_free(more);
    deja_cache_close(c);
}

static void temporary_of(const char *name, char path[64])
{
    snprintf(path, 64, ".deja-%016llx-0", (unsigned long long)deja_hash64(name, strlen(name)));
}

static void test_restore__what_a_killed_process_left_is_removed(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char temporary[64];
    uint8_t result = 9;
    temporary_of("o", temporary);
    write_file("o", "content", 7, 0600);
    deja_entry *e = kept(c, "one", "o", 0);
    write_file(temporary, "left", 4, 0600);
    write_file("o", "edited", 6, 0600);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_int_equal(access(temporary, F_OK), -1);
    write_file(temporary, "left", 4, 0600);
    assert_int_equal(unlink("o"), 0);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_int_equal(access(temporary, F_OK), -1);
    assert_file("o", "content", 7);
    deja_entry_free(e);
    deja_cache_close(c);
}

static void test_restore__what_a_living_process_is_making_is_not_touched(void **state)
{
    (void)state;
    deja_cache *c = open_cache("cache");
    char temporary[64];
    uint8_t result = 9;
    temporary_of("o", temporary);
    write_file("o", "content", 7, 0600);
    deja_entry *e = kept(c, "one", "o", 0);
    write_file(temporary, "busy", 4, 0600);
    int held = open(temporary, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(held, LOCK_EX), 0);
    write_file("o", "edited", 6, 0600);
    assert_int_equal(restore(c, e, 0, &result), 0);
    assert_file("o", "content", 7);
    assert_file(temporary, "busy", 4);
    assert_int_equal(files_in("."), 3); /* o, cache, the other's */
    close(held);
    deja_entry_free(e);
    deja_cache_close(c);
}

static void test_restore__outputs_that_are_known_take_no_thread(void **state)
{
    (void)state;
    enum { N = 40 };
    static const deja_clock clock = {.monotonic_ns = monotonic, .wall_ns = wall_ahead};
    char names[N][16];
    deja_output outputs[N];
    uint8_t results[N];
    deja_cache_options options = {.size = sizeof options, .folder = "cache", .clock = &clock};
    deja_cache *c = NULL;
    assert_int_equal(deja_cache_open(&c, &options, NULL), 0);
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "o%d", i);
        write_file(names[i], names[i], strlen(names[i]), 0644);
        outputs[i] = (deja_output){.name = "", .path = names[i]};
    }
    deja_result r = result_of("one", "");
    r.outputs = outputs;
    r.output_count = N;
    assert_int_equal(keep(c, &r), 0);
    deja_result_done(&r);
    deja_cache_close(c);
    assert_int_equal(deja_cache_open(&c, &options, NULL), 0);
    deja_entry *e = look(c, "one");
    deja_restore all = {.entry = e, .root_fd = AT_FDCWD, .results = results};
    assert_int_equal(deja_restore_begin(c, &all), 1);
    assert_int_equal(all.step.status, 0);
    assert_int_equal(deja_cache_fd(c), -1);
    for (int i = 0; i < N; i++)
        assert_int_equal(results[i], DEJA_RESTORED_LEFT);
    assert_int_equal(unlink("o7"), 0);
    assert_int_equal(wait_step(c, &all.step, deja_restore_begin(c, &all)), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(results[i], i == 7 ? DEJA_RESTORED_MADE : DEJA_RESTORED_LEFT);
    assert_file("o7", "o7", 2);
    deja_entry_free(e);
    deja_cache_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_restore__what_is_right_is_left_alone),
        CASE(test_restore__what_is_missing_is_made_with_its_mode_and_parents),
        CASE(test_restore__what_deja_left_is_made_anew_and_an_edit_is_told),
        CASE(test_restore__a_wrong_mode_is_an_edit),
        CASE(test_restore__the_mode_of_another_result_is_wrong),
        CASE(test_restore__links_stay_links),
        CASE(test_restore__a_folder_or_a_fifo_in_the_way_is_refused),
        CASE(test_restore__a_recorded_output_must_be_in_place),
        CASE(test_restore__a_bad_blob_is_a_miss_that_changes_nothing),
        CASE(test_restore__a_missing_standard_output_is_a_miss),
        CASE(test_restore__a_blob_that_is_harmed_after_the_check_is_a_miss),
        CASE(test_restore__sizes_around_the_limit_come_back),
        CASE(test_restore__hard_links_are_outputs_of_their_own),
        CASE(test_restore__a_stream_is_the_file_that_was_checked),
        CASE(test_restore__what_a_killed_process_left_is_removed),
        CASE(test_restore__what_a_living_process_is_making_is_not_touched),
        CASE(test_restore__outputs_that_are_known_take_no_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
