/*
 * Records: what goes in comes out, and no damage gets through.
 */
#include "entry.h"

#include "store_fixture.h"

static deja_entry sample(deja_output outputs[2], deja_digest_item *discovered)
{
    static const deja_hash hash = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    outputs[0] = (deja_output){
        .name = "out",
        .path = "out/a b.txt",
        .mode = 0750,
        .stored = {.content = {DEJA_CONTENT_FILE, hash, 3}, .where = DEJA_STORED_INLINE, .data = "abc"}};
    outputs[1] =
        (deja_output){.name = "",
                      .path = "big",
                      .mode = 0644,
                      .stored = {.content = {DEJA_CONTENT_FILE, hash, 1 << 30}, .where = DEJA_STORED_BLOB}};
    *discovered = (deja_digest_item){.path = "seen.h", .flags = 1, .content = {DEJA_CONTENT_LINK, hash, 9}};
    return (deja_entry){
        .key = hash,
        .label = "job[i=1]",
        .encoding = "deja\0bytes",
        .encoding_len = 10,
        .exit_status = -7,
        .created_ns = INT64_C(1700000000000000001),
        .wall_ns = 5,
        .cpu_ns = 6,
        .peak_rss_bytes = 7,
        .out = {.content = {DEJA_CONTENT_FILE, hash, 4}, .where = DEJA_STORED_INLINE, .data = "o\0ut"},
        .err = {.content = {DEJA_CONTENT_FILE, hash, 0}, .where = DEJA_STORED_RECORD},
        .outputs = outputs,
        .output_count = 2,
        .discovered = discovered,
        .discovered_count = 1};
}

/* Formats 1 and 2: with a value whose bytes follow, format 2. */
#define FORMATS 2

static deja_buffer encoded_as(int format)
{
    deja_output outputs[2];
    deja_digest_item discovered;
    deja_entry e = sample(outputs, &discovered);
    deja_buffer b = {0};
    e.has_value = format == 2;
    e.value = (deja_stored){.content = {DEJA_CONTENT_FILE, e.key, 5}, .data = "v\0lue"};
    entry_encode(&b, &e);
    assert_false(b.failed);
    return b;
}

static deja_buffer encoded(void)
{
    return encoded_as(1);
}

static void test_entry__comes_back_as_it_was(void **state)
{
    (void)state;
    deja_output outputs[2];
    deja_digest_item discovered;
    deja_entry was = sample(outputs, &discovered), *is = NULL;
    deja_buffer b = encoded();
    entry_head head;
    assert_int_equal(entry_look(b.data, b.len, &was.key, &head), 0);
    assert_string_equal(head.label, "job[i=1]");
    assert_int_equal(entry_decode(b.data, b.len, &head, &is), 0);
    memset(b.data, 0xee, b.len); /* the entry borrows nothing */
    deja_buffer_done(&b);
    assert_true(deja_hash_equal(&was.key, &is->key));
    assert_string_equal(is->label, was.label);
    assert_int_equal(is->encoding_len, 10);
    assert_memory_equal(is->encoding, was.encoding, 10);
    assert_int_equal(is->exit_status, -7);
    assert_int_equal(is->created_ns, was.created_ns);
    assert_int_equal(is->wall_ns, 5);
    assert_int_equal(is->cpu_ns, 6);
    assert_int_equal(is->peak_rss_bytes, 7);
    assert_memory_equal(is->out.data, "o\0ut", 4);
    assert_int_equal(is->err.where, DEJA_STORED_RECORD);
    assert_null(is->err.data);
    assert_int_equal(is->output_count, 2);
    assert_string_equal(is->outputs[0].name, "out");
    assert_string_equal(is->outputs[0].path, "out/a b.txt");
    assert_int_equal(is->outputs[0].mode, 0750);
    assert_memory_equal(is->outputs[0].stored.data, "abc", 3);
    assert_int_equal(is->outputs[1].stored.content.size, 1 << 30);
    assert_int_equal(is->discovered_count, 1);
    assert_string_equal(is->discovered[0].path, "seen.h");
    assert_int_equal(is->discovered[0].content.kind, DEJA_CONTENT_LINK);
    deja_entry_free(is);
}

static void test_entry__a_value_comes_back_aligned(void **state)
{
    (void)state;
    deja_output outputs[2];
    deja_digest_item discovered;
    deja_entry was = sample(outputs, &discovered), *is = NULL;
    char label[200] = "";
    was.has_value = 1;
    was.value = (deja_stored){.content = {DEJA_CONTENT_FILE, was.key, 5}, .data = "v\0lue"};
    was.label = label;
    for (size_t i = 0; i < sizeof label - 1; label[i++] = 'l') {
        deja_buffer b = {0};
        entry_head head;
        was.value.content.size = i % 6;
        entry_encode(&b, &was);
        assert_int_equal(entry_look(b.data, b.len, &was.key, &head), 0);
        assert_int_equal(entry_decode(b.data, b.len, &head, &is), 0);
        deja_buffer_done(&b);
        assert_int_equal(is->has_value, 1);
        assert_int_equal(is->value.content.size, i % 6);
        assert_int_equal((uintptr_t)is->value.data % ENTRY_VALUE_ALIGN, 0);
        assert_memory_equal(is->value.data, "v\0lue", i % 6);
        assert_string_equal(is->outputs[1].path, "big");
        assert_string_equal(is->discovered[0].path, "seen.h");
        deja_entry_free(is);
    }
    was.value.where = DEJA_STORED_BLOB;
    was.value.content.size = UINT64_C(1) << 40;
    deja_buffer b = {0};
    entry_head head;
    entry_encode(&b, &was);
    assert_int_equal(entry_look(b.data, b.len, &was.key, &head), 0);
    assert_int_equal(entry_decode(b.data, b.len, &head, &is), 0);
    assert_int_equal(is->value.where, DEJA_STORED_BLOB);
    assert_int_equal(is->value.content.size, UINT64_C(1) << 40);
    assert_true(deja_hash_equal(&is->value.content.hash, &was.key));
    deja_entry_free(is);
    deja_buffer_done(&b);
}

static void test_entry__every_flipped_bit_is_seen(void **state)
{
    (void)state;
    deja_buffer b = encoded_as(2);
    entry_head head;
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(entry_look(b.data, b.len, NULL, &head), DEJA_ECORRUPT);
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ 1 << bit % 8);
    }
    deja_buffer_done(&b);
}

static void test_entry__every_other_length_is_seen(void **state)
{
    (void)state;
    deja_buffer b = encoded_as(2);
    entry_head head;
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(entry_look(b.data, len, NULL, &head), DEJA_ECORRUPT);
    assert_int_equal(entry_look(NULL, 0, NULL, &head), DEJA_ECORRUPT);
    deja_buffer_add_char(&b, 0);
    assert_int_equal(entry_look(b.data, b.len, NULL, &head), DEJA_ECORRUPT);
    deja_buffer_done(&b);
}

static void seal_again(deja_buffer *b)
{
    uint64_t sum = deja_hash64(b->data + 8, b->len - 8);
    for (int i = 0; i < 8; i++)
        b->data[i] = (char)(sum >> (8 * i));
}

/* With a checksum that fits: what a bug or a hand could write must not lead outside the record. */
static void assert_stays_inside(int format)
{
    entry_head head;
    deja_buffer whole = encoded_as(format);
    size_t len = whole.len;
    deja_buffer_done(&whole);
    for (size_t at = 8; at < len; at++)
        for (int value = 0; value < 256; value += 15) {
            deja_buffer b = encoded_as(format);
            deja_entry *e = NULL;
            b.data[at] = (char)value;
            seal_again(&b);
            if (entry_look(b.data, b.len, NULL, &head) == 0 && entry_decode(b.data, b.len, &head, &e) == 0) {
                assert_true(strlen(e->label) < b.len && e->encoding_len < b.len);
                for (size_t i = 0; i < e->output_count; i++)
                    assert_true(strlen(e->outputs[i].path) < b.len);
                if (e->value.data)
                    (void)deja_hash_bytes(e->value.data, e->value.content.size);
                deja_entry_free(e);
            }
            deja_buffer_done(&b);
        }
}

static void test_entry__nonsense_with_a_right_checksum_is_refused(void **state)
{
    (void)state;
    for (int format = 1; format <= FORMATS; format++)
        assert_stays_inside(format);
}

static void test_entry__of_another_key_or_format_is_refused(void **state)
{
    (void)state;
    deja_buffer b = encoded();
    entry_head head;
    deja_hash other = {{9}};
    assert_int_equal(entry_look(b.data, b.len, &other, &head), DEJA_ECORRUPT);
    b.data[8] = 0;
    seal_again(&b);
    assert_int_equal(entry_look(b.data, b.len, NULL, &head), DEJA_ECORRUPT);
    deja_buffer_done(&b);
}

/* Of a format of later times nothing but check and key can be said: it is whole, and not for us. */
static void test_entry__of_a_later_format_is_no_damage(void **state)
{
    (void)state;
    deja_buffer b = encoded();
    entry_head head;
    deja_hash key, other = {{9}};
    memcpy(key.byte, b.data + 16, sizeof key.byte);
    b.data[8] = FORMATS + 1;
    memset(b.data + 32, 0xff, b.len - 32);
    seal_again(&b);
    assert_int_equal(entry_look(b.data, b.len, &key, &head), DEJA_EVERSION);
    assert_int_equal(entry_look(b.data, b.len, &other, &head), DEJA_ECORRUPT);
    b.data[b.len - 1] ^= 1;
    assert_int_equal(entry_look(b.data, b.len, &key, &head), DEJA_ECORRUPT);
    deja_buffer_done(&b);
}

/* The bytes of format 1 are fixed for ever: FORMAT.md. */
static void test_entry__format_is_as_documented(void **state)
{
    (void)state;
    deja_entry e = {.key = {{0xaa}},
                    .label = "l",
                    .encoding = "E",
                    .encoding_len = 1,
                    .exit_status = 3,
                    .created_ns = 4,
                    .wall_ns = 5,
                    .cpu_ns = 6,
                    .peak_rss_bytes = 7,
                    .out = {.content = {.kind = DEJA_CONTENT_FILE, .size = 1}, .data = "x"}};
    static const unsigned char rest[] = {
        1,    0, 0, 0, 3, 0,   0, 0,                         /* format, exit status */
        0xaa, 0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* key */
        4,    0, 0, 0, 0, 0,   0, 0, 5, 0, 0, 0, 0, 0, 0, 0, /* created, wall */
        6,    0, 0, 0, 0, 0,   0, 0, 7, 0, 0, 0, 0, 0, 0, 0, /* cpu, peak */
        0,    0, 0, 0, 0, 0,   0, 0, 1, 0, 0, 0, 0, 0, 0, 0, /* outputs, discovered, length of the encoding */
        'E',  1, 0, 0, 0, 'l', 0,                            /* encoding, label */
        1,    1, 0, 0, 0, 0,   0, 0, 0,                      /* out: kind, size */
        0,    0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'x', /* hash, where, data */
        0,    0, 0, 0, 0, 0,   0, 0, 0,                              /* err */
        0,    0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    };
    deja_buffer b = {0};
    entry_encode(&b, &e);
    assert_int_equal(b.len, 8 + sizeof rest);
    assert_memory_equal(b.data + 8, rest, sizeof rest);
    deja_buffer_done(&b);
}

/* So are those of format 2: FORMAT.md. */
static void test_entry__format_of_a_value_is_as_documented(void **state)
{
    (void)state;
    deja_entry e = {.key = {{0xaa}},
                    .label = "l",
                    .encoding = "E",
                    .encoding_len = 1,
                    .has_value = 1,
                    .value = {.content = {DEJA_CONTENT_FILE, {{0xbb}}, 2}, .data = "vw"},
                    .out = {.content = {.kind = DEJA_CONTENT_FILE, .size = 1}, .data = "x"}};
    static const unsigned char rest[] = {
        2,    0, 0, 0, 0, 0,   0, 0,                         /* format, exit status */
        0xaa, 0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* key */
        0,    0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* created, wall */
        0,    0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* cpu, peak */
        0,    0, 0, 0, 0, 0,   0, 0, 1, 0, 0, 0, 0, 0, 0, 0, /* outputs, discovered, length of the encoding */
        'E',  1, 0, 0, 0, 'l', 0,                            /* encoding, label */
        1,    2, 0, 0, 0, 0,   0, 0, 0,                      /* value: kind, size */
        0xbb, 0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,           /* hash, where */
        1,    1, 0, 0, 0, 0,   0, 0, 0,                                   /* out: kind, size */
        0,    0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'x',      /* hash, where, data */
        0,    0, 0, 0, 0, 0,   0, 0, 0,                                   /* err */
        0,    0, 0, 0, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'v', 'w', /* the value */
    };
    deja_buffer b = {0};
    entry_encode(&b, &e);
    assert_int_equal(b.len, 8 + sizeof rest);
    assert_memory_equal(b.data + 8, rest, sizeof rest);
    deja_buffer_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry__comes_back_as_it_was),
        cmocka_unit_test(test_entry__a_value_comes_back_aligned),
        cmocka_unit_test(test_entry__every_flipped_bit_is_seen),
        cmocka_unit_test(test_entry__every_other_length_is_seen),
        cmocka_unit_test(test_entry__nonsense_with_a_right_checksum_is_refused),
        cmocka_unit_test(test_entry__of_another_key_or_format_is_refused),
        cmocka_unit_test(test_entry__of_a_later_format_is_no_damage),
        cmocka_unit_test(test_entry__format_is_as_documented),
        cmocka_unit_test(test_entry__format_of_a_value_is_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
