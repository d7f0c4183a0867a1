/*
 * Shell text: where values may stand and that they do nothing there. The proof is differential: hostile
 * values in every place, run by the real shells of this machine, must come out byte for byte.
 */
#include "failing_alloc.h"
#include "scratch.h"
#include "shell.h"
#include <deja/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BATCH_BYTES  90000 /* of one shell text: an argument may have 128 KiB */

static const char *const bash[] = {"bash", "-euo", "pipefail", "-c", NULL};
static const char *const sh[] = {"sh", "-e", "-c", NULL};
static const char *const dash[] = {"dash", "-e", "-c", NULL};
static const char *const zsh[] = {"zsh", "-e", "-c", NULL};
static const char *const mksh[] = {"mksh", "-e", "-c", NULL};
static const char *const busybox[] = {"busybox", "sh", "-e", "-c", NULL};
static const char *const *const shells[] = {bash, sh, dash, zsh, mksh, busybox};

/* A value is either one scalar for every name or, for a name that begins with "list", a list. */
typedef struct values {
    const char *scalar;
    size_t len;
    const char *const *items;
    size_t count;
} values;

static int resolve(void *context, const template_expr *e, template_value *ret, deja_error *err)
{
    const values *v = context;
    if (strcmp(e->names[0], "missing") == 0)
        return deja_fail(err, DEJA_ENOTFOUND, "no '%s' here", e->names[0]);
    if (strncmp(e->names[0], "list", 4) == 0)
        *ret = (template_value){.items = v->items, .count = v->count, .is_list = 1};
    else
        *ret = (template_value){.data = v->scalar, .len = v->len};
    return 0;
}

static size_t words_of(const char *const *shell)
{
    size_t n = 0;
    while (shell[n])
        n++;
    return n;
}

static int parse(shell_text *s, const char *text, const char *const *shell, deja_arena *arena, size_t *offset,
                 deja_error *err)
{
    return shell_parse(s, text, strlen(text), shell, words_of(shell), arena, offset, err);
}

static int find_program(const char *program, char path[4096])
{
    const char *p = getenv("PATH");
    for (p = p ? p : ""; *p; p += strspn(p, ":")) {
        size_t n = strcspn(p, ":");
        snprintf(path, 4096, "%.*s/%s", (int)n, p, program);
        if (access(path, X_OK) == 0)
            return 1;
        p += n;
    }
    return 0;
}

static int is_installed(const char *program)
{
    char path[4096];
    return find_program(program, path);
}

static int is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Starts the shell by posix_spawn(3), which copies no page tables: under a sanitizer a fork takes long. */
static pid_t start(const char *const *shell, const char *text, int out)
{
    const char *argv[8] = {NULL};
    size_t n = words_of(shell);
    memcpy(argv, shell, n * sizeof *argv);
    argv[n] = text;
    posix_spawn_file_actions_t actions;
    pid_t child;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out, 1), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0), 0);
    assert_int_equal(posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ),
                     0);
    assert_int_equal(posix_spawn_file_actions_destroy(&actions), 0);
    return child;
}

/* Runs `text` and appends its standard output. The shell's own messages are dropped. */
static int run(const char *const *shell, const char *text, deja_buffer *out)
{
    int ends[2], status;
    assert_return_code(pipe2(ends, O_CLOEXEC), errno);
    pid_t child = start(shell, text, ends[1]);
    close(ends[1]);
    ssize_t got;
    do {
        char *room = deja_buffer_reserve(out, 65536);
        assert_non_null(room);
        got = read(ends[0], room, 65536);
        out->len += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- hostile values ---- */

static const char *const hostile[] = {
    "",
    " ",
    "a b",
    "'",
    "''",
    "\"",
    "\\",
    "\\\\",
    "a\\",
    "\\'",
    "\\\"",
    "'\\''",
    "$",
    "$$",
    "$HOME",
    "${HOME}",
    "$(>PWNED)",
    "`>PWNED`",
    "$((1+1))",
    "';>PWNED;'",
    "\";>PWNED;\"",
    "'$(>PWNED)'",
    "\"$(>PWNED)\"",
    "'\"`>PWNED`\"'",
    "a;>PWNED",
    "a&>PWNED",
    "a|tee PWNED",
    "a\n>PWNED\n",
    "\n",
    "\n\n",
    "a\nb",
    "\nEOF\n>PWNED\n",
    "EOF",
    "a\r\nb",
    "\t",
    "*",
    "?",
    "[a-z]",
    "[",
    "]",
    "{a,b}",
    "{1..3}",
    "~",
    "~root",
    "!",
    "!!",
    "!$",
    "a!b",
    "-",
    "--",
    "-n",
    "-e",
    "-rf",
    "=",
    "=ls",
    "a=b",
    "#",
    "# x",
    "a#b",
    "%",
    "%s",
    "%n",
    "^a^b",
    "<PWNED",
    ">PWNED",
    "2>PWNED",
    "1",
    "0",
    "<(>PWNED)",
    ">(>PWNED)",
    "a[$(>PWNED)]",
    "x[$(>PWNED)]=1",
    "($(>PWNED))",
    "((x))",
    "case",
    "esac",
    "done",
    "if",
    "}",
    ")",
    "(",
    ";;",
    "&&",
    "||",
    "${{ v }}",
    "$${{ v }}",
    "\\\n",
    "a\\\nb",
    "\303\251\303\274\342\202\254\360\237\222\251",
    "\377",
    "\303",
    "\303'",
    "\201\\",
    "\201\";>PWNED;\"",
    "\201'",
    "\1",
    "\1\1",
    "\177",
    "\33[31m",
    "\a\b\f\v",
    "$'\\n'",
    "$\"x\"",
    "x}y",
    ":-x",
    "yz",
    "[1]",
    ":h",
    "\\$(>PWNED)",
    "\\`>PWNED\\`",
    "\\\\$(>PWNED)",
    "\\\"$(>PWNED)\\\"",
};

/* A small generator with a fixed seed: the same values in every run (Marsaglia's xorshift64). */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t random_value(uint64_t *state, char *value)
{
    static const char spice[] = "'\"\\$`(){}[]<>|&;#!*?~=-\n\t aEOF";
    size_t len = 1 + draw(state) % 24;
    for (size_t i = 0; i < len; i++) {
        uint64_t r = draw(state);
        value[i] = r % 4 ? spice[(r >> 8) % (sizeof spice - 1)] : (char)(1 + (r >> 8) % 255);
    }
    value[len] = 0;
    return len;
}

enum { RANDOM_VALUES = 60, ALL_VALUES = (int)COUNT(hostile) + 255 + RANDOM_VALUES };

/* Value number `n` of all: the list above, random ones, every single byte. */
static size_t value_at(size_t n, uint64_t *state, char *value)
{
    if (n < COUNT(hostile)) {
        memcpy(value, hostile[n], strlen(hostile[n]) + 1);
        return strlen(value);
    }
    if (n < COUNT(hostile) + RANDOM_VALUES)
        return random_value(state, value);
    value[0] = (char)(n - COUNT(hostile) - RANDOM_VALUES + 1);
    value[1] = 0;
    return 1;
}

/* ---- places ---- */

typedef struct place {
    const char *text;
    const char *expected; /* of the output, V being the value and 0 the end of a word */
    int extended;         /* not for plain sh; 2: for bash and zsh only */
} place;

/* Run once behind all values of a place: programs take longer than all the rest, so that what a place writes
 * into `out` is shown in the end. */
static const char tail[] = "[ ! -e out ] || { cat out; rm out; }\n";

static const place places[] = {
    {"printf '%s\\0' ${{ v }}", "V0", 0},
    {"printf '%s\\0' a${{ v }}b", "aVb0", 0},
    {"printf '%s\\0' ${{ v }}${{ v }}", "VV0", 0},
    {"printf '%s\\0' a'b'\"c\"${{v}}'d'", "abcVd0", 0},
    {"printf '%s\\0' \\\\${{ v }}", "\\V0", 0},
    {"printf '%s\\0' '${{ v }}'", "V0", 0},
    {"printf '%s\\0' '\\${{ v }}\"x'", "\\V\"x0", 0},
    {"printf '%s\\0' \"${{ v }}\"", "V0", 0},
    {"printf '%s\\0' \"<${{ v }}>${{ v }}'\"", "<V>V'0", 0},
    {"printf '%s\\0' \"\\\"\\\\${{ v }}\\\\\"", "\"\\V\\0", 0},
    {"A=1; printf '%s\\0' \"$A${{ v }}\"", "1V0", 0},
    {"A=1; printf '%s\\0' \"${A}${{ v }}\"", "1V0", 0},
    {"A=1; printf '%s\\0' \"$A\\\n${{ v }}\"", "1V0", 0},
    {"A=1; printf '%s\\0' $A${{ v }}", "1V0", 0},
    {"printf '%s\\0' \"${A:-}${{ v }}${A:-\"a b\"}\"", "Va b0", 0},
    {"printf '%s\\0' ${A:-'}'}${{ v }}", "}V0", 0},
    {"printf '%s\\0' $((1 + (2)))${{ v }}", "3V0", 0},
    {"printf '%s\\0' `echo x`${{ v }}", "xV0", 0},
    {"x=$(printf '%s.' ${{ v }}); printf '%s\\0' \"$x\"", "V.0", 0},
    {"x=$(printf '%s.' \"${{ v }}\"); printf '%s\\0' \"$x\"", "V.0", 0},
    {"printf '%s\\0' \"$(printf '%s.' ${{ v }})\"", "V.0", 0},
    {"printf '%s\\0' \"$(printf '%s.' \"${{ v }}\")${{ v }}\"", "V.V0", 0},
    {"printf '%s\\0' \"$(printf '%s.' '${{ v }}' # it's )\n)\"", "V.0", 0},
    {"printf '%s\\0' \"$(case x in (a) ;; x) printf '%s.' ${{ v }};; esac)\"", "V.0", 0},
    {"printf '%s\\0' \"$(case x in a) echo ')';; x) printf '%s.' \"${{ v }}\" ;; esac)\"", "V.0", 0},
    {"true ${{ v }} | printf '%s\\0' ${{ v }}", "V0", 0},
    {"true | : - /dev/null && printf '%s\\0' \"${{ v }}\" || exit 3", "V0", 0},
    {"for x in ${{ v }} 'a'; do printf '%s\\0' \"$x\"; done", "V0a0", 0},
    {"for x\nin \"${{ v }}\"\ndo printf '%s\\0' \"$x\"; done", "V0", 0},
    {"case ${{ v }} in ${{ v }}) printf '%s\\0' ${{ v }};; *) printf no;; esac", "V0", 0},
    {"case \"${{ v }}\" in\n# a comment, isn't it\n  'no such') ;;\n  \"${{ v }}\"|b) printf "
     "'yes\\0';;\nesac",
     "yes0", 0},
    {"if [ x${{ v }} = \"x${{ v }}\" ]; then printf '%s\\0' ${{ v }}; fi", "V0", 0},
    {"[[ ${{ v }} == ${{ v }} ]] && printf '%s\\0' ${{ v }}", "V0", 1},
    {"if [[ ( -n x && \"x${{ v }}\" = 'x${{ v }}' ) ]]; then printf 'yes\\0'; fi", "yes0", 1},
    {"printf '%s\\0' ${{ v }} >> out", "V0", 0},
    {"printf '%s\\0' ${{ v }}>>out 2>&1; : <out", "V0", 0},
    {"a=(x ${{ v }} \"${{ v }}\" # it's\n); printf '%s\\0' \"${a[@]}\"", "x0V0V0", 1},
    {"a+=(${{ v }}); printf '%s\\0' \"${a[@]}\"; a=()", "V0", 1},
    {"cat <<<${{ v }}; printf '\\0'", "V\n0", 1},
    {"x=${{ v }}; printf '%s\\0' \"$x\"", "V0", 0},
    {"x=a\"${{ v }}\"'b' ; printf '%s\\0' \"$x\"", "aVb0", 0},
    {"export x=${{ v }}; printf '%s\\0' \"$x\"", "V0", 0},
    {"f() { printf '%s\\0' \"$x\"; }; x=${{ v }} f", "V0", 0},
    {"( printf '%s\\0' ${{ v }} )", "V0", 0},
    {"{ printf '%s\\0' ${{ v }}; }", "V0", 0},
    {"f() { printf '%s\\0' ${{ v }}; }; f", "V0", 0},
    {"f () ( printf '%s\\0' \"$1\" ); f ${{ v }}", "V0", 0},
    {"cat <(printf '%s\\0' ${{ v }})", "V0", 2},
    {": <<EOF >/dev/null\n it's \" $((1)) \\\nx\nEOF\nprintf '%s\\0' ${{ v }}", "V0", 0},
    {": <<'EOF' >/dev/null; printf '%s\\0' ${{ v }}\n it's \" $( ` \\\nEOF\nprintf '%s\\0' \"${{ v }}\"",
     "V0V0", 0},
    {": >/dev/null <<-\\A <<B\n\t'\n\tA\n\"\nB\nprintf '%s\\0' ${{ v }}", "V0", 0},
    {"printf 'x\\0' # ${{ v }} isn't run", "x0", 0},
    {"printf '%s\\0' a#b${{ v }}", "a#bV0", 0},
    {"printf '%s\\0' {${{ v }},b}", "V0b0", 1},
    {"printf '%s\\0' ../..${{ v }}", "../..V0", 0},
    {"printf '%s\\0' \\\n  ${{ v }} \\\n  b\\\n${{ v }}", "V0bV0", 0},
    {"! false && while printf '%s\\0' ${{ v }}; do break; done", "V0", 0},
    {"printf '%s\\0' $'it\\\\s'${{ v }}", "it\\sV0", 2},
    {"((1 < 2)) && printf '%s\\0' ${{ v }}", "V0", 1},
    {"for ((i = 0; i < 1; i++)); do printf '%s\\0' ${{ v }}; done", "V0", 2},
    {"printf '%s\\0' '$${{ v }}' \"\\$${{ v }}\"${{ v }}", "${{ v }}0${{ v }}V0", 0},
};

/* printf is a program for mksh, a builtin for all others: what the places need of it. */
static const char mksh_printf[] = "printf() { typeset f=$1 v; shift; case $f in '%s\\0') for v; do print -nr "
                                  "-- \"$v\"; print -n '\\0'; done;;"
                                  " %s.) print -nr -- \"$1.\";; *) print -n -- \"$f\";; esac; }\n";

enum { BYTE_PLACES = 15 }; /* the first ones, which start no process, get every byte as value */

static int is_extended(const char *const *shell)
{
    return shell == bash || shell == zsh || shell == mksh;
}

static int applies(const place *p, const char *const *shell)
{
    return p->extended < 2 ? !p->extended || is_extended(shell) : shell == bash || shell == zsh;
}

static void expect(deja_buffer *b, const char *pattern, const char *value, size_t len)
{
    for (; *pattern; pattern++) {
        if (*pattern == 'V')
            deja_buffer_add(b, value, len);
        else
            deja_buffer_add_char(b, *pattern == '0' ? 0 : *pattern);
    }
}

static void check_batch(const char *const *shell, const place *p, deja_buffer *text, deja_buffer *expected)
{
    DEJA_AUTO_BUFFER deja_buffer out = {0}, script = {0};
    deja_buffer_addf(&script, "%s%s%s", shell == mksh ? mksh_printf : "", deja_buffer_string(text), tail);
    int status = run(shell, deja_buffer_string(&script), &out);
    if (status != 0 || out.len != expected->len ||
        (out.len && memcmp(out.data, expected->data, out.len) != 0)) {
        size_t at = 0;
        while (at < out.len && at < expected->len && out.data[at] == expected->data[at])
            at++;
        fail_msg("%s: status %d, differs at byte %zu of %zu: place %s", shell[0], status, at, expected->len,
                 p->text);
    }
    if (access("PWNED", F_OK) == 0)
        fail_msg("%s executed a value: place %s", shell[0], p->text);
    deja_buffer_clear(text);
    deja_buffer_clear(expected);
}

static void check_place(const char *const *shell, const place *p)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer text = {0}, expected = {0};
    uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
    shell_text s;
    deja_error err;
    if (parse(&s, p->text, shell, &arena, NULL, &err))
        fail_msg("%s refuses %s: %s", shell[0], p->text, err.text);
    size_t count = ALL_VALUES;
    if ((p - places >= BYTE_PLACES || (shell != bash && shell != sh && shell != dash)) &&
        !getenv("DEJA_TEST_ROUNDS"))
        count = COUNT(hostile) + RANDOM_VALUES;
    for (size_t n = 0; n < count; n++) {
        char value[64];
        values v = {.scalar = value, .len = value_at(n, &seed, value)};
        assert_int_equal(shell_render(&s, resolve, &v, &text, NULL, &err), 0);
        deja_buffer_add_char(&text, '\n');
        expect(&expected, p->expected, value, v.len);
        if (text.len > BATCH_BYTES)
            check_batch(shell, p, &text, &expected);
    }
    check_batch(shell, p, &text, &expected);
}

/* sh is mostly one of the others: once is enough. */
static int is_needed(const char *const *shell)
{
    char path[4096], other[4096];
    if (!find_program(shell[0], path))
        return 0;
    return shell != sh || !find_program("dash", other) || !is_same_file(path, other);
}

static void test_shell__hostile_values_come_out_as_they_are(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(shells); k++)
        for (size_t i = 0; i < COUNT(places) && is_needed(shells[k]); i++)
            if (applies(&places[i], shells[k]))
                check_place(shells[k], &places[i]);
}

static void test_shell__a_redirection_writes_the_file_of_that_name(void **state)
{
    (void)state;
    DEJA_AUTO_ARENA deja_arena arena = {0};
    shell_text s;
    deja_error err;
    uint64_t seed = 1;
    assert_int_equal(parse(&s, "printf x >${{ v }}; printf y 2>\"${{ v }}\".2", bash, &arena, NULL, &err), 0);
    for (size_t n = 0; n < ALL_VALUES; n += n < COUNT(hostile) ? 1 : 2) {
        char value[64], path[80];
        values v = {.scalar = value, .len = value_at(n, &seed, value)};
        DEJA_AUTO_BUFFER deja_buffer text = {0};
        DEJA_AUTO_BUFFER deja_buffer out = {0};
        if (!v.len || strchr(value, '/') || strcmp(value, ".") == 0)
            continue;
        assert_int_equal(shell_render(&s, resolve, &v, &text, NULL, &err), 0);
        assert_int_equal(run(bash, deja_buffer_string(&text), &out), 0);
        snprintf(path, sizeof path, "%s.2", value);
        if (unlink(value) || unlink(path) || access("PWNED", F_OK) == 0)
            fail_msg("value %zu was not the name of the file", n);
    }
}

/* ---- lists ---- */

static void render_list(const char *text, const char *expected)
{
    static const char *const items[] = {"a b", "it's", "*"};
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    values v = {.items = items, .count = COUNT(items)};
    shell_text s;
    deja_error err;
    size_t offset = 99;
    assert_int_equal(parse(&s, text, bash, &arena, NULL, &err), 0);
    int code = shell_render(&s, resolve, &v, &b, &offset, &err);
    if (!expected) {
        assert_int_equal(code, DEJA_ETYPE);
        assert_int_equal(offset, strstr(text, "${{") - text);
        return;
    }
    assert_int_equal(code, 0);
    assert_string_equal(deja_buffer_string(&b), expected);
}

static void test_shell__a_list_is_quoted_words(void **state)
{
    (void)state;
    render_list("cat ${{ list }} >x", "cat 'a b' 'it'\\''s' '*' >x");
    render_list("cat ${{ list }}", "cat 'a b' 'it'\\''s' '*'");
    render_list("a=(${{ list }})", "a=('a b' 'it'\\''s' '*')");
    render_list("for x in ${{ list }}; do :; done", "for x in 'a b' 'it'\\''s' '*'; do :; done");
    render_list("x=$(cat ${{ list }})", "x=$(cat 'a b' 'it'\\''s' '*')");
    render_list("# ${{ list }}\n:", "# ${{ list }}\n:");
}

static void test_shell__a_list_glued_or_quoted_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"cat a${{ list }}",
                                        "cat ${{ list }}b",
                                        "cat '${{ list }}'",
                                        "cat \"${{ list }}\"",
                                        "cat > ${{ list }}",
                                        "x=${{ list }}",
                                        "cat ${{ list }}''",
                                        "cat b\\\n${{ list }}",
                                        "cat ${{ list }}\\\nb",
                                        "cat ${{ list }}${{ list }}",
                                        "cat $A${{ list }}",
                                        "[[ ${{ list }} ]]",
                                        "case ${{ list }} in a) ;; esac",
                                        "cat <<< ${{ list }}",
                                        "cat ${{ list }}$(x)",
                                        "cat {${{ list }},b}"};
    for (size_t i = 0; i < COUNT(texts); i++)
        render_list(texts[i], NULL);
}

static void test_shell__an_empty_list_is_no_word(void **state)
{
    (void)state;
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    values v = {0};
    shell_text s;
    assert_int_equal(
        parse(&s, "cat ${{ list }} x '${{ v }}' \"${{ v }}\" ${{ v }}", bash, &arena, NULL, NULL), 0);
    assert_int_equal(shell_render(&s, resolve, &v, &b, NULL, NULL), 0);
    assert_string_equal(deja_buffer_string(&b), "cat  x '' \"\" ''");
}

/* ---- refusals ---- */

typedef struct refusal {
    const char *text; /* the last expression is the one refused */
    const char *why;  /* part of the message */
} refusal;

static const refusal refusals[] = {
    {"cat <<EOF\n${{ v }}\nEOF", "here-document"},
    {"cat <<'EOF'\n${{ v }}\nEOF", "here-document"},
    {"cat <<-\"E F\"\n\tx\n\t${{ v }}\n\tE F", "here-document"},
    {"cat <<A <<B\na\nA\n${{ v }}\nB", "here-document"},
    {"cat ${{ v }} <<A\n${{ v }}\nA", "here-document"},
    {"cat <<${{ v }}\nx", "delimiter"},
    {"cat <<EOF\nEO\\\nF\n${{ v }}", "here-document"},
    {"cat <<EOF\nx\\\nEOF\n${{ v }}\nEOF", "here-document"},
    {"cat <<EOF\n$(\nEOF\n${{ v }}", "here-document"},
    {"x=$(cat <<EOF)\nx\nEOF\n${{ v }}", "here-document"},
    {"echo x >&${{ v }}", "expands once more"},
    {"echo x 2>&${{ v }}", "expands once more"},
    {"cat <&'a ${{ v }}'", "expands once more"},
    {"echo x >&\"b${{ v }}\"", "expands once more"},
    {"echo x >&$(echo ${{ v }})", "expands once more"},
    {"echo ${{ v }} >${{ v }} >& ${{ v }}", "expands once more"},
    {"echo `echo ${{ v }}`", "backticks"},
    {"echo \"`echo ${{ v }}`\"", "backticks"},
    {"echo `echo '\\`' ${{ v }}`", "backticks"},
    {"echo $((1 + ${{ v }}))", "arithmetic"},
    {"echo \"$((1 + ${{ v }}))\"", "arithmetic"},
    {"((x = ${{ v }}))", "arithmetic"},
    {"for ((i = 0; i < ${{ v }}; i++)); do :; done", "arithmetic"},
    {"echo $((1 + $(echo ${{ v }})))", "arithmetic"},
    {"echo $[1 + ${{ v }}]", "'$['"},
    {"echo ${x:-${{ v }}}", "'${ }'"},
    {"echo \"${x:-${{ v }}}\"", "'${ }'"},
    {"echo ${x:-'${{ v }}'}", "'${ }'"},
    {"echo ${x:-\"${{ v }}\"}", "'${ }'"},
    {"echo ${x:-$(echo ${{ v }})}", "'${ }'"},
    {"echo ${a[${{ v }}]}", "'${ }'"},
    {"echo $'a\\'${{ v }}'", "$'"},
    {"echo $\"${{ v }}\"", "$\""},
    {"echo \\${{ v }}", "backslash"},
    {"echo \"\\${{ v }}\"", "backslash"},
    {"echo \\\\\\${{ v }}", "backslash"},
    {"echo $\\\n${{ v }}", "'$'"},
    {"echo \"$\\\n${{ v }}\"", "'$'"},
    {"[[ ${{ v }} -eq 1 ]]", "numbers"},
    {"[[ 1 -lt \"${{ v }}\" ]]", "numbers"},
    {"[[ -n x && ( 'a${{ v }}' -ge 2 ) ]]", "numbers"},
    {"[[ -v ${{ v }} ]]", "name"},
    {"[[ x = ${{ v }} # ]]", "end was not found"},
    {"echo {1..${{ v }}}", "seq"},
    {"echo {${{ v }}..5}", "seq"},
    {"echo 'x ${{ v }}", "never closed"},
    {"a=(a=(${{ v }}$(x", "end was not found"},
    {"a=(${{ v }}; x)", "end was not found"},
    {"echo \"${{ v }}", "end was not found"},
    {"case x in a) ${{ v }}", "end was not found"},
    {"x=$(echo ${{ v }}", "end was not found"},
    {"[ -v ${{ v }} ]", "name"},
    {"test -v \"a${{ v }}\"", "name"},
    {"a[${{ v }}]=1", "subscript"},
    {"a['${{ v }}']=1", "subscript"},
    {"a=([${{ v }}]=1)", "subscript"},
    {"a=([1 + ${{ v }}]=1)", "subscript"},
    {"a[1 + ${{ v }}]=1", "subscript"},
    {"RANDOM=${{ v }}", "evaluates"},
    {"x=1 OPTIND=\"${{ v }}\"", "evaluates"},
    {"PS4=${{ v }} x", "evaluates"},
    {"eval ${{ v }}", "eval"},
    {"eval \"echo ${{ v }}\"", "eval"},
    {"\\eval ${{ v }}", "eval"},
    {"x=1 command eval '${{ v }}'", "eval"},
    {"if true; then builtin 'eval' ${{ v }}; fi", "eval"},
    {"2>&1 eval ${{ v }}", "eval"},
    {"let ${{ v }}", "let"},
    {"command -p eval ${{ v }}", "eval"},
    {"command -- eval ${{ v }}", "eval"},
    {"command '-p' builtin -- eval ${{ v }}", "eval"},
    {"command >x -p eval ${{ v }}", "eval"},
    {"exec eval ${{ v }}", "eval"},
    {"time -p eval ${{ v }}", "eval"},
    {"! time -- eval ${{ v }}", "eval"},
    {"time -p { eval ${{ v }}; }", "eval"},
    {"$NOTHING eval ${{ v }}", "eval"},
    {"$NOTHING ${NOTHING} eval ${{ v }}", "eval"},
    {"$(true) eval ${{ v }}", "eval"},
    {"`true` eval ${{ v }}", "eval"},
    {"\"$@\" eval ${{ v }}", "eval"},
    {"${{ list }} eval ${{ v }}", "eval"},
    {"coproc N { eval ${{ v }}; }", "coproc"},
    {"$NOTHING command $NOTHING -p $NOTHING eval ${{ v }}", "eval"},
    {"shopt -s nullglob; nothing* eval ${{ v }}", "eval"},
    {"for PS4 in ${{ v }}; do set -x; :; done", "evaluates"},
    {"select RANDOM in ${{ v }}; do :; done", "evaluates"},
    {"printf -v PS4 %s ${{ v }}", "evaluates"},
    {"printf -vPS4 %s ${{ v }}", "evaluates"},
    {"alias ${{ v }}", "alias"},
    {"compgen -W ${{ v }}", "the like"},
    {"ENV=${{ v }} sh -i", "evaluates"},
    {"trap 'rm ${{ v }}' EXIT", "trap"},
    {"declare x=${{ v }}", "plain x="},
    {"local -a x=(${{ v }})", "plain x="},
    {"declare -i n; n=${{ v }}", "type"},
    {"read ${{ v }}", "names"},
    {"unset 'a[${{ v }}]'", "names"},
    {"printf -v ${{ v }} x", "name"},
    {"printf -v${{ v }} x", "option"},
    {"printf -vx${{ v }} x", "option"},
    {"printf '-v' ${{ v }} x", "name"},
    {"printf ${{ v }}", "option"},
    {"printf \"${{ v }}\\n\"", "option"},
    {"printf $x${{ v }}", "option"},
    {"printf -v x ${{ v }}", "option"},
    {"[ '-v' ${{ v }} ]", "name"},
    {"[ ${{ v }} ${{ v }} ]", "name"},
    {"[ $x ${{ v }} ]", "name"},
    {"export ${{ v }}", "name"},
    {"export -a x=${{ v }}", "name"},
    {"case x in esac) ${{ v }}", "')'"},
    {"x=1 case a in b) ;; esac; ${{ v }}", "reserved"},
    {"echo \"${x:-'\"'}${{ v }}\"", "quotes"},
    {"echo \"${x:-\"$(a)\"}${{ v }}\"", "quotes"},
    {"echo ) ${{ v }}", "')'"},
    {"echo ;; ${{ v }}", "';;'"},
    {"ev\\\nal ${{ v }}", "next line"},
    {"a=(x)y${{ v }}", "array"},
    {"$((echo x) ) ${{ v }}", "'(('"},
    {"echo <\\\n<EOF\n${{ v }}\nEOF", "end of a line"},
    {"echo ${ ls;} ${{ v }}", "'${'"},
};

static void check_refusal(const refusal *r, const char *const *shell)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    shell_text s;
    deja_error err = {0};
    size_t offset = 0, last = 0;
    for (const char *p = r->text; (p = strstr(p, "${{")) != NULL; p++)
        last = (size_t)(p - r->text);
    int code = parse(&s, r->text, shell, &arena, &offset, &err);
    if (code != DEJA_EINVAL || offset != last || !strstr(err.text, r->why))
        fail_msg("%s: %d at %zu, not %zu: '%s' (expected '%s')", r->text, code, offset, last, err.text,
                 r->why);
}

static void test_shell__a_place_that_is_not_sure_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++)
        check_refusal(&refusals[i], bash);
}

static void test_shell__sh_has_more_that_is_not_sure(void **state)
{
    (void)state;
    static const refusal more[] = {{"[[ ${{ v }} = x ]]", "'[['"}, {"a=(${{ v }})", "'('"},
                                   {"cat <<<${{ v }}", "'<<<'"},   {"cat <(echo ${{ v }})", "process"},
                                   {"((1)); ${{ v }}", "'(('"},    {"echo $'\\'' ${{ v }}", "$'"}};
    for (size_t i = 0; i < COUNT(more); i++)
        check_refusal(&more[i], sh);
    static const char *const zsh_shell[] = {"/usr/bin/zsh", "-c", NULL};
    static const refusal of_zsh[] = {{"echo $x[${{ v }}]", "subscript"},
                                     {"noglob eval ${{ v }}", "eval"},
                                     {"exec -a x eval ${{ v }}", "exec -a"},
                                     {"repeat 1 eval ${{ v }}", "repeat"},
                                     {"foreach x (a) eval ${{ v }}", "foreach"},
                                     {"emulate sh -c ${{ v }}", "the like"},
                                     {"print -rP -- ${{ v }}", "print -P"},
                                     {"print ${{ v }}", "option"},
                                     {"print -v ${{ v }} x", "name"},
                                     {"set -eA ${{ v }} x", "name"},
                                     {"set -A x ${{ v }}", "option"},
                                     {"getln ${{ v }}", "names"},
                                     {"echo *(${{ v }})", "parentheses"},
                                     {"echo x(${{ v }}|b)", "parentheses"}};
    for (size_t i = 0; i < COUNT(of_zsh); i++)
        check_refusal(&of_zsh[i], zsh_shell);
}

static void test_shell__a_command_of_its_own_takes_values(void **state)
{
    (void)state;
    static const char *const texts[] = {"command -v ${{ v }}",
                                        "command -p ls ${{ v }}",
                                        "exec -a name ls ${{ v }}",
                                        "time -p ls ${{ v }}",
                                        "$PY x.py ${{ v }}",
                                        "\"$TOOL\" for ${{ v }} in case ${{ v }}",
                                        "${{ v }} if ${{ v }}",
                                        "${{ list }} ${{ v }}",
                                        "printf -- \"- ${{ v }}\\n\"",
                                        "printf '%s\\n' - ${{ v }} -v ${{ v }}",
                                        "printf -v x %s ${{ v }}",
                                        "printf \"\\n${{ v }}\"",
                                        "[ \"$x\" = ${{ v }} ]",
                                        "[ $# -lt ${{ v }} -a -f \"${{ v }}\" ]",
                                        "test ! -e ${{ v }}",
                                        "set -- ${{ list }}",
                                        "set ${{ v }}",
                                        "print ${{ v }}",
                                        "repeat ${{ v }}"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        DEJA_AUTO_ARENA deja_arena arena = {0};
        shell_text s;
        deja_error err;
        if (parse(&s, texts[i], bash, &arena, NULL, &err))
            fail_msg("%s: %s", texts[i], err.text);
    }
}

static void test_shell__text_without_expressions_is_never_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"cat <<EOF\nx", "echo `", ")", "${ x", "echo ${{",
                                        "case",         "[[",     "'", "\""};
    for (size_t i = 0; i + 5 < COUNT(texts); i++) {
        DEJA_AUTO_ARENA deja_arena arena = {0};
        shell_text s;
        assert_int_equal(parse(&s, texts[i], bash, &arena, NULL, NULL), 0);
    }
    for (size_t i = COUNT(texts) - 4; i < COUNT(texts); i++) {
        DEJA_AUTO_ARENA deja_arena arena = {0};
        shell_text s;
        assert_int_equal(parse(&s, texts[i], sh, &arena, NULL, NULL), 0);
    }
}

static void test_shell__another_interpreter_takes_no_expression(void **state)
{
    (void)state;
    static const char *const python[] = {"/usr/bin/python3", "-c", NULL};
    static const char *const fish[] = {"fish", "-c", NULL};
    static const char *const box[] = {"busybox", "awk", NULL};
    static const char *const *const others[] = {python, fish, box};
    for (size_t i = 0; i < COUNT(others); i++) {
        DEJA_AUTO_ARENA deja_arena arena = {0};
        shell_text s;
        deja_error err;
        size_t offset = 0;
        assert_false(shell_is_posix(others[i], 2));
        assert_int_equal(parse(&s, "print('${{ v }}')", others[i], &arena, &offset, &err), DEJA_EINVAL);
        assert_int_equal(offset, 7);
        assert_non_null(strstr(err.text, "'env'"));
        assert_int_equal(parse(&s, "print(`$(')", others[i], &arena, NULL, &err), 0);
    }
    assert_true(shell_is_posix((const char *const[]){"/bin/busybox", "sh"}, 2));
    assert_true(shell_is_posix((const char *const[]){"/bin/zsh"}, 1));
    assert_false(shell_is_posix(NULL, 0));
}

static void test_shell__a_nul_and_a_failing_resolver_are_reported_with_the_place(void **state)
{
    (void)state;
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    values v = {.scalar = "a\0b", .len = 3};
    shell_text s;
    deja_error err;
    size_t offset = 0;
    assert_int_equal(parse(&s, "cat ${{ v }}", bash, &arena, NULL, &err), 0);
    assert_int_equal(shell_render(&s, resolve, &v, &b, &offset, &err), DEJA_EINVAL);
    assert_int_equal(offset, 4);
    assert_int_equal(parse(&s, "cat '${{ missing }}'", bash, &arena, NULL, &err), 0);
    assert_int_equal(shell_render(&s, resolve, &v, &b, &offset, &err), DEJA_ENOTFOUND);
    assert_int_equal(offset, 5);
    assert_int_equal(parse(&s, "cat ${{ v", bash, &arena, &offset, &err), DEJA_ESYNTAX);
    assert_int_equal(offset, 4);
}

/* ---- words ---- */

static void check_words(const char *text)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    char **words = shell_words(text, &arena);
    if (!words)
        return;
    DEJA_AUTO_BUFFER deja_buffer script = {0}, out = {0}, expected = {0};
    deja_buffer_add_string(&script, "printf '%s\\0' ");
    deja_buffer_add_string(&script, text + strspn(text, " \t\n"));
    for (size_t i = 0; words[i]; i++)
        deja_buffer_add(&expected, words[i], strlen(words[i]) + 1);
    for (size_t k = 0; k < 2; k++) {
        deja_buffer_clear(&out);
        assert_int_equal(run(k ? sh : bash, deja_buffer_string(&script), &out), 0);
        if (out.len != expected.len || memcmp(out.data, expected.data, out.len) != 0)
            fail_msg("the words of '%s' are others for %s", text, k ? "sh" : "bash");
    }
}

static void test_shell__words_are_those_of_the_shell(void **state)
{
    (void)state;
    static const char alphabet[] = "ab ./-\"\"''  \t\n=:~#,+@%_1$\\*{!\303\251\377\1";
    uint64_t seed = 7;
    for (int n = 0; n < 800; n++) {
        char text[24] = {'a'};
        size_t len = 1 + draw(&seed) % 20;
        for (size_t i = 1; i < len; i++) {
            uint64_t r = draw(&seed);
            text[i] = alphabet[r % 4 ? (r >> 8) % 16 : (r >> 8) % (sizeof alphabet - 1)];
        }
        check_words(text);
    }
}

static void test_shell__plain_words_need_no_shell(void **state)
{
    (void)state;
    DEJA_AUTO_ARENA deja_arena arena = {0};
    char **w = shell_words("\n ./ngrams -n '2' \"a b\"c data/x.txt --t=1.5 HEAD~1 'it'\"'\"'s'  \n", &arena);
    assert_non_null(w);
    static const char *const expected[] = {"./ngrams",   "-n",      "2",      "a bc",
                                           "data/x.txt", "--t=1.5", "HEAD~1", "it's"};
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_string_equal(w[i], expected[i]);
    assert_null(w[COUNT(expected)]);
    w = shell_words("/bin/true", &arena);
    assert_non_null(w);
    assert_null(w[1]);
}

static void test_shell__syntax_needs_a_shell(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",        "  \n",     "a | b",   "a > b",     "a; b",    "a & b",     "a\nb",   "a $x",
        "a `b`",   "a \"$x\"", "a *",     "a ?",       "a [b]",   "a {b,c}",   "a ~",    "a ~/x",
        "a b=~/x", "a #b",     "a !b",    "a \\b",     "a 'b",    "a \"b",     "x=1 a",  "x=1",
        "echo a",  "'echo' a", "cd x",    "if",        "exec a",  ". x",       ": x",    "[ a ]",
        "test x",  "a (b)",    "a <b",    "a \"\\x\"", "a \1",    "a '\177'",  "a \377", "'' a",
        "time a",  "a \"!\"",  "local x", "a {} b",    "chdir x", "command a", "a ^b",   "a =b",
        "a :~",    "a \"x\"~", "false",   "printf x",  "kill 1",  "type x"};
    DEJA_AUTO_ARENA deja_arena arena = {0};
    for (size_t i = 0; i < COUNT(texts); i++)
        if (shell_words(texts[i], &arena))
            fail_msg("'%s' was taken for plain words", texts[i]);
    assert_false(arena.failed);
}

static void check_first_word(const char *text, const char *expected)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    const char *word = shell_first_word(text, &arena);
    if (!word != !expected || (word && strcmp(word, expected) != 0))
        fail_msg("first word of '%s' is '%s'", text, word ? word : "(none)");
}

static void test_shell__the_first_word_is_found_where_it_is_plain(void **state)
{
    (void)state;
    check_first_word(" ./a | b", "./a");
    check_first_word("'a b'>x $y", "a b");
    check_first_word("a;b", "a");
    check_first_word("a\nb", "a");
    check_first_word("\na `b`", "a");
    check_first_word("x=1 a", "a");
    check_first_word("$x a", NULL);
    check_first_word("a$x", NULL);
    check_first_word("a\\\n b", "a");
    check_first_word("./a\\\n/b c", "./a/b");
    check_first_word("\\\n a", "a");
    check_first_word("$'./a' b", "./a");
    check_first_word("$\"./a\"/b", "./a/b");
    check_first_word("$'a\\x41'", NULL);
    check_first_word("./a\\ b", "./a b");
    check_first_word("a () { b; }", NULL);
    check_first_word("a\\", NULL);
    check_first_word("a() { b; }", NULL);
    check_first_word("if a; then b; fi", NULL);
    check_first_word("(a)", NULL);
    check_first_word("cd x; a", NULL);
    check_first_word("# a", NULL);
    check_first_word("", NULL);
}

static void test_shell__the_first_word_is_found_behind_what_is_no_command(void **state)
{
    (void)state;
    check_first_word("# a\n\n  # b; 'c\n ./d e", "./d");
    check_first_word("OMP_NUM_THREADS=1 ./t > r", "./t");
    check_first_word("A=1 B='a b'\\''c' C=\"d \\\" $e\" D=$f D+=x ./t", "./t");
    check_first_word("N=4\n./t $N", "./t");
    check_first_word("N=4; # why\nM=5;./t $N", "./t");
    check_first_word("exec ./t", "./t");
    check_first_word("A=1 exec ./t | b", "./t");
    check_first_word("A= t", "t");
    check_first_word("PATH=x t", NULL);
    check_first_word("PATH=$PATH:x\nt", NULL);
    check_first_word("PATH=x ./t", "./t");
    check_first_word("A=(b c) ./t", NULL);
    check_first_word("A=1 && ./t", NULL);
    check_first_word("A=1 & ./t", NULL);
    check_first_word("A=1 cd x; ./t", NULL);
    check_first_word("A='b", NULL);
    check_first_word("A=\"b", NULL);
    check_first_word("A=1", NULL);
    check_first_word("# a\n# b", NULL);
}

static void test_shell__the_first_word_is_found_behind_what_is_printed_and_computed(void **state)
{
    (void)state;
    check_first_word("N=$(nproc) ./t", "./t");
    check_first_word("N=`echo 1 \\` 2` ./t", "./t");
    check_first_word("N=$((1+2)) ./t", "./t");
    check_first_word("N=$(((1+2)<<3)) ./t", "./t");
    check_first_word("N=$((echo 1) | cat) ./t", "./t");
    check_first_word("N=${B:-$(c \"}\")} ./t", "./t");
    check_first_word("N=\"a $(echo \"b ) c\" ')' \\) (d e)) f\"g\nM=1 ./t", "./t");
    check_first_word("N=$(a # it's )\n) ./t", "./t");
    check_first_word("N=$(a $(b)#c ) ./t", "./t");
    check_first_word("N=$'a\\'b c' ./t", "./t");
    check_first_word("N=$(cat <<E\n)\nE\n) ./t", NULL);
    check_first_word("N=$(cat <<<')') ./t", NULL);
    check_first_word("N=$(case x in a) b;; esac) ./t", NULL);
    check_first_word("N=$(a ./t", NULL);
    check_first_word("N=\"$(a\" ./t", NULL);
    char deep[2 * 200 + 8] = "N=";
    for (int i = 0; i < 200; i++)
        memcpy(deep + 2 + 2 * i, "$(", 3);
    check_first_word(deep, NULL);
}

static void test_shell__the_first_word_is_found_behind_redirections_and_exec(void **state)
{
    (void)state;
    check_first_word(">&2 ./t", "./t");
    check_first_word("2>&1 t", "t");
    check_first_word("<in >> \"o u t\" 2>$x A=1 ./t", "./t");
    check_first_word("A=1 >x ./t", "./t");
    check_first_word(">x; ./t", "./t");
    check_first_word("<<<\"$(a)\" &>>log ./t", "./t");
    check_first_word("<<E ./t\nE", NULL);
    check_first_word("< <(a) ./t", NULL);
    check_first_word("> ; ./t", NULL);
    check_first_word(">x | ./t", NULL);
    check_first_word("{fd}>x ./t", NULL);
    check_first_word("exec -a name ./t", "./t");
    check_first_word("exec -cla \"$x y\" ./t", "./t");
    check_first_word("exec -aname -c -- ./t", "./t");
    check_first_word("exec -- ./t", "./t");
    check_first_word("exec -x ./t", NULL);
    check_first_word("exec - ./t", NULL);
    check_first_word("exec >x 2>&1\nA=1 exec ./t", "./t");
    check_first_word("exec >x; ./t", "./t");
    check_first_word("exec A=1 ./t", NULL);
    check_first_word("exec\n", NULL);
}

static void test_shell__says_whether_a_beginning_has_the_first_word(void **state)
{
    (void)state;
    static const char *const ends[] = {"./t ", "echo ", "A=1 ./t >", "# a\n./t;",
                                       "if ",  "$x",    "A=$(b) t ", "exec t "};
    static const char *const open[] = {"",   "./t",   "A=",    "A=1 ",    "A='",       "A=\"b",
                                       "# ", "# a\n", "exec ", "./t'a b", "A=$(",      "A=$(b) ",
                                       "$",  "a\\",   ">",     "exec -",  "exec -a x "};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (!shell_first_word_ends(ends[i]))
            fail_msg("'%s' is open", ends[i]);
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (shell_first_word_ends(open[i]))
            fail_msg("'%s' ends", open[i]);
}

static void test_shell__pipes_are_seen(void **state)
{
    (void)state;
    static const char *const with[] = {"a | b",
                                       "a|b",
                                       "a |& b",
                                       "x=$(a | b)",
                                       "a \"$(b|c)\"",
                                       "{ a; } | b",
                                       "case x in a|b) c|d;; esac",
                                       "./a ${{ v }} | gzip > ${{ v }}"};
    static const char *const without[] = {"a || b",
                                          "a '|' b",
                                          "a \"|\" b",
                                          "a \\| b",
                                          "a # | b",
                                          "a >| b",
                                          "case x in a|b) c;; esac",
                                          "[[ a =~ b|c ]]",
                                          "a ${x:-|}",
                                          "",
                                          "cat <<E\n|\nE"};
    for (size_t i = 0; i < COUNT(with); i++)
        assert_true(shell_has_pipe(with[i], strlen(with[i])));
    for (size_t i = 0; i < COUNT(without); i++)
        if (shell_has_pipe(without[i], strlen(without[i])))
            fail_msg("a pipe in '%s'", without[i]);
}

/* ---- random texts ---- */

/* A text of shell pieces with an expression in it that shell_parse takes: the value must not be executed. */
static void check_random_text(uint64_t *seed)
{
    static const char *const pieces[] = {
        " ",      " ",       "a",        "x=",     "'",     "\"",       "\\",    "$x",   "$",     "${x:-",
        "}",      "$(",      ")",        "(",      "((",    "))",       "$((",   ";",    "\n",    "&&",
        "|",      "&",       "<<E\n",    "\nE\n",  "<<<",   " # ",      "#",     "[[ ",  " ]]",   "case ",
        " in ",   ";;",      "esac",     "if ",    "then ", "fi",       "{ ",    "; }",  " -eq ", "a=(",
        "`",      "$'",      "$\"",      "[",      "]",     "for ",     "do ",   "done", "eval ", "echo ",
        "\\\n",   "=",       "!",        "1",      "f()",   "@(",       "<(",    "+=",   "~",     "*",
        "<",      "true;",   "declare ", "local ", "[ ",    "command ", "time ", "-p ",  "-- ",   "$@",
        "alias ", "printf ", "exec ",    "test ",  "\t",    " || ",     "-v ",   ": "};
    static const char payload[] = "x'\"\n>PWNED\n`>PWNED`$(>PWNED);>PWNED\nE\n>PWNED\n#a[$(>PWNED)]";
    static const char *const payloads[] = {payload,      "a[$(>PWNED)]", "$(>PWNED)",
                                           "\n>PWNED\n", ")>PWNED;(",    "($(>PWNED))"};
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer text = {0};
    size_t count = 1 + draw(seed) % 9, at = draw(seed) % count;
    for (size_t i = 0; i < count; i++) {
        if (i == at)
            deja_buffer_add_string(&text, "${{ v }}");
        deja_buffer_add_string(&text, pieces[(draw(seed) >> 8) % COUNT(pieces)]);
    }
    const char *const *shell = shells[(draw(seed) >> 8) % COUNT(shells)];
    shell = is_installed(shell[0]) ? shell : bash;
    shell_text s;
    if (parse(&s, deja_buffer_string(&text), shell, &arena, NULL, NULL))
        return;
    const char *value = payloads[(draw(seed) >> 8) % COUNT(payloads)];
    values v = {.scalar = value, .len = strlen(value)};
    DEJA_AUTO_BUFFER deja_buffer rendered = {0};
    DEJA_AUTO_BUFFER deja_buffer out = {0};
    assert_int_equal(shell_render(&s, resolve, &v, &rendered, NULL, NULL), 0);
    const char *quick[] = {
        "timeout", "1", shell[0], shell == busybox ? "sh" : "-c", shell == busybox ? "-c" : NULL, NULL};
    run(quick, deja_buffer_string(&rendered), &out);
    if (access("PWNED", F_OK) == 0)
        fail_msg("%s executed a value: text %s", shell[0], deja_buffer_string(&text));
}

static void test_shell__random_texts_execute_no_value(void **state)
{
    (void)state;
    uint64_t seed = 20;
    const char *more = getenv("DEJA_TEST_ROUNDS");
    for (long n = 0; n < (more ? strtol(more, NULL, 10) : 800); n++)
        check_random_text(&seed);
}

static int parse_and_render(void)
{
    DEJA_AUTO_ARENA deja_arena arena = {0};
    DEJA_AUTO_BUFFER deja_buffer b = {0};
    shell_text s;
    values v = {.scalar = "x", .len = 1};
    int code = parse(&s, "cat '${{ v }}' \"${{ v }}\" ${{ v.a.b }}", bash, &arena, NULL, NULL);
    if (!code)
        code = shell_render(&s, resolve, &v, &b, NULL, NULL);
    if (!code && !shell_words("a 'b' c", &arena))
        code = arena.failed ? DEJA_ENOMEM : DEJA_EINVAL;
    return code;
}

static void test_shell__a_failed_allocation_is_reported(void **state)
{
    (void)state;
    long n = 1;
    for (; failing_alloc_at(n), parse_and_render() != 0; n++)
        assert_int_equal(failing_alloc_hits, 1);
    failing_alloc_at(0);
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shell__hostile_values_come_out_as_they_are, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_shell__a_redirection_writes_the_file_of_that_name, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(test_shell__a_list_is_quoted_words),
        cmocka_unit_test(test_shell__a_list_glued_or_quoted_is_refused),
        cmocka_unit_test(test_shell__an_empty_list_is_no_word),
        cmocka_unit_test(test_shell__a_place_that_is_not_sure_is_refused),
        cmocka_unit_test(test_shell__sh_has_more_that_is_not_sure),
        cmocka_unit_test(test_shell__a_command_of_its_own_takes_values),
        cmocka_unit_test(test_shell__text_without_expressions_is_never_refused),
        cmocka_unit_test(test_shell__another_interpreter_takes_no_expression),
        cmocka_unit_test(test_shell__a_nul_and_a_failing_resolver_are_reported_with_the_place),
        cmocka_unit_test_setup_teardown(test_shell__words_are_those_of_the_shell, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(test_shell__plain_words_need_no_shell),
        cmocka_unit_test(test_shell__syntax_needs_a_shell),
        cmocka_unit_test(test_shell__the_first_word_is_found_where_it_is_plain),
        cmocka_unit_test(test_shell__the_first_word_is_found_behind_what_is_no_command),
        cmocka_unit_test(test_shell__the_first_word_is_found_behind_what_is_printed_and_computed),
        cmocka_unit_test(test_shell__the_first_word_is_found_behind_redirections_and_exec),
        cmocka_unit_test(test_shell__says_whether_a_beginning_has_the_first_word),
        cmocka_unit_test(test_shell__pipes_are_seen),
        cmocka_unit_test_setup_teardown(test_shell__random_texts_execute_no_value, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(test_shell__a_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
