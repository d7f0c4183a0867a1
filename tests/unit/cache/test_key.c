/*
 * Key encoding: golden vectors (tests/golden/key.txt), that no two lists of fields encode alike, and a reader
 * that stands any bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"

#include <deja/cleanup.h>
#include <deja/file.h>
#include <deja/key.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FIELDS 6
#define LISTS       20000 /* random lists of fields */

/* xorshift64* (Vigna 2014), so that a failure comes again. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* ---- golden vectors ---- */

static int hex_digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* "text" with \xNN escapes; leaves *at behind the closing quote. */
static void read_quoted(const char **at, deja_buffer *ret)
{
    const char *s = *at + strspn(*at, " ");
    assert_int_equal(*s, '"');
    for (s++; *s != '"'; s++) {
        assert_int_not_equal(*s, 0);
        if (*s == '\\') {
            deja_buffer_add_char(ret, (char)(hex_digit(s[2]) << 4 | hex_digit(s[3])));
            s += 3;
        } else {
            deja_buffer_add_char(ret, *s);
        }
    }
    *at = s + 1;
}

static void golden_field(deja_key *k, const char *line)
{
    char *end;
    deja_field_tag tag = (deja_field_tag)strtoul(line, &end, 10);
    const char *at = end;
    DEJA_AUTO_BUFFER deja_buffer name = {0}, value = {0};
    read_quoted(&at, &name);
    read_quoted(&at, &value);
    deja_key_add(k, tag, deja_buffer_string(&name), value.data, value.len);
}

static void golden_content(deja_key *k, const char *line)
{
    char *end;
    deja_field_tag tag = (deja_field_tag)strtoul(line, &end, 10);
    const char *at = end;
    DEJA_AUTO_BUFFER deja_buffer name = {0};
    read_quoted(&at, &name);
    deja_content content = {.kind = (uint8_t)strtoul(at, &end, 10)};
    content.size = strtoull(end, &end, 10);
    assert_int_equal(deja_hash_parse(&content.hash, end + 1), 0);
    deja_key_add_content(k, tag, deja_buffer_string(&name), &content);
}

static void golden_encoding(const deja_key *k, const char *hex)
{
    assert_int_equal(strlen(hex), 2 * k->bytes.len);
    for (size_t i = 0; i < k->bytes.len; i++)
        assert_int_equal((unsigned char)k->bytes.data[i],
                         hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
}

static int golden_key(const deja_key *k, const char *hex)
{
    deja_hash want, have;
    assert_int_equal(deja_hash_parse(&want, hex), 0);
    assert_int_equal(deja_key_finish(k, &have), 0);
    assert_memory_equal(&want, &have, sizeof want);
    return 1;
}

static const char *after(const char *line, const char *word)
{
    size_t n = strlen(word);
    return strncmp(line, word, n) || line[n] != ' ' ? NULL : line + n + 1;
}

static void load_golden(deja_buffer *b)
{
    DEJA_AUTO_BUFFER deja_buffer path = {0};
    deja_buffer_add_string(&path, TEST_FILE);
    path.len = (size_t)(strrchr(path.data, '/') - path.data);
    deja_buffer_add_string(&path, "/../../golden/key.txt");
    assert_int_equal(deja_file_load(AT_FDCWD, deja_buffer_string(&path), 1 << 20, b, NULL), 0);
}

static void test_key__matches_the_golden_vectors(void **state)
{
    (void)state;
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    load_golden(&text);
    deja_key k = {0};
    int keys = 0;
    char *left = text.data;
    for (char *line; (line = strsep(&left, "\n"));) {
        const char *rest;
        if (after(line, "case"))
            deja_key_begin(&k, "command");
        else if ((rest = after(line, "kind")))
            deja_key_begin(&k, rest);
        else if ((rest = after(line, "field")))
            golden_field(&k, rest);
        else if ((rest = after(line, "content")))
            golden_content(&k, rest);
        else if ((rest = after(line, "encoding")))
            golden_encoding(&k, rest);
        else if ((rest = after(line, "key")))
            keys += golden_key(&k, rest);
        else
            assert_true(*line == '#' || !*line);
    }
    deja_key_done(&k);
    assert_int_equal(keys, 19);
}

/* ---- no two lists encode alike ---- */

typedef struct part {
    deja_field_tag tag;
    char name[16];
    unsigned char value[48];
    size_t value_len;
} part;

typedef struct part_list {
    part parts[MOST_FIELDS];
    size_t count;
} part_list;

/* Short names and values from few letters, length bytes among them, so that everything that could be confused
 * comes up. */
static void random_list(part_list *list, uint64_t *seed)
{
    memset(list, 0, sizeof *list);
    list->count = random_next(seed) % (MOST_FIELDS + 1);
    for (size_t i = 0; i < list->count; i++) {
        part *p = &list->parts[i];
        p->tag = (deja_field_tag)(1 + random_next(seed) % 16);
        size_t name_len = random_next(seed) % 4;
        for (size_t j = 0; j < name_len; j++)
            p->name[j] = "ab\1\4"[random_next(seed) % 4];
        p->value_len = random_next(seed) % 5 ? random_next(seed) % 4 : random_next(seed) % sizeof p->value;
        for (size_t j = 0; j < p->value_len; j++)
            p->value[j] = (unsigned char)"ab\0\1\4\3"[random_next(seed) % 6];
    }
}

static void encode(deja_key *k, const part_list *list)
{
    deja_key_begin(k, "command");
    for (size_t i = 0; i < list->count; i++)
        deja_key_add(k, list->parts[i].tag, list->parts[i].name, list->parts[i].value,
                     list->parts[i].value_len);
}

/* Reads the list back. An encoding that determines its list belongs to no other: this is the proof, list by
 * list. */
static void assert_decodes_to(const deja_key *k, const part_list *list)
{
    deja_field f;
    size_t at = 0;
    assert_int_equal(deja_field_next(k->bytes.data, k->bytes.len, &at, &f), 1);
    assert_int_equal(f.tag, DEJA_FIELD_KIND);
    assert_int_equal(f.value_len, strlen("command"));
    for (size_t i = 0; i < list->count; i++) {
        const part *p = &list->parts[i];
        assert_int_equal(deja_field_next(k->bytes.data, k->bytes.len, &at, &f), 1);
        assert_int_equal(f.tag, p->tag);
        assert_int_equal(f.name_len, strlen(p->name));
        assert_memory_equal(f.name, p->name, f.name_len);
        assert_int_equal(f.value_len, p->value_len);
        assert_memory_equal(f.value, p->value, p->value_len);
    }
    assert_int_equal(deja_field_next(k->bytes.data, k->bytes.len, &at, &f), 0);
    assert_int_equal(at, k->bytes.len);
}

static void test_key__an_encoding_determines_its_fields(void **state)
{
    (void)state;
    uint64_t seed = 42;
    deja_key k = {0};
    for (int i = 0; i < LISTS; i++) {
        part_list list;
        random_list(&list, &seed);
        encode(&k, &list);
        assert_decodes_to(&k, &list);
    }
    deja_key_done(&k);
}

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(deja_hash));
}

/* All ways to cut one run of bytes into names and values of fields, which a naive concatenation would take
 * for the same. */
static void test_key__every_cut_of_the_same_bytes_has_its_own_key(void **state)
{
    (void)state;
    static const char bytes[] = "aaaaaaaaaa";
    enum { LEN = 10, CUTS = 1 << (LEN - 1) };
    static deja_hash keys[2 * CUTS];
    deja_key k = {0};
    size_t n = 0;
    for (unsigned cut = 0; cut < CUTS; cut++) {
        for (int as_names = 0; as_names < 2; as_names++) {
            deja_key_begin(&k, "command");
            for (size_t from = 0, to = 1; to <= LEN; to++) {
                if (to < LEN && !(cut >> (to - 1) & 1))
                    continue;
                char piece[LEN + 1] = {0};
                memcpy(piece, bytes + from, to - from);
                deja_key_add_string(&k, DEJA_FIELD_ENV, as_names ? piece : "", as_names ? "" : piece);
                from = to;
            }
            assert_int_equal(deja_key_finish(&k, &keys[n++]), 0);
        }
    }
    deja_key_done(&k);
    qsort(keys, n, sizeof *keys, compare_hashes);
    for (size_t i = 1; i < n; i++)
        assert_false(deja_hash_equal(&keys[i - 1], &keys[i]));
}

static void test_key__order_tag_name_and_value_count(void **state)
{
    (void)state;
    static const struct {
        deja_field_tag tag;
        const char *name, *value;
    } two[][2] = {
        {{DEJA_FIELD_ENV, "A", "1"}, {DEJA_FIELD_ENV, "B", "2"}},
        {{DEJA_FIELD_ENV, "B", "2"}, {DEJA_FIELD_ENV, "A", "1"}},
        {{DEJA_FIELD_ENV, "A", "2"}, {DEJA_FIELD_ENV, "B", "1"}},
        {{DEJA_FIELD_OUTPUT, "A", "1"}, {DEJA_FIELD_ENV, "B", "2"}},
        {{DEJA_FIELD_ENV, "A", ""}, {DEJA_FIELD_ENV, "B", "2"}},
        {{DEJA_FIELD_ENV_ABSENT, "A", ""}, {DEJA_FIELD_ENV, "B", "2"}},
    };
    enum { N = sizeof two / sizeof *two };
    deja_hash keys[N];
    deja_key k = {0};
    for (size_t i = 0; i < N; i++) {
        deja_key_begin(&k, "command");
        for (size_t j = 0; j < 2; j++)
            deja_key_add_string(&k, two[i][j].tag, two[i][j].name, two[i][j].value);
        assert_int_equal(deja_key_finish(&k, &keys[i]), 0);
        for (size_t j = 0; j < i; j++)
            assert_false(deja_hash_equal(&keys[i], &keys[j]));
    }
    deja_key_done(&k);
}

/* ---- contents ---- */

static deja_field only_field(deja_key *k)
{
    deja_field f;
    size_t at = 0;
    assert_int_equal(deja_field_next(k->bytes.data, k->bytes.len, &at, &f), 1);
    assert_int_equal(deja_field_next(k->bytes.data, k->bytes.len, &at, &f), 1);
    return f;
}

static void test_key__content_reads_back(void **state)
{
    (void)state;
    deja_key k = {0};
    for (uint8_t kind = DEJA_CONTENT_FILE; kind <= DEJA_CONTENT_FOLDER; kind++) {
        deja_content in = {
            .kind = kind, .size = UINT64_C(0x0123456789abcdef), .hash = deja_hash_bytes("x", 1)};
        deja_key_begin(&k, "command");
        deja_key_add_content(&k, DEJA_FIELD_INPUT, "p", &in);
        deja_field f = only_field(&k);
        deja_content out;
        assert_int_equal(deja_field_content(&f, &out), 0);
        assert_int_equal(out.kind, in.kind);
        assert_int_equal(out.size, in.size);
        assert_memory_equal(&out.hash, &in.hash, sizeof in.hash);
    }
    deja_key_done(&k);
}

static void test_key__what_is_absent_has_no_size_and_no_hash(void **state)
{
    (void)state;
    deja_content clean = {.kind = DEJA_CONTENT_ABSENT};
    deja_content dirty = {.kind = DEJA_CONTENT_ABSENT, .size = 7, .hash = deja_hash_bytes("left over", 9)};
    deja_hash a, b;
    deja_key k = {0};
    deja_key_begin(&k, "command");
    deja_key_add_content(&k, DEJA_FIELD_INPUT, "p", &clean);
    assert_int_equal(deja_key_finish(&k, &a), 0);
    deja_key_begin(&k, "command");
    deja_key_add_content(&k, DEJA_FIELD_INPUT, "p", &dirty);
    assert_int_equal(deja_key_finish(&k, &b), 0);
    deja_key_done(&k);
    assert_memory_equal(&a, &b, sizeof a);
}

static void test_key__content_of_other_fields_is_refused(void **state)
{
    (void)state;
    unsigned char value[26] = {DEJA_CONTENT_FILE};
    deja_field f = {.tag = DEJA_FIELD_INPUT, .value = value, .value_len = 25};
    deja_content out;
    assert_int_equal(deja_field_content(&f, &out), 0);
    for (uint64_t len = 0; len <= 26; len++) {
        f.value_len = len;
        assert_int_equal(deja_field_content(&f, &out), len == 25 ? 0 : DEJA_ECORRUPT);
    }
    f.value_len = 25;
    f.tag = DEJA_FIELD_ENV;
    assert_int_equal(deja_field_content(&f, &out), DEJA_ECORRUPT);
    f.tag = DEJA_FIELD_STDIN;
    value[0] = DEJA_CONTENT_FOLDER + 1;
    assert_int_equal(deja_field_content(&f, &out), DEJA_ECORRUPT);
    value[0] = DEJA_CONTENT_FILE;
    f.tag = DEJA_FIELD_LIBRARY;
    assert_int_equal(deja_field_content(&f, &out), 0);
    f.tag = DEJA_FIELD_ARGUMENT;
    assert_int_equal(deja_field_content(&f, &out), DEJA_ECORRUPT);
    f.tag = DEJA_FIELD_PROGRAM;
    f.value_len = 0;
    assert_int_equal(deja_field_content(&f, &out), 0);
    assert_int_equal(out.kind, DEJA_CONTENT_ABSENT);
    f.tag = DEJA_FIELD_LIBRARY; /* a library is there, or nothing is called */
    assert_int_equal(deja_field_content(&f, &out), DEJA_ECORRUPT);
}

/* ---- the reader ---- */

/* Walks over a copy without a byte to spare, so that a sanitizer sees every step outside. Number of fields or
 * a code. */
static int walk(const char *bytes, size_t len)
{
    DEJA_AUTO_FREE char *copy = deja_realloc(NULL, len);
    assert_non_null(copy);
    if (len)
        memcpy(copy, bytes, len);
    size_t at = 0;
    int n = 0;
    for (;;) {
        deja_field f;
        size_t before = at;
        int code = deja_field_next(copy, len, &at, &f);
        if (code <= 0)
            return code < 0 ? code : n;
        assert_true(at > before && at <= len);
        assert_true(f.name >= copy && f.name + f.name_len <= (const char *)f.value);
        assert_ptr_equal((const char *)f.value + f.value_len, copy + at);
        n++;
    }
}

static void test_key__a_cut_encoding_is_damaged_or_shorter(void **state)
{
    (void)state;
    uint64_t seed = 7;
    deja_key k = {0};
    for (int i = 0; i < 200; i++) {
        part_list list;
        random_list(&list, &seed);
        encode(&k, &list);
        int all = walk(k.bytes.data, k.bytes.len);
        assert_int_equal(all, list.count + 1);
        int boundaries = 0;
        for (size_t len = 0; len < k.bytes.len; len++) {
            int n = walk(k.bytes.data, len);
            assert_true(n == DEJA_ECORRUPT || (n >= 0 && n < all));
            boundaries += n >= 0;
        }
        assert_int_equal(boundaries, all);
    }
    deja_key_done(&k);
}

static void test_key__changed_and_random_bytes_stay_inside(void **state)
{
    (void)state;
    uint64_t seed = 9;
    deja_key k = {0};
    for (int i = 0; i < LISTS; i++) {
        part_list list;
        random_list(&list, &seed);
        encode(&k, &list);
        for (uint64_t n = 1 + random_next(&seed) % 8; n; n--)
            k.bytes.data[random_next(&seed) % k.bytes.len] = (char)random_next(&seed);
        (void)walk(k.bytes.data, k.bytes.len);
    }
    deja_key_done(&k);
}

static void test_key__another_format_is_refused(void **state)
{
    (void)state;
    deja_key k = {0};
    deja_key_begin(&k, "command");
    for (size_t i = 0; i < 6; i++) {
        k.bytes.data[i]++;
        assert_int_equal(walk(k.bytes.data, k.bytes.len), DEJA_ECORRUPT);
        k.bytes.data[i]--;
    }
    assert_int_equal(walk(k.bytes.data, k.bytes.len), 1);
    k.bytes.data[6] = 0; /* no field has tag 0 */
    assert_int_equal(walk(k.bytes.data, k.bytes.len), DEJA_ECORRUPT);
    size_t at = k.bytes.len + 1;
    deja_field f;
    assert_int_equal(deja_field_next(k.bytes.data, k.bytes.len, &at, &f), DEJA_ECORRUPT);
    deja_key_done(&k);
}

static void test_key__lack_of_memory_shows_at_the_end(void **state)
{
    (void)state;
    char value[4096];
    memset(value, 'v', sizeof value);
    int failures = 0;
    for (long n = 1; n < 100; n++) {
        deja_key k = {0};
        deja_hash h;
        failing_alloc_at(n);
        deja_key_begin(&k, "command");
        for (int i = 0; i < 10; i++)
            deja_key_add(&k, DEJA_FIELD_WORD, "", value, sizeof value);
        int code = deja_key_finish(&k, &h);
        int hits = (int)failing_alloc_hits;
        failing_alloc_at(0);
        assert_int_equal(code, hits ? DEJA_ENOMEM : 0);
        failures += hits;
        /* Begun anew it works again. */
        deja_key_begin(&k, "command");
        assert_int_equal(deja_key_finish(&k, &h), 0);
        deja_key_done(&k);
        if (!hits)
            break;
    }
    assert_true(failures > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key__matches_the_golden_vectors),
        cmocka_unit_test(test_key__an_encoding_determines_its_fields),
        cmocka_unit_test(test_key__every_cut_of_the_same_bytes_has_its_own_key),
        cmocka_unit_test(test_key__order_tag_name_and_value_count),
        cmocka_unit_test(test_key__content_reads_back),
        cmocka_unit_test(test_key__what_is_absent_has_no_size_and_no_hash),
        cmocka_unit_test(test_key__content_of_other_fields_is_refused),
        cmocka_unit_test(test_key__a_cut_encoding_is_damaged_or_shorter),
        cmocka_unit_test(test_key__changed_and_random_bytes_stay_inside),
        cmocka_unit_test(test_key__another_format_is_refused),
        cmocka_unit_test(test_key__lack_of_memory_shows_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
