/* vault.h: the cache and the claims of a run, as options and environment say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "scratch.h"
#include "vault.h"
#include <deja/hash.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

static int setup(void **state)
{
    if (scratch_setup(state))
        return -1;
    unsetenv("DEJA_MODE");
    unsetenv("DEJA_CACHE");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("XDG_STATE_HOME");
    return setenv("HOME", *state, 1);
}

static int count_names(const char *folder)
{
    DIR *d = opendir(folder);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n++;
    if (d)
        closedir(d);
    return n;
}

static vault open_vault(const vault_options *o)
{
    vault v;
    deja_error err;
    if (vault_open(&v, o, &err))
        fail_msg("%s", err.text);
    return v;
}

/* What a vault has, as letters: cache, keys' claims, outputs' claims, lookup, store, unusable. */
static const char *has(const vault_options *o)
{
    static char text[16];
    vault v = open_vault(o);
    snprintf(text, sizeof text, "%s%s%s%s%s%s", v.cache ? "c" : "", v.claims ? "k" : "",
             v.output_claims ? "o" : "", v.lookup ? "l" : "", v.store ? "s" : "", v.unusable ? "u" : "");
    vault_close(&v);
    return text;
}

static void test_vault__lies_beside_the_batch(void **state)
{
    vault_options o = {.beside = *state};
    assert_string_equal(has(&o), "ckls");
    assert_int_equal(access(".deja/db", F_OK), 0);
    o.has_outputs = 1;
    assert_string_equal(has(&o), "ckols");
    assert_int_equal(access(".deja/outputs", F_OK), -1);
}

/* All that a user starts meet there, whatever caches they use and with or without a batch. */
static void test_vault__claims_of_outputs_are_the_users(void **state)
{
    vault_options one = {.beside = *state, .has_outputs = 1, .cache = "one"}, two = one;
    two.cache = "two";
    two.beside = NULL;
    vault a = open_vault(&one), b = open_vault(&two);
    assert_int_equal(access(".local/state/deja/outputs", F_OK), 0);
    assert_int_equal(a.apart | b.apart, 0);
    deja_hash what = deja_hash_bytes("o", 1);
    assert_int_equal(access("one/db", F_OK) | access("two/db", F_OK), 0);
    assert_int_equal(access(".deja/db", F_OK), -1);
    assert_int_equal(deja_claim_try(a.output_claims, &what, NULL), 1);
    assert_int_equal(deja_claim_try(b.output_claims, &what, NULL), 0);
    assert_int_equal(deja_claim_try(b.claims, &what, NULL), 1);
    vault_close(&a);
    assert_int_equal(deja_claim_try(b.output_claims, &what, NULL), 1);
    vault_close(&b);
}

static void test_vault__without_a_batch_is_the_users(void **state)
{
    (void)state;
    vault_options o = {.has_outputs = 1};
    assert_string_equal(has(&o), "ckols");
    assert_int_equal(access(".cache/deja/db", F_OK), 0);
}

static void test_vault__does_what_the_mode_says(void **state)
{
    vault_options o = {.beside = *state, .has_outputs = 1}, force = {.beside = *state, .force = 1};
    setenv("DEJA_MODE", "readonly", 1);
    assert_string_equal(has(&o), "ol"); /* there is none yet, and asking makes none */
    assert_int_equal(access(".deja/db", F_OK), -1);
    setenv("DEJA_MODE", "off", 1);
    vault v = open_vault(&o);
    assert_null(v.cache);
    assert_null(v.claims);
    assert_int_equal(v.store, 0);
    assert_int_equal(vault_cannot_keep(&v), 0);
    vault_close(&v);
    assert_int_equal(access(".deja/db", F_OK), -1);
    setenv("DEJA_MODE", "refresh", 1);
    assert_string_equal(has(&o), "ckos");
    unsetenv("DEJA_MODE");
    assert_string_equal(has(&force), "cks");
    setenv("DEJA_MODE", "readonly", 1);
    assert_string_equal(has(&o), "col");
}

static void test_vault__a_bad_mode_is_the_only_error(void **state)
{
    vault v;
    vault_options o = {.beside = *state};
    deja_error err = {0};
    setenv("DEJA_MODE", "of", 1);
    assert_int_equal(vault_open(&v, &o, &err), DEJA_EINVAL);
    assert_non_null(strstr(err.text, "'of'"));
    assert_null(v.cache);
    vault_close(&v);
    assert_int_equal(access(".deja", F_OK), -1);
}

static void test_vault__a_dry_run_makes_nothing(void **state)
{
    vault_options dry = {.beside = *state, .has_outputs = 1, .dry_run = 1}, real = {.beside = *state};
    int names = count_names(".");
    assert_string_equal(has(&dry), "l");
    assert_int_equal(count_names("."), names);
    assert_string_equal(has(&real), "ckls");
    assert_string_equal(has(&dry), "cl");
    assert_int_equal(access(".deja/outputs", F_OK), -1);
}

static void test_vault__a_cache_that_cannot_be_opened_is_no_reason_not_to_run(void **state)
{
    vault_options o = {.beside = *state, .cache = "file"};
    close(open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    vault v = open_vault(&o);
    assert_null(v.cache);
    assert_null(v.claims);
    assert_int_equal(v.unusable, 1);
    assert_non_null(strstr(v.trouble.text, "file"));
    assert_int_equal(vault_cannot_keep(&v), 1);
    vault_close(&v);
    o.dry_run = 1;
    v = open_vault(&o);
    assert_int_equal(vault_cannot_keep(&v), 0);
    vault_close(&v);
}

/* Without claims two runs would store the same: then rather no cache. */
static void test_vault__a_cache_without_claims_is_unusable(void **state)
{
    vault_options o = {.beside = *state};
    assert_string_equal(has(&o), "ckls");
    assert_int_equal(nftw(".deja/claims", scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    close(open(".deja/claims", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    int before = count_names("/proc/self/fd");
    assert_string_equal(has(&o), "lsu");
    assert_int_equal(count_names("/proc/self/fd"), before);
}

/* Without a place of the user's, runs of one batch meet beside it, and the user is told. */
static void test_vault__claims_of_outputs_may_lie_beside_or_be_missing(void **state)
{
    vault_options o = {.beside = *state, .has_outputs = 1, .cache = "cache"};
    unsetenv("HOME");
    vault v = open_vault(&o);
    assert_non_null(v.output_claims);
    assert_int_equal(v.apart, 1);
    assert_non_null(strstr(v.claims_trouble.text, "HOME is not set"));
    assert_int_equal(access(".deja/outputs", F_OK), 0);
    vault_close(&v);
    setenv("HOME", *state, 1);
    close(open(".local", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    v = open_vault(&o);
    assert_non_null(v.output_claims);
    assert_non_null(strstr(v.claims_trouble.text, ".local"));
    vault_close(&v);
    o.beside = NULL;
    v = open_vault(&o);
    assert_null(v.output_claims);
    assert_int_equal(v.apart, 1);
    vault_close(&v);
    o.has_outputs = 0;
    v = open_vault(&o);
    assert_int_equal(v.apart, 0);
    vault_close(&v);
}

static void test_vault__closing_zeroed_memory_is_fine(void **state)
{
    vault v = {0};
    vault_close(&v);
    v = open_vault(&(vault_options){.beside = *state, .has_outputs = 1});
    vault_close(&v);
    assert_null(v.cache);
    vault_close(&v);
}

static void test_vault__lack_of_memory_is_like_no_cache(void **state)
{
    vault_options o = {.beside = *state, .has_outputs = 1};
    int before = count_names("/proc/self/fd");
    for (long n = 1, hits = 1; hits; n++) {
        failing_alloc_at(n);
        vault v = open_vault(&o);
        hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_int_equal(v.cache == NULL, v.unusable);
        assert_int_equal(v.claims == NULL, v.unusable);
        if (v.unusable)
            assert_int_equal(v.trouble.code, DEJA_ENOMEM);
        vault_close(&v);
        assert_int_equal(count_names("/proc/self/fd"), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, scratch_teardown)
        CASE(test_vault__lies_beside_the_batch),
        CASE(test_vault__claims_of_outputs_are_the_users),
        CASE(test_vault__without_a_batch_is_the_users),
        CASE(test_vault__does_what_the_mode_says),
        CASE(test_vault__a_bad_mode_is_the_only_error),
        CASE(test_vault__a_dry_run_makes_nothing),
        CASE(test_vault__a_cache_that_cannot_be_opened_is_no_reason_not_to_run),
        CASE(test_vault__a_cache_without_claims_is_unusable),
        CASE(test_vault__claims_of_outputs_may_lie_beside_or_be_missing),
        CASE(test_vault__closing_zeroed_memory_is_fine),
        CASE(test_vault__lack_of_memory_is_like_no_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
