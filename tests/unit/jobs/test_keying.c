/* keying.h: the key of a job, from a job that was rendered and hashed by hand. */
#include "job_fixture.h"

#include "failing_alloc.h"
#include "keying.h"
#include <deja/cleanup.h>
#include <errno.h>

static const char *const outer[] = {"LANG=C", "TZ=UTC", "A=a", "API_KEY=s3cret", NULL};

/* What keying sees of a run. */
typedef struct run {
    flow flow;
    char notes[4096];
} run;

static void listen(void *context, const flow_event *event)
{
    run *r = context;
    assert_int_equal(event->kind, FLOW_NOTE);
    snprintf(r->notes, sizeof r->notes, "%s", event->reason);
}

static void open_run(run *r, const char *text)
{
    deja_error err;
    *r = (run){.flow = {.options = {.environment = outer, .listen = listen, .context = r}}};
    r->flow.batch = load(text);
    if (plan_open(&r->flow.plan, r->flow.batch, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void close_run(run *r)
{
    plan_close(r->flow.plan);
    deja_buffer_done(&r->flow.environment);
    batch_free(r->flow.batch);
}

/* The job as it is when it is to be keyed: what it reads has content "PATH". */
static active begin(run *r, const char *name, uint32_t index)
{
    active a = {.flow = &r->flow, .job = render(r->flow.batch, name, index)};
    assert_int_equal(reads_list(&a.reads, &a.job, a.job.argv ? a.job.argv[0] : NULL, NULL), 0);
    for (size_t i = 0; i < a.reads.count; i++) {
        const char *path = a.reads.items[i].path;
        a.reads.items[i].content = (deja_content){
            .kind = DEJA_CONTENT_FILE, .size = strlen(path), .hash = deja_hash_bytes(path, strlen(path))};
    }
    return a;
}

static void end(active *a)
{
    job_done(&a->job);
    reads_done(&a->reads);
    deja_key_done(&a->encoding);
    deja_buffer_done(&a->name);
}

/* The fields as "tag name=value;": of contents and hashes the value is left out. Static memory. */
static const char *fields_of(const deja_key *key)
{
    static char line[4096];
    size_t at = 0, n = 0;
    deja_field f;
    int more;
    line[0] = '\0';
    while ((more = deja_field_next(key->bytes.data, key->bytes.len, &at, &f)) > 0) {
        int binary = f.tag == DEJA_FIELD_ENV_SECRET || f.tag == DEJA_FIELD_NEED ||
                     f.tag == DEJA_FIELD_PROGRAM || f.tag == DEJA_FIELD_INPUT || f.tag == DEJA_FIELD_STDIN ||
                     f.tag == DEJA_FIELD_LIBRARY || f.tag == DEJA_FIELD_ARGUMENT;
        n += (size_t)snprintf(line + n, sizeof line - n, "%d %.*s=%.*s;", f.tag, (int)f.name_len, f.name,
                              binary ? 0 : (int)f.value_len, (const char *)f.value);
    }
    assert_int_equal(more, 0);
    return line;
}

static deja_hash key_of(run *r, const char *name, uint32_t index)
{
    active a = begin(r, name, index);
    assert_int_equal(keying_make(&a, NULL), 0);
    assert_int_equal(a.keyed, 1);
    deja_hash key = a.key;
    end(&a);
    return key;
}

/* All instances of a needed job have left `text`. */
static void settle(run *r, const char *text)
{
    plan_ready ready;
    deja_hash left = deja_hash_bytes(text ? text : "", text ? strlen(text) : 0);
    assert_int_equal(plan_next(r->flow.plan, &ready), 1);
    plan_settle(r->flow.plan, ready.def, ready.index, PLAN_LEFT, text ? &left : NULL, 0);
}

static void test_keying__fields_of_a_text_come_in_their_order(void **state)
{
    (void)state;
    run r;
    mkdir("d", 0700);
    open_run(&r, "version: 1\njobs:\n"
                 "  n: {run: x}\n"
                 "  a: {run: \"cat z | wc > ${{ o }}\", outputs: {o: out, q: out2}, env: [NONE, A, API_KEY], "
                 "clean-env: true, inputs: [z, b], stdin: in, cwd: d, needs: n, version: 3, scope: s}\n");
    settle(&r, "left");
    active a = begin(&r, "a", 0);
    assert_int_equal(keying_make(&a, NULL), 0);
    assert_string_equal(
        fields_of(&a.encoding),
        "1 =command;2 =s;3 =3;5 =cat z | wc > 'out';6 =bash;6 =-euo;6 =pipefail;6 =-c;7 =d;11 =;"
        "8 A=a;10 API_KEY=;9 LANG=;9 NONE=;9 TZ=;12 =;14 in=;13 b=;13 z=;15 o=out;15 q=out2;16 n=;");
    deja_hash hash = deja_hash_bytes(a.encoding.bytes.data, a.encoding.bytes.len);
    assert_true(deja_hash_equal(&hash, &a.key));
    end(&a);
    close_run(&r);
}

static void test_keying__words_stand_for_themselves(void **state)
{
    (void)state;
    run r;
    open_run(&r, "version: 1\njobs:\n  a: {run: [prog, \"\", \"two words\"]}\n");
    active a = begin(&r, "a", 0);
    assert_int_equal(keying_make(&a, NULL), 0);
    assert_string_equal(fields_of(&a.encoding),
                        "1 =command;4 =prog;4 =;4 =two words;7 =.;8 LANG=C;8 TZ=UTC;12 =;");
    end(&a);
    close_run(&r);
}

/* Of the library: its name and content; with a version only its name. */
static void test_keying__fields_of_a_call_come_in_their_order(void **state)
{
    (void)state;
    run r;
    open_run(
        &r,
        "version: 1\njobs:\n"
        "  n: {run: x}\n"
        "  a: {call: \"./lib.so:f\", with: {b: 1, a: {file: z}}, outputs: {o: out}, env: [A], inputs: [y], "
        "needs: n, scope: s}\n"
        "  v: {call: \"./lib.so:f\", version: 3}\n");
    settle(&r, "left");
    active a = begin(&r, "a", 0);
    assert_int_equal(keying_make(&a, NULL), 0);
    assert_string_equal(fields_of(&a.encoding),
                        "1 =call;2 =s;17 =f;20 lib.so=;18 b=;18 a=;8 A=a;8 LANG=C;8 TZ=UTC;"
                        "13 y=;13 z=;15 o=out;16 n=;");
    end(&a);
    a = begin(&r, "v", 0);
    assert_int_equal(keying_make(&a, NULL), 0);
    assert_string_equal(fields_of(&a.encoding), "1 =call;3 =3;17 =f;20 lib.so=;8 LANG=C;8 TZ=UTC;");
    end(&a);
    close_run(&r);
}

/* A promise to all versions to come, by the bytes of their keys. */
static void test_keying__keys_of_calls_never_change(void **state)
{
    (void)state;
    run r;
    char hex[DEJA_HASH_HEX];
    open_run(
        &r,
        "version: 1\njobs:\n"
        "  a: {call: \"./lib.so:f\", with: {T: 2.5, L: 64, name: x, many: [true, null], data: {file: z}}}\n"
        "  v: {call: \"./lib.so:f\", version: 3}\n");
    deja_hash key = key_of(&r, "a", 0);
    deja_hash_hex(&key, hex);
    assert_string_equal(hex, "0369bf49c9ef48cac0a479e763aed0d3");
    key = key_of(&r, "v", 0);
    deja_hash_hex(&key, hex);
    assert_string_equal(hex, "151d7ee92e617bf297308a589d2112ba");
    close_run(&r);
}

/* What is no argument to the function is none to the key, and the other way round. */
static void test_keying__every_part_of_a_call_counts(void **state)
{
    (void)state;
    static const char *const calls[] = {
        "call: \"lib.so:f\"",
        "call: \"lib.so:g\"",
        "call: \"lib2.so:f\"",
        "call: \"lib.so:f\", version: 1",
        "call: \"lib2.so:f\", version: 1",
        "call: \"lib.so:f\", with: {a: 1}",
        "call: \"lib.so:f\", with: {b: 1}",
        "call: \"lib.so:f\", with: {a: 1.0}",
        "call: \"lib.so:f\", with: {a: \"1\"}",
        "call: \"lib.so:f\", with: {a: true}",
        "call: \"lib.so:f\", with: {a: [1]}",
        "call: \"lib.so:f\", with: {a: 1, b: 2}",
        "call: \"lib.so:f\", with: {b: 2, a: 1}",
        "call: \"lib.so:f\", with: {a: {file: x}}",
        "call: \"lib.so:f\", with: {a: x}, inputs: [x]",
        "run: [lib.so, f]",
    };
    enum { COUNT = sizeof calls / sizeof *calls };
    deja_hash keys[COUNT];
    for (int i = 0; i < COUNT; i++) {
        run r;
        char text[256];
        snprintf(text, sizeof text, "version: 1\njobs:\n  a: {%s}\n", calls[i]);
        open_run(&r, text);
        keys[i] = key_of(&r, "a", 0);
        close_run(&r);
        for (int k = 0; k < i; k++)
            if (deja_hash_equal(&keys[i], &keys[k]))
                fail_msg("one key: %s and %s", calls[i], calls[k]);
    }
}

/* Executed directly or by its shell: a text is keyed as a text. */
static void test_keying__how_a_text_is_executed_is_not_in_the_key(void **state)
{
    (void)state;
    run r;
    open_run(&r, "version: 1\njobs:\n  a: {run: prog word}\n");
    active a = begin(&r, "a", 0);
    assert_non_null(a.job.argv);
    assert_int_equal(keying_make(&a, NULL), 0);
    assert_non_null(strstr(fields_of(&a.encoding), "5 =prog word;6 =bash;"));
    assert_null(strstr(fields_of(&a.encoding), ";4 ="));
    end(&a);
    close_run(&r);
}

static void test_keying__a_command_outside_of_batches_has_its_absolute_folder(void **state)
{
    (void)state;
    run r;
    char expected[4200];
    open_run(&r, "version: 1\njobs:\n  a: {run: [x], cwd: d}\n");
    r.flow.batch->absolute_keys = 1;
    active a = begin(&r, "a", 0);
    assert_int_equal(keying_make(&a, NULL), 0);
    snprintf(expected, sizeof expected, ";7 =%s/d;", r.flow.batch->folder);
    assert_non_null(strstr(fields_of(&a.encoding), expected));
    end(&a);
    close_run(&r);
}

static void test_keying__what_needed_jobs_left_counts_but_for_an_order(void **state)
{
    (void)state;
    static const char *const lines[] = {"needs: n", "needs: {n: order}"};
    for (int order = 0; order < 2; order++) {
        deja_hash keys[2];
        for (int i = 0; i < 2; i++) {
            run r;
            char text[128];
            snprintf(text, sizeof text, "version: 1\njobs:\n  n: {run: x}\n  a: {run: y, %s}\n",
                     lines[order]);
            open_run(&r, text);
            settle(&r, i ? "other" : "left");
            keys[i] = key_of(&r, "a", 0);
            close_run(&r);
        }
        assert_int_equal(deja_hash_equal(&keys[0], &keys[1]), order);
    }
}

static void test_keying__there_is_no_key_where_it_is_not_known_what_was_left(void **state)
{
    (void)state;
    run r;
    open_run(&r,
             "version: 1\njobs:\n  n: {run: x}\n  a: {run: y, needs: n}\n  o: {run: y, needs: {n: order}}\n");
    settle(&r, NULL);
    active a = begin(&r, "a", 0), o = begin(&r, "o", 0);
    assert_int_equal(keying_make(&a, NULL), 0);
    assert_int_equal(a.keyed, 0);
    assert_int_equal(keying_make(&o, NULL), 0);
    assert_int_equal(o.keyed, 1);
    end(&a);
    end(&o);
    close_run(&r);
}

/* The fields of the environment are made once for a job, and again where a value has an expression. */
static void test_keying__every_instance_has_its_own_environment(void **state)
{
    (void)state;
    static const char *const values[] = {"same", "\"${{ n }}\""};
    for (int own = 0; own < 2; own++) {
        run r;
        char text[256];
        snprintf(
            text, sizeof text,
            "version: 1\njobs:\n  a: {run: [x], matrix: {n: [1, 2]}, env: {V: %s}}\n  b: {run: [x], env: {V: "
            "other}}\n",
            values[own]);
        open_run(&r, text);
        deja_hash first = key_of(&r, "a", 0), second = key_of(&r, "a", 1), other = key_of(&r, "b", 0),
                  again = key_of(&r, "a", 1);
        assert_int_equal(deja_hash_equal(&first, &second), !own);
        assert_true(deja_hash_equal(&second, &again));
        assert_false(deja_hash_equal(&second, &other));
        close_run(&r);
    }
}

static void test_keying__the_trace_has_the_very_bytes(void **state)
{
    (void)state;
    run r;
    char path[300], hex[DEJA_HASH_HEX];
    mkdir("trace", 0700);
    open_run(&r, "version: 1\njobs:\n  a: {run: [x]}\n");
    r.flow.options.trace_keys = "trace";
    active a = begin(&r, "a", 0);
    assert_int_equal(keying_make(&a, NULL), 0);
    deja_hash_hex(&a.key, hex);
    snprintf(path, sizeof path, "trace/%s", hex);
    const char *bytes = read_file(path);
    assert_non_null(bytes);
    assert_memory_equal(bytes, a.encoding.bytes.data, a.encoding.bytes.len);
    assert_string_equal(r.notes, "");
    end(&a);
    r.flow.options.trace_keys = "none";
    a = begin(&r, "a", 0);
    assert_int_equal(keying_make(&a, NULL), 0);
    assert_int_equal(a.keyed, 1);
    assert_non_null(strstr(r.notes, "none/"));
    end(&a);
    close_run(&r);
}

static deja_content content_of(const char *text)
{
    return (deja_content){DEJA_CONTENT_FILE, deja_hash_bytes(text, strlen(text)), strlen(text)};
}

static deja_hash left_of(const deja_output *outputs, size_t count, const deja_digest_item *targets)
{
    deja_hash hash;
    deja_content out = content_of("out");
    assert_int_equal(keying_left(outputs, count, targets, &out, NULL, &hash), 1);
    return hash;
}

static int leave_the_same(const deja_output *a, const deja_output *b)
{
    deja_hash x = left_of(a, 2, NULL), y = left_of(b, 2, NULL);
    return deja_hash_equal(&x, &y);
}

static void test_keying__left_are_paths_contents_and_executability(void **state)
{
    (void)state;
    const deja_output first[] = {{.name = "a", .path = "p", .mode = 0600, .stored.content = content_of("1")},
                                 {.name = "b", .path = "q", .mode = 0600, .stored.content = content_of("2")}};
    deja_output other[2];
    memcpy(other, first, sizeof other);
    other[0].name = "x";
    other[0].mode = 0444;
    assert_true(leave_the_same(first, other));
    other[0].mode = 0610;
    assert_false(leave_the_same(first, other));
    other[0] = first[0];
    other[0].path = "q", other[1].path = "p";
    assert_false(leave_the_same(first, other));
    other[0] = first[1], other[1] = first[0];
    assert_false(leave_the_same(first, other));
    other[0] = first[0], other[1] = first[1];
    other[1].stored.content.kind = DEJA_CONTENT_LINK;
    assert_false(leave_the_same(first, other));
}

static void test_keying__without_outputs_standard_output_is_what_was_left(void **state)
{
    (void)state;
    deja_content one = content_of("1"), two = content_of("2");
    deja_hash out, out2;
    assert_int_equal(keying_left(NULL, 0, NULL, &one, NULL, &out), 1);
    assert_int_equal(keying_left(NULL, 0, NULL, &two, NULL, &out2), 1);
    assert_false(deja_hash_equal(&out, &out2));
    deja_hash value, value2;
    assert_int_equal(keying_left(NULL, 0, NULL, &one, &one, &value), 1);
    assert_int_equal(keying_left(NULL, 0, NULL, &one, &two, &value2), 1);
    assert_false(deja_hash_equal(&value, &value2));
    assert_false(deja_hash_equal(&value, &out));
}

static void test_keying__a_link_is_left_with_the_file_that_it_leads_to(void **state)
{
    (void)state;
    deja_output link = {.name = "", .path = "l", .mode = 0777, .stored.content = content_of("text")};
    link.stored.content.kind = DEJA_CONTENT_LINK;
    deja_digest_item none = {0}, target = {.path = "l", .content = content_of("1"), .mode = 0600};
    deja_hash plain = left_of(&link, 1, &none), one = left_of(&link, 1, &target), hash;
    assert_false(deja_hash_equal(&plain, &one));
    target.mode = 0700;
    hash = left_of(&link, 1, &target);
    assert_false(deja_hash_equal(&hash, &one));
    target.content = content_of("2");
    target.mode = 0600;
    hash = left_of(&link, 1, &target);
    assert_false(deja_hash_equal(&hash, &one));
    static const int no_file[] = {ENOENT, ENOTDIR, ELOOP, EISDIR, EINVAL};
    for (size_t i = 0; i < sizeof no_file / sizeof *no_file; i++) {
        target.sys_errno = no_file[i];
        hash = left_of(&link, 1, &target);
        assert_true(deja_hash_equal(&hash, &plain));
    }
    target.sys_errno = EACCES;
    assert_int_equal(keying_left(&link, 1, &target, &none.content, NULL, &hash), 0);
}

static void test_keying__an_input_that_may_be_executed_says_so(void **state)
{
    (void)state;
    run r;
    open_run(&r, "version: 1\njobs:\n  a: {run: [x], inputs: [f, g]}\n");
    active a = begin(&r, "a", 0);
    a.reads.items[1].mode = 0640;
    a.reads.items[2].mode = 0610;
    assert_int_equal(keying_make(&a, NULL), 0);
    assert_non_null(strstr(fields_of(&a.encoding), ";13 f=;13 g=;21 g=;"));
    end(&a);
    close_run(&r);
}

static void test_keying__any_allocation_may_fail(void **state)
{
    (void)state;
    run r;
    open_run(
        &r,
        "version: 1\njobs:\n  a: {run: \"cat z | wc\", cwd: d, inputs: [z], env: {V: v}, outputs: [o]}\n");
    r.flow.batch->absolute_keys = 1;
    deja_hash right = key_of(&r, "a", 0);
    long n = 1;
    for (int status = -1; status != 0; n++) {
        deja_error err = {0};
        r.flow.environment_of = NULL;
        deja_buffer_done(&r.flow.environment);
        active a = begin(&r, "a", 0);
        failing_alloc_at(n);
        status = keying_make(&a, &err);
        long hits = failing_alloc_hits;
        failing_alloc_at(0);
        assert_int_equal(a.keyed, status == 0);
        if (status == 0)
            assert_true(deja_hash_equal(&a.key, &right));
        else
            assert_int_equal(status, DEJA_ENOMEM);
        end(&a);
        deja_hash next = key_of(&r, "a", 0); /* with what the last one left behind */
        assert_true(deja_hash_equal(&next, &right));
        if (hits)
            status = -1;
    }
    assert_true(n > 4);
    close_run(&r);
}

static void test_keying__a_program_that_cannot_be_read_makes_no_key(void **state)
{
    (void)state;
    static const int reasons[] = {EACCES, EMFILE, EIO, ENOENT};
    run r;
    open_run(&r, "version: 1\njobs:\n  a: {run: [./x, b]}\n");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        active a = begin(&r, "a", 0);
        a.reads.items[0].sys_errno = reasons[i];
        assert_int_equal(keying_make(&a, NULL), 0);
        assert_false(a.keyed);
        end(&a);
    }
    close_run(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
        CASE(test_keying__fields_of_a_text_come_in_their_order),
        CASE(test_keying__fields_of_a_call_come_in_their_order),
        CASE(test_keying__keys_of_calls_never_change),
        CASE(test_keying__every_part_of_a_call_counts),
        CASE(test_keying__words_stand_for_themselves),
        CASE(test_keying__how_a_text_is_executed_is_not_in_the_key),
        CASE(test_keying__a_command_outside_of_batches_has_its_absolute_folder),
        CASE(test_keying__what_needed_jobs_left_counts_but_for_an_order),
        CASE(test_keying__there_is_no_key_where_it_is_not_known_what_was_left),
        CASE(test_keying__every_instance_has_its_own_environment),
        CASE(test_keying__the_trace_has_the_very_bytes),
        CASE(test_keying__left_are_paths_contents_and_executability),
        CASE(test_keying__without_outputs_standard_output_is_what_was_left),
        CASE(test_keying__a_link_is_left_with_the_file_that_it_leads_to),
        CASE(test_keying__an_input_that_may_be_executed_says_so),
        CASE(test_keying__any_allocation_may_fail),
        CASE(test_keying__a_program_that_cannot_be_read_makes_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
