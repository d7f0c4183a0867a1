/*
 * Memory of stat data: what may be trusted, that damage and races never make it say something wrong, and
 * growth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "scratch.h"
#include "statmem.h"

#include <deja/cleanup.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define NOW_S    INT64_C(1700000000) /* seconds since 1970: when the files of these tests are read */
#define OLD_S    (NOW_S - 1000)      /* their usual mtime and ctime */
#define SLOT     64                  /* bytes; FORMAT.md, "stat" */
#define SLOTS_AT 512

static statmem *open_memory(void)
{
    DEJA_AUTO_CLOSE int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    statmem *m = NULL;
    assert_int_equal(statmem_open(&m, folder, NULL, NULL), 0);
    return m;
}

static struct stat file_number(uint64_t i)
{
    struct stat st;
    memset(&st, 0, sizeof st);
    st.st_dev = 2049;
    st.st_ino = 1000 + i;
    st.st_mode = S_IFREG | 0644;
    st.st_size = (off_t)(i % 100000);
    st.st_mtim.tv_sec = st.st_ctim.tv_sec = OLD_S;
    st.st_mtim.tv_nsec = (long)(i % 1000000000);
    return st;
}

/* The content that file_number(i) has in these tests. */
static deja_content content_number(uint64_t i)
{
    return (deja_content){
        .kind = DEJA_CONTENT_FILE, .size = i % 100000, .hash = deja_hash_bytes(&i, sizeof i)};
}

static void note(statmem *m, uint64_t i, unsigned flags)
{
    struct stat st = file_number(i);
    deja_content content = content_number(i);
    statmem_note(m, &st, &content, NOW_S * DEJA_S_NS, flags);
}

/* 1 known and right, 0 unknown; a wrong answer fails. */
static int known(statmem *m, uint64_t i, unsigned *ret_flags)
{
    struct stat st = file_number(i);
    deja_content have = {0}, want = content_number(i);
    if (!statmem_find(m, &st, &have, ret_flags))
        return 0;
    assert_int_equal(have.kind, want.kind);
    assert_int_equal(have.size, want.size);
    assert_memory_equal(&have.hash, &want.hash, sizeof want.hash);
    return 1;
}

static void test_statmem__what_was_noted_is_found_also_after_reopening(void **state)
{
    (void)state;
    statmem *m = open_memory(), *other = open_memory();
    assert_int_equal(known(m, 1, NULL), 0);
    note(m, 1, 0);
    assert_int_equal(known(m, 1, NULL), 1);
    assert_int_equal(known(other, 1, NULL), 1);
    assert_int_equal(known(m, 2, NULL), 0);
    statmem_close(m);
    statmem_close(other);
    m = open_memory();
    assert_int_equal(known(m, 1, NULL), 1);
    statmem_close(m);
    statmem_close(NULL);
}

static void test_statmem__every_stat_field_counts(void **state)
{
    (void)state;
    statmem *m = open_memory();
    note(m, 1, STATMEM_OURS);
    struct stat variants[8];
    for (int i = 0; i < 8; i++)
        variants[i] = file_number(1);
    variants[0].st_dev++;
    variants[1].st_ino++;
    variants[2].st_mode ^= 0100;
    variants[3].st_size++;
    variants[4].st_mtim.tv_sec--;
    variants[5].st_mtim.tv_nsec++;
    variants[6].st_ctim.tv_sec--;
    variants[7].st_ctim.tv_nsec++;
    for (int i = 0; i < 8; i++) {
        deja_content content;
        unsigned flags = 1;
        assert_int_equal(statmem_find(m, &variants[i], &content, &flags), 0);
        assert_int_equal(flags, 0);
    }
    assert_int_equal(known(m, 1, NULL), 1);
    statmem_close(m);
}

static void test_statmem__a_new_version_takes_the_place_of_the_old(void **state)
{
    (void)state;
    statmem *m = open_memory();
    for (uint64_t i = 1; i <= 1000; i++) {
        struct stat st = file_number(1);
        st.st_mtim.tv_nsec = (long)i;
        deja_content content = {
            .kind = DEJA_CONTENT_FILE, .size = (uint64_t)st.st_size, .hash = deja_hash_bytes(&i, 8)};
        deja_content found;
        statmem_note(m, &st, &content, NOW_S * DEJA_S_NS, 0);
        assert_int_equal(statmem_find(m, &st, &found, NULL), 1);
        assert_memory_equal(&found.hash, &content.hash, sizeof found.hash);
        st.st_mtim.tv_nsec--;
        assert_int_equal(statmem_find(m, &st, &found, NULL), 0);
    }
    statmem_close(m);
}

/* Young files, and such from the future (a clock that was set, P14), must be read again; that they are ours
 * stays known. */
static void test_statmem__racy_timestamps_are_not_trusted(void **state)
{
    (void)state;
    static const struct {
        int64_t mtime_ns, ctime_ns; /* relative to the reading */
        int trusted;
    } cases[] = {
        {-10 * DEJA_S_NS, -10 * DEJA_S_NS, 1},
        {-2 * DEJA_S_NS, -2 * DEJA_S_NS, 1},
        {-2 * DEJA_S_NS + 1, -10 * DEJA_S_NS, 0},
        {-10 * DEJA_S_NS, -2 * DEJA_S_NS + 1, 0},
        {0, 0, 0},
        {3600 * DEJA_S_NS, -10 * DEJA_S_NS, 0},
        {-10 * DEJA_S_NS, 315360000 * DEJA_S_NS, 0},
    };
    statmem *m = open_memory();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stat st = file_number(i);
        int64_t mtime = NOW_S * DEJA_S_NS + cases[i].mtime_ns, ctime = NOW_S * DEJA_S_NS + cases[i].ctime_ns;
        st.st_mtim = (struct timespec){.tv_sec = mtime / DEJA_S_NS, .tv_nsec = mtime % DEJA_S_NS};
        st.st_ctim = (struct timespec){.tv_sec = ctime / DEJA_S_NS, .tv_nsec = ctime % DEJA_S_NS};
        deja_content content = content_number(i), found;
        unsigned flags = 0;
        statmem_note(m, &st, &content, NOW_S * DEJA_S_NS, STATMEM_OURS);
        assert_int_equal(statmem_find(m, &st, &found, &flags), cases[i].trusted);
        assert_int_equal(flags, STATMEM_OURS);
    }
    statmem_close(m);
}

static void test_statmem__absurd_times_are_not_trusted(void **state)
{
    (void)state;
    static const int64_t seconds[] = {INT64_MAX, INT64_MIN, INT64_MAX / DEJA_S_NS, -1};
    statmem *m = open_memory();
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        struct stat st = file_number(i);
        st.st_mtim = (struct timespec){.tv_sec = (time_t)seconds[i], .tv_nsec = 999999999};
        deja_content content = content_number(i), found;
        statmem_note(m, &st, &content, NOW_S * DEJA_S_NS, 0);
        /* A time before 1970 is old enough; one that does not fit 64 bits of nanoseconds is not trusted. */
        assert_int_equal(statmem_find(m, &st, &found, NULL), seconds[i] == -1);
    }
    statmem_close(m);
}

static void test_statmem__ours_lasts_while_the_file_is_as_it_was(void **state)
{
    (void)state;
    statmem *m = open_memory();
    unsigned flags = 0;
    note(m, 1, STATMEM_OURS);
    note(m, 1, 0); /* read again, the same content */
    assert_int_equal(known(m, 1, &flags), 1);
    assert_int_equal(flags, STATMEM_OURS);
    struct stat st = file_number(1);
    deja_content other = content_number(1);
    other.hash.byte[0] ^= 1;
    statmem_note(m, &st, &other, NOW_S * DEJA_S_NS, 0); /* edited within a tick of the clock */
    deja_content found;
    assert_int_equal(statmem_find(m, &st, &found, &flags), 1);
    assert_memory_equal(&found.hash, &other.hash, sizeof found.hash);
    assert_int_equal(flags, 0);
    note(m, 2, 0);
    assert_int_equal(known(m, 2, &flags), 1);
    assert_int_equal(flags, 0);
    statmem_close(m);
}

static void test_statmem__only_whole_files_and_links(void **state)
{
    (void)state;
    statmem *m = open_memory();
    struct stat st = file_number(1);
    deja_content content = content_number(1), found;
    content.size++; /* as a file of /proc has more bytes than its stat data say */
    statmem_note(m, &st, &content, NOW_S * DEJA_S_NS, 0);
    assert_int_equal(statmem_find(m, &st, &found, NULL), 0);
    content.size--;
    content.kind = DEJA_CONTENT_LINK;
    statmem_note(m, &st, &content, NOW_S * DEJA_S_NS, 0);
    assert_int_equal(statmem_find(m, &st, &found, NULL), 0);
    st.st_mode = S_IFLNK | 0777;
    statmem_note(m, &st, &content, NOW_S * DEJA_S_NS, 0);
    assert_int_equal(statmem_find(m, &st, &found, NULL), 1);
    assert_int_equal(found.kind, DEJA_CONTENT_LINK);
    st.st_mode = S_IFDIR | 0755;
    statmem_note(m, &st, &content, NOW_S * DEJA_S_NS, 0);
    assert_int_equal(statmem_find(m, &st, &found, NULL), 0);
    statmem_close(m);
}

/* ---- the file ---- */

static char *load(size_t *ret_len)
{
    DEJA_AUTO_CLOSE int fd = open("stat", O_RDONLY | O_CLOEXEC);
    struct stat st;
    assert_true(fd >= 0 && !fstat(fd, &st));
    char *bytes = deja_realloc(NULL, (size_t)st.st_size);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    *ret_len = (size_t)st.st_size;
    return bytes;
}

/* A new file in place of the old. */
static void store(const char *bytes, size_t len)
{
    unlink("stat");
    DEJA_AUTO_CLOSE int fd = open("stat", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
}

static void test_statmem__an_earlier_boot_is_not_trusted_but_ours_is_kept(void **state)
{
    (void)state;
    statmem *m = open_memory();
    note(m, 1, STATMEM_OURS);
    statmem_close(m);
    size_t len;
    DEJA_AUTO_FREE char *bytes = load(&len);
    int changed = 0;
    for (size_t at = SLOTS_AT; at < len; at += SLOT) {
        uint64_t words[SLOT / 8];
        memcpy(words, bytes + at, SLOT);
        if (!words[1])
            continue;
        words[6] ^= 2; /* the boot */
        words[0] = deja_hash64(words + 1, SLOT - 8);
        memcpy(bytes + at, words, SLOT);
        changed++;
    }
    assert_int_equal(changed, 1);
    store(bytes, len);
    m = open_memory();
    unsigned flags = 0;
    assert_int_equal(known(m, 1, &flags), 0);
    assert_int_equal(flags, STATMEM_OURS);
    note(m, 1, 0);
    assert_int_equal(known(m, 1, &flags), 1);
    assert_int_equal(flags, STATMEM_OURS);
    statmem_close(m);
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t used_slot(const char *bytes, size_t len, uint64_t *seed)
{
    for (;;) {
        size_t at = SLOTS_AT + random_next(seed) % ((len - SLOTS_AT) / SLOT) * SLOT;
        uint64_t place;
        memcpy(&place, bytes + at + 8, sizeof place);
        if (place)
            return at;
    }
}

/* Ten kinds of damage. Returns the new length. */
static size_t damage(char *bytes, size_t len, int kind, uint64_t *seed)
{
    size_t at = random_next(seed) % len, slot = used_slot(bytes, len, seed),
           other = used_slot(bytes, len, seed);
    switch (kind) {
    case 0: /* one bit */
        bytes[at] ^= (char)(1 << random_next(seed) % 8);
        break;
    case 1: /* one bit in a hundred slots that matter */
        for (int i = 0; i < 100; i++)
            bytes[used_slot(bytes, len, seed) + random_next(seed) % SLOT] ^=
                (char)(1 << random_next(seed) % 8);
        break;
    case 2: /* a block of zeros */
        memset(bytes + at / 4096 * 4096, 0, len - at / 4096 * 4096 < 4096 ? len - at / 4096 * 4096 : 4096);
        break;
    case 3: /* noise everywhere behind a point */
        for (size_t i = at; i < len; i++)
            bytes[i] = (char)random_next(seed);
        break;
    case 4: /* cut off */
        return at;
    case 5: /* empty */
        return 0;
    case 6: /* a torn slot: half of it from another */
        memcpy(bytes + slot, bytes + other, SLOT / 2);
        break;
    case 7: /* hash of one file in the slot of another */
        memcpy(bytes + slot + 32, bytes + other + 32, 16);
        break;
    case 8: /* shifted by some bytes */
        memmove(bytes + at, bytes + at / 2, len - at);
        break;
    default: /* noise instead of the header */
        for (int i = 0; i < SLOTS_AT; i++)
            bytes[i] = (char)random_next(seed);
    }
    return len;
}

static void test_statmem__damage_is_never_believed(void **state)
{
    (void)state;
    enum { FILES = 2000 };
    statmem *m = open_memory();
    for (uint64_t i = 0; i < FILES; i++)
        note(m, i, 0);
    statmem_close(m);
    size_t len;
    DEJA_AUTO_FREE char *sound = load(&len);
    uint64_t seed = 1;
    for (int kind = 0; kind < 10; kind++) {
        for (int round = 0; round < 10; round++) {
            DEJA_AUTO_FREE char *bytes = deja_dup(sound, len);
            assert_non_null(bytes);
            store(bytes, damage(bytes, len, kind, &seed));
            m = open_memory();
            int found = 0;
            for (uint64_t i = 0; i < FILES; i++)
                found += known(m, i, NULL); /* fails on a wrong answer */
            if (kind < 2 && memcmp(bytes, sound, SLOTS_AT) == 0)
                assert_true(found >= FILES - 100);
            /* And it goes on remembering. */
            note(m, 5, 0);
            assert_int_equal(known(m, 5, NULL), 1);
            statmem_close(m);
        }
    }
}

/* Somebody cuts the file while it is open: that was a SIGBUS for a reader of a mapping. */
static void test_statmem__a_file_that_is_cut_meanwhile_only_forgets(void **state)
{
    (void)state;
    enum { FILES = 2000 };
    static const off_t lengths[] = {60000, 600, 100, 0};
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
        statmem *m = open_memory();
        for (uint64_t i = 0; i < FILES; i++)
            note(m, i, 0);
        assert_int_equal(truncate("stat", lengths[n]), 0);
        for (uint64_t i = 0; i < FILES; i++)
            (void)known(m, i, NULL); /* fails on a wrong answer */
        for (uint64_t i = 0; i < FILES; i++)
            note(m, i, 0);
        statmem_close(m);
        m = open_memory();
        note(m, 5, 0);
        assert_int_equal(known(m, 5, NULL), 1);
        statmem_close(m);
    }
}

static void test_statmem__grows_and_forgets_nothing(void **state)
{
    (void)state;
    enum { FILES = 40000 };
    statmem *early = open_memory();
    note(early, 0, 0);
    statmem *m = open_memory();
    for (uint64_t i = 1; i < FILES; i++)
        note(m, i, 0);
    int found = 0;
    for (uint64_t i = 0; i < FILES; i++)
        found += known(m, i, NULL);
    assert_int_equal(found, FILES);
    /* Who has it open from before, when it was shorter, follows as soon as it notes something. */
    note(early, FILES, 0);
    found = 0;
    for (uint64_t i = 0; i <= FILES; i++)
        found += known(early, i, NULL);
    assert_int_equal(found, FILES + 1);
    for (uint64_t i = FILES; i < FILES + 20000; i++)
        note(early, i, 0);
    statmem_close(m);
    m = open_memory();
    found = 0;
    for (uint64_t i = 0; i < FILES + 20000; i++)
        found += known(m, i, NULL);
    assert_int_equal(found, FILES + 20000);
    statmem_close(m);
    statmem_close(early);
}

static void test_statmem__a_limit_on_file_size_only_costs_memory(void **state)
{
    (void)state;
    enum { FILES = 30000 };
    statmem *m = open_memory();
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit low = {.rlim_cur = 600 * 1024, .rlim_max = old.rlim_max};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGXFSZ, &ignore, &before);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int latest = 1;
    for (uint64_t i = 0; i < FILES; i++) {
        note(m, i, 0);
        latest = latest && known(m, i, NULL);
    }
    setrlimit(RLIMIT_FSIZE, &old);
    sigaction(SIGXFSZ, &before, NULL);
    int found = 0;
    for (uint64_t i = 0; i < FILES; i++)
        found += known(m, i, NULL);
    assert_true(latest);
    assert_true(found > 4000 && found < FILES);
    statmem_close(m);
}

/* ---- places where nothing can be kept ---- */

static void assert_forgets(void)
{
    statmem *m = open_memory();
    note(m, 1, 0);
    assert_int_equal(known(m, 1, NULL), 0);
    statmem_close(m);
}

static void test_statmem__without_a_usable_file_it_forgets(void **state)
{
    (void)state;
    assert_int_equal(mkdir("stat", 0700), 0);
    assert_int_equal(mkdir("stat/kept", 0700), 0);
    assert_forgets();
    assert_int_equal(rmdir("stat/kept"), 0);
    assert_int_equal(rmdir("stat"), 0);
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    DEJA_AUTO_CLOSE int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    statmem *m = NULL;
    int code = statmem_open(&m, folder, NULL, NULL);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(code, 0);
    note(m, 1, 0);
    assert_int_equal(known(m, 1, NULL), 0);
    statmem_close(m);
    assert_int_equal(access("stat", F_OK), -1);
}

/* Too few descriptors must not make a good memory disappear. */
static void test_statmem__lack_of_descriptors_deletes_nothing(void **state)
{
    (void)state;
    statmem *m = open_memory();
    note(m, 1, 0);
    statmem_close(m);
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    DEJA_AUTO_CLOSE int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    m = NULL;
    int code = statmem_open(&m, folder, NULL, NULL);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(code, 0);
    statmem_close(m);
    m = open_memory();
    assert_int_equal(known(m, 1, NULL), 1);
    statmem_close(m);
}

static void test_statmem__links_and_fifos_in_its_place_are_replaced(void **state)
{
    (void)state;
    int fd = open("elsewhere", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(symlink("elsewhere", "stat"), 0);
    statmem *m = open_memory();
    note(m, 1, 0);
    assert_int_equal(known(m, 1, NULL), 1);
    statmem_close(m);
    struct stat st;
    assert_int_equal(stat("elsewhere", &st), 0);
    assert_int_equal(st.st_size, 0);
    unlink("stat");
    assert_int_equal(mkfifo("stat", 0600), 0);
    m = open_memory();
    note(m, 1, 0);
    assert_int_equal(known(m, 1, NULL), 1);
    statmem_close(m);
}

static void test_statmem__a_readonly_file_is_read(void **state)
{
    (void)state;
    statmem *m = open_memory();
    note(m, 1, 0);
    statmem_close(m);
    assert_int_equal(chmod("stat", 0400), 0);
    assert_int_equal(chmod(".", 0500), 0);
    m = open_memory();
    assert_int_equal(known(m, 1, NULL), 1);
    note(m, 2, 0);
    assert_int_equal(known(m, 2, NULL), geteuid() == 0); /* nothing is read-only for root */
    statmem_close(m);
    assert_int_equal(chmod(".", 0700), 0);
}

static void test_statmem__lack_of_memory_is_survived(void **state)
{
    (void)state;
    int errors = 0;
    for (long n = 1;; n++) {
        unlink("stat");
        DEJA_AUTO_CLOSE int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        statmem *m = NULL;
        failing_alloc_at(n);
        int code = statmem_open(&m, folder, NULL, NULL);
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_true(code == 0 || code == DEJA_ENOMEM);
        if (code == 0) {
            note(m, 1, 0);
            if (!hits)
                assert_int_equal(known(m, 1, NULL), 1);
            else
                (void)known(m, 1, NULL);
        }
        errors += code < 0;
        statmem_close(m);
        if (!hits)
            break;
    }
    assert_int_equal(errors, 1);
}

/* ---- at the same time ---- */

typedef struct contestant {
    statmem *memory;
    uint64_t seed;
    _Atomic int *wrong;
} contestant;

/* Few files, so that all write the same slots: a torn slot that were believed would be a wrong answer. */
static int contest(statmem *m, uint64_t seed, int rounds)
{
    int wrong = 0;
    for (int i = 0; i < rounds; i++) {
        uint64_t number = random_next(&seed) % 20000;
        if (i % 8)
            number %= 16;
        struct stat st = file_number(number);
        deja_content want = content_number(number), have;
        if (statmem_find(m, &st, &have, NULL))
            wrong += have.size != want.size || !deja_hash_equal(&have.hash, &want.hash);
        if (i % 2)
            statmem_note(m, &st, &want, NOW_S * DEJA_S_NS, (unsigned)(i / 2) & STATMEM_OURS);
    }
    return wrong;
}

static void *contest_in_thread(void *context)
{
    contestant *me = context;
    atomic_fetch_add(me->wrong, contest(me->memory, me->seed, 20000));
    return NULL;
}

static void test_statmem__threads_and_processes_at_once(void **state)
{
    (void)state;
    pid_t pids[3];
    for (unsigned i = 0; i < 3; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i])
            continue;
        int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        statmem *m = NULL;
        if (folder < 0 || statmem_open(&m, folder, NULL, NULL) < 0)
            _exit(2);
        int wrong = contest(m, i + 1, 20000);
        statmem_close(m);
        _exit(wrong ? 1 : 0);
    }
    statmem *m = open_memory();
    _Atomic int wrong = 0;
    contestant c[3];
    pthread_t threads[3];
    for (unsigned i = 0; i < 3; i++) {
        c[i] = (contestant){.memory = m, .seed = 10 + i, .wrong = &wrong};
        assert_int_equal(pthread_create(&threads[i], NULL, contest_in_thread, &c[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 3; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(atomic_load(&wrong), 0);
    statmem_close(m);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_statmem__what_was_noted_is_found_also_after_reopening),
        CASE(test_statmem__every_stat_field_counts),
        CASE(test_statmem__a_new_version_takes_the_place_of_the_old),
        CASE(test_statmem__racy_timestamps_are_not_trusted),
        CASE(test_statmem__absurd_times_are_not_trusted),
        CASE(test_statmem__ours_lasts_while_the_file_is_as_it_was),
        CASE(test_statmem__only_whole_files_and_links),
        CASE(test_statmem__an_earlier_boot_is_not_trusted_but_ours_is_kept),
        CASE(test_statmem__damage_is_never_believed),
        CASE(test_statmem__a_file_that_is_cut_meanwhile_only_forgets),
        CASE(test_statmem__grows_and_forgets_nothing),
        CASE(test_statmem__a_limit_on_file_size_only_costs_memory),
        CASE(test_statmem__without_a_usable_file_it_forgets),
        CASE(test_statmem__lack_of_descriptors_deletes_nothing),
        CASE(test_statmem__links_and_fifos_in_its_place_are_replaced),
        CASE(test_statmem__a_readonly_file_is_read),
        CASE(test_statmem__lack_of_memory_is_survived),
        CASE(test_statmem__threads_and_processes_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
