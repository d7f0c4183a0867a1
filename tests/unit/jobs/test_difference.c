/* What differs between two keys: jobs/difference.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "difference.h"
#include <stdio.h>
#include <string.h>

static deja_content content(const char *text)
{
    return (deja_content){
        .kind = DEJA_CONTENT_FILE, .size = strlen(text), .hash = deja_hash_bytes(text, strlen(text))};
}

static void add_file(deja_key *k, deja_field_tag tag, const char *path, const char *text)
{
    const deja_content c = content(text);
    deja_key_add_content(k, tag, path, &c);
}

/* All that differs, a line each. Takes both keys. */
static const char *found(deja_key *old, deja_key *now)
{
    static char text[4096];
    differences d = {0};
    deja_buffer b = {0};
    assert_int_equal(differences_find(&d, old->bytes.data, old->bytes.len, now->bytes.data, now->bytes.len),
                     0);
    for (size_t i = 0; i < d.count; i++) {
        difference_text(&b, &d.list[i]);
        deja_buffer_add_char(&b, '\n');
    }
    snprintf(text, sizeof text, "%s", deja_buffer_string(&b));
    deja_buffer_done(&b);
    differences_done(&d);
    deja_key_done(old);
    deja_key_done(now);
    return text;
}

static void begin(deja_key *old, deja_key *now)
{
    *old = *now = (deja_key){0};
    deja_key_begin(old, "command");
    deja_key_begin(now, "command");
}

static void test_difference__equal_keys_have_none(void **state)
{
    (void)state;
    deja_key a, b;
    begin(&a, &b);
    add_file(&a, DEJA_FIELD_INPUT, "x", "1");
    add_file(&b, DEJA_FIELD_INPUT, "x", "1");
    assert_string_equal(found(&a, &b), "");
}

static void test_difference__files_change_come_and_go(void **state)
{
    (void)state;
    deja_key a, b;
    begin(&a, &b);
    add_file(&a, DEJA_FIELD_INPUT, "gone", "1");
    add_file(&a, DEJA_FIELD_INPUT, "same", "1");
    add_file(&a, DEJA_FIELD_INPUT, "x\n", "1");
    add_file(&a, DEJA_FIELD_INPUT, "y", "1");
    add_file(&b, DEJA_FIELD_INPUT, "new", "1");
    add_file(&b, DEJA_FIELD_INPUT, "same", "1");
    add_file(&b, DEJA_FIELD_INPUT, "x\n", "2");
    add_file(&b, DEJA_FIELD_INPUT, "y", "1");
    deja_key_add(&b, DEJA_FIELD_EXECUTABLE, "y", NULL, 0);
    add_file(&a, DEJA_FIELD_PROGRAM, "", "1");
    add_file(&b, DEJA_FIELD_PROGRAM, "", "2");
    assert_string_equal(found(&a, &b), "program changed\n"
                                       "input 'gone' is gone\n"
                                       "input 'new' is new\n"
                                       "input 'x\\n' changed\n"
                                       "input 'y' may be executed now\n");
}

static void test_difference__the_order_of_inputs_is_none(void **state)
{
    (void)state;
    deja_key a, b;
    begin(&a, &b);
    add_file(&a, DEJA_FIELD_INPUT, "x", "1");
    add_file(&a, DEJA_FIELD_INPUT, "y", "2");
    add_file(&b, DEJA_FIELD_INPUT, "y", "2");
    add_file(&b, DEJA_FIELD_INPUT, "x", "1");
    assert_string_equal(found(&a, &b), "");
}

static void test_difference__a_file_is_found_or_not(void **state)
{
    (void)state;
    deja_key a, b;
    begin(&a, &b);
    deja_key_add(&a, DEJA_FIELD_PROGRAM, "", NULL, 0);
    add_file(&b, DEJA_FIELD_PROGRAM, "", "2");
    assert_string_equal(found(&a, &b), "program was found\n");
    begin(&a, &b);
    deja_key_add(&b, DEJA_FIELD_PROGRAM, "", NULL, 0);
    add_file(&a, DEJA_FIELD_PROGRAM, "", "2");
    assert_string_equal(found(&a, &b), "program is not found any more\n");
}

static void test_difference__variables_have_old_and_new_values(void **state)
{
    (void)state;
    deja_key a, b;
    const deja_hash one = deja_hash_bytes("1", 1), two = deja_hash_bytes("2", 1);
    begin(&a, &b);
    deja_key_add_string(&a, DEJA_FIELD_ENV, "LANG", "C");
    deja_key_add_string(&b, DEJA_FIELD_ENV, "LANG", "de\t");
    deja_key_add(&a, DEJA_FIELD_ENV_ABSENT, "TZ", NULL, 0);
    deja_key_add_string(&b, DEJA_FIELD_ENV, "TZ", "");
    deja_key_add(&a, DEJA_FIELD_ENV_SECRET, "TOKEN", &one, sizeof one);
    deja_key_add(&b, DEJA_FIELD_ENV_SECRET, "TOKEN", &two, sizeof two);
    deja_key_add_string(&a, DEJA_FIELD_ENV, "WAS_OPEN", "hush");
    deja_key_add(&b, DEJA_FIELD_ENV_SECRET, "WAS_OPEN", &two, sizeof two);
    deja_key_add_string(&b, DEJA_FIELD_ENV, "ZNEW", "z");
    assert_string_equal(found(&a, &b), "variable 'LANG': 'C' -> 'de\\t'\n"
                                       "variable 'TOKEN' changed (its value is secret)\n"
                                       "variable 'TZ': not set -> ''\n"
                                       "variable 'WAS_OPEN' changed (its value is secret)\n"
                                       "variable 'ZNEW': not set -> 'z'\n");
}

static void test_difference__a_word_in_between_is_all_there_is_to_say(void **state)
{
    (void)state;
    static const char *const old_words[] = {"prog", "-a", "x", "y"};
    static const char *const new_words[] = {"prog", "-a", "-v", "x", "y"};
    deja_key a, b;
    begin(&a, &b);
    for (size_t i = 0; i < 4; i++)
        deja_key_add_string(&a, DEJA_FIELD_WORD, "", old_words[i]);
    for (size_t i = 0; i < 5; i++)
        deja_key_add_string(&b, DEJA_FIELD_WORD, "", new_words[i]);
    assert_string_equal(found(&a, &b), "word 3 of the command: none -> '-v'\n");
}

static void test_difference__of_long_values_what_differs_is_shown(void **state)
{
    (void)state;
    deja_key a, b;
    char old_text[300], new_text[300];
    memset(old_text, 'a', sizeof old_text);
    memset(new_text, 'a', sizeof new_text);
    memcpy(old_text + 200, "OLD", 3);
    memcpy(new_text + 200, "NEW", 3);
    old_text[299] = new_text[299] = '\0';
    begin(&a, &b);
    deja_key_add_string(&a, DEJA_FIELD_TEXT, "", old_text);
    deja_key_add_string(&b, DEJA_FIELD_TEXT, "", new_text);
    assert_string_equal(found(&a, &b),
                        "command: '...aaaaaaaaaaaaaaaOLDaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' -> "
                        "'...aaaaaaaaaaaaaaaNEWaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'\n");
}

static void test_difference__of_two_ways_to_run_all_is_told(void **state)
{
    (void)state;
    deja_key a, b;
    const deja_hash one = deja_hash_bytes("1", 1), two = deja_hash_bytes("2", 1);
    begin(&a, &b);
    deja_key_add_string(&a, DEJA_FIELD_TEXT, "", "echo");
    deja_key_add_string(&a, DEJA_FIELD_SHELL, "", "bash");
    deja_key_add_string(&b, DEJA_FIELD_WORD, "", "echo");
    deja_key_add_string(&b, DEJA_FIELD_VERSION, "", "2");
    deja_key_add(&b, DEJA_FIELD_ENV_CLEAN, "", NULL, 0);
    deja_key_add(&a, DEJA_FIELD_NEED, "fetch", &one, sizeof one);
    deja_key_add(&b, DEJA_FIELD_NEED, "fetch", &two, sizeof two);
    deja_key_add(&b, DEJA_FIELD_NEED, "more", &two, sizeof two);
    deja_key_add_string(&a, DEJA_FIELD_OUTPUT, "out", "a");
    deja_key_add_string(&b, DEJA_FIELD_OUTPUT, "out", "b");
    deja_key_add_string(&b, DEJA_FIELD_OUTPUT, "", "c");
    assert_string_equal(found(&a, &b), "version: none -> '2'\n"
                                       "command: 'echo' -> none\n"
                                       "word 1 of the command: none -> 'echo'\n"
                                       "shell: 'bash' -> none\n"
                                       "the environment is a clean one now\n"
                                       "what 'fetch' left changed\n"
                                       "needed job 'more' is new\n"
                                       "output 'c' is new\n"
                                       "output 'out': 'a' -> 'b'\n");
}

static void test_difference__what_is_no_key_is_an_error(void **state)
{
    (void)state;
    differences d = {0};
    assert_int_equal(differences_find(&d, "rubbish", 7, "rubbish", 7), DEJA_ECORRUPT);
    differences_done(&d);
}

static void test_difference__json_has_values_but_of_secrets(void **state)
{
    (void)state;
    deja_key a, b;
    differences d = {0};
    deja_buffer text = {0};
    const deja_hash two = deja_hash_bytes("2", 1);
    begin(&a, &b);
    deja_key_add_string(&a, DEJA_FIELD_ENV, "V", "\xff");
    deja_key_add(&b, DEJA_FIELD_ENV_ABSENT, "V", NULL, 0);
    deja_key_add_string(&a, DEJA_FIELD_ENV, "T", "open");
    deja_key_add(&b, DEJA_FIELD_ENV_SECRET, "T", &two, sizeof two);
    assert_int_equal(differences_find(&d, a.bytes.data, a.bytes.len, b.bytes.data, b.bytes.len), 0);
    assert_int_equal(d.count, 2);
    difference_json(&text, &d.list[0]);
    difference_json(&text, &d.list[1]);
    assert_string_equal(text.data, "{\"what\":\"env\",\"name\":\"T\",\"change\":\"changed\",\"text\":"
                                   "\"variable 'T' changed (its value is "
                                   "secret)\"},{\"what\":\"env\",\"name\":\"V\",\"change\":\"changed\",\"old_"
                                   "base64\":\"/w==\",\"new\":null,"
                                   "\"text\":\"variable 'V': '\\\\xff' -> not set\"}");
    deja_buffer_done(&text);
    differences_done(&d);
    deja_key_done(&a);
    deja_key_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_difference__equal_keys_have_none),
        cmocka_unit_test(test_difference__files_change_come_and_go),
        cmocka_unit_test(test_difference__the_order_of_inputs_is_none),
        cmocka_unit_test(test_difference__a_file_is_found_or_not),
        cmocka_unit_test(test_difference__variables_have_old_and_new_values),
        cmocka_unit_test(test_difference__a_word_in_between_is_all_there_is_to_say),
        cmocka_unit_test(test_difference__of_long_values_what_differs_is_shown),
        cmocka_unit_test(test_difference__of_two_ways_to_run_all_is_told),
        cmocka_unit_test(test_difference__what_is_no_key_is_an_error),
        cmocka_unit_test(test_difference__json_has_values_but_of_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
