/*
 * Writes a random batch:
 *     generate SEED FOLDER
 * The same seed gives the same batch on every machine. FOLDER (it must exist) gets deja.yaml and what it
 * reads: jobs with random needs, matrices, outputs and failures, values that are trouble in shells and paths.
 * Each job that should be answered from the cache appends a line to the file $RAN when it runs in spite of
 * that; lines on standard error begin with "E:".
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_JOBS = 9, MOST_NEEDS = 2, MOST_AXES = 2, AXIS_TEXT = 1024 };

/* As they stand between the double quotes of YAML. None has a slash, as they become parts of paths. */
static const char *const odd_values[] = {
    "plain",     "two words", "it's",   "say \\\"hi\\\"", "$HOME",      "`exit 7`", "$(exit 7)",
    "a*b",       "-n",        "--help", "back\\\\slash",  "new\\nline", "ünïcödé",  "日本語",
    "tab\\tbed", "#hash",     "a;b",    "a|b&c",          "~",          "",         "!bang",
    "{a,b}",     "$${{ v }}", " both ", "%s%d",           "x=1",        ".dot",     "..",
    "'",         "\\u00a0nb", "<in>",   "?[a]",           "\\\\",       "-",        "e\\u0301",
};
enum { ODD_VALUES = sizeof odd_values / sizeof *odd_values };

static const char *const odd_files[] = {"plain.txt", "two words.txt", "-n.txt",
                                        "it's.txt",  "ünï.txt",       "new\nline.txt"};
enum { ODD_FILES = sizeof odd_files / sizeof *odd_files };

typedef enum axis_kind { AXIS_ODD, AXIS_RANGE, AXIS_LINSPACE, AXIS_GLOB, AXIS_LINES, AXIS_KINDS } axis_kind;
typedef enum need_kind { NEED_KEY, NEED_ORDER } need_kind;

typedef struct spec {
    int axes;
    axis_kind axis[MOST_AXES];
    char values[MOST_AXES][AXIS_TEXT]; /* as they stand in the batch */
    int needs;
    int need[MOST_NEEDS];
    need_kind need_is[MOST_NEEDS];
    int need_all[MOST_NEEDS]; /* whatever names are shared */
    int outputs;              /* 0 to 2 */
    int argv;                 /* a list without a shell: prints its words */
    int fails;                /* the instances whose first value is 2 do */
    int uncached;             /* cache: false */
    int record;               /* keep: record */
    int four;                 /* ends with status 4, which is fine */
    int slow;                 /* hundredths of a second */
    int reads;                /* all of in/ */
    int executable;           /* its first output */
} spec;

static const char *const axis_names[MOST_AXES] = {"v", "w"};

/* splitmix64, G. Steele et al., OOPSLA 2014. */
static uint64_t below(uint64_t *state, uint64_t n)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % n;
}

static int one_in(uint64_t *state, uint64_t n)
{
    return below(state, n) == 0;
}

static int write_file(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int write_file(const char *path, const char *format, ...)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return -1;
    va_list args;
    va_start(args, format);
    int failed = vfprintf(file, format, args) < 0;
    va_end(args);
    return fclose(file) || failed ? -1 : 0;
}

static int write_inputs(void)
{
    if (mkdir("in", 0777))
        return -1;
    for (size_t i = 0; i < ODD_FILES; i++) {
        char path[64];
        snprintf(path, sizeof path, "in/%s", odd_files[i]);
        if (write_file(path, "content of file %zu\n", i))
            return -1;
    }
    return write_file("lines.txt", "first line\n\nit's \"two\"\n-n\n");
}

static void add_odd_list(FILE *out, uint64_t *r)
{
    size_t count = 1 + below(r, 4), at = below(r, ODD_VALUES);
    fputc('[', out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s\"%s\"", i ? ", " : "", odd_values[(at + 5 * i) % ODD_VALUES]);
    fputc(']', out);
}

static int choose_values(char values[AXIS_TEXT], axis_kind kind, uint64_t *r)
{
    FILE *out = fmemopen(values, AXIS_TEXT, "w");
    if (!out)
        return -1;
    if (kind == AXIS_ODD)
        add_odd_list(out, r);
    else if (kind == AXIS_RANGE)
        fprintf(out, "{range: [1, %d]}", (int)(1 + below(r, 4)));
    else if (kind == AXIS_LINSPACE)
        fprintf(out, "{linspace: [0, 1, %d]}", (int)(2 + below(r, 3)));
    else if (kind == AXIS_GLOB)
        fputs("{glob: \"in/*.txt\"}", out);
    else
        fputs("{lines: lines.txt}", out);
    return fclose(out);
}

static void choose_axes(spec *s, uint64_t *r)
{
    s->axes = (int)below(r, MOST_AXES + 1);
    for (int i = 0; i < s->axes; i++) {
        s->axis[i] = one_in(r, 2) ? AXIS_ODD : (axis_kind)below(r, AXIS_KINDS);
        if (choose_values(s->values[i], s->axis[i], r))
            abort();
    }
}

/* The values of a needed job: then its instances are needed one by one. */
static void take_axes(spec *s, const spec *needed)
{
    s->axes = needed->axes;
    memcpy(s->axis, needed->axis, sizeof s->axis);
    memcpy(s->values, needed->values, sizeof s->values);
}

static int same_values(const spec *a, const spec *b)
{
    for (int i = 0; i < a->axes && i < b->axes; i++)
        if (strcmp(a->values[i], b->values[i]) != 0)
            return 0;
    return 1;
}

static spec choose(uint64_t *r, const spec *before, int number)
{
    spec s = {.outputs = (int)below(r, 3), .argv = one_in(r, 4)};
    choose_axes(&s, r);
    for (int i = 0; i < number && s.needs < MOST_NEEDS; i++)
        if (one_in(r, 3)) {
            s.need[s.needs] = i;
            s.need_is[s.needs++] = one_in(r, 4) ? NEED_ORDER : NEED_KEY;
        }
    if (s.needs && one_in(r, 2))
        take_axes(&s, &before[s.need[0]]);
    for (int i = 0; i < s.needs; i++)
        s.need_all[i] = !same_values(&s, &before[s.need[i]]) || one_in(r, 5);
    s.fails = s.axes && s.axis[0] == AXIS_RANGE && one_in(r, 2);
    s.uncached = one_in(r, 6);
    s.record = s.outputs && one_in(r, 5);
    s.four = one_in(r, 6);
    s.slow = one_in(r, 3) ? (int)below(r, 5) : 0;
    s.reads = one_in(r, 3);
    s.executable = one_in(r, 2);
    if (s.argv)
        s.outputs = s.fails = s.four = s.record = 0;
    return s;
}

/* A value of an axis as it may stand in a path. */
static const char *path_value(const spec *s, int axis)
{
    if (s->axis[axis] == AXIS_GLOB)
        return axis ? "${{ w.name }}" : "${{ v.name }}";
    return axis ? "${{ w }}" : "${{ v }}";
}

static void write_outputs(FILE *out, const spec *s, int number)
{
    static const char *const names[] = {"first", "second"};
    if (!s->outputs)
        return;
    fputs("    outputs:\n", out);
    for (int i = 0; i < s->outputs; i++)
        fprintf(out, "      %s: \"out/%d/%s-%s-%s\"\n", names[i], number, i ? "s" : "f",
                s->axes > 0 ? path_value(s, 0) : "", s->axes > 1 ? path_value(s, 1) : "");
}

static void write_needs(FILE *out, const spec *s)
{
    if (!s->needs)
        return;
    fputs("    needs: {", out);
    for (int i = 0; i < s->needs; i++) {
        int order = s->need_is[i] == NEED_ORDER, all = s->need_all[i];
        fprintf(out, "%sjob%d: %s", i ? ", " : "", s->need[i],
                order && all ? "[order, all]"
                : order      ? "order"
                : all        ? "all"
                             : "");
    }
    fputs("}\n", out);
}

static void write_argv(FILE *out, const spec *s)
{
    fputs("    run: [printf, \"<%s>\\n\", argv", out);
    for (int i = 0; i < s->axes; i++)
        fprintf(out, ", \"${{ %s }}\", \"x ${{ %s }}\"", axis_names[i], axis_names[i]);
    for (int i = 0; i < s->needs; i++)
        if (s->need_is[i] == NEED_KEY)
            fprintf(out, ", \"${{ job%d.outputs }}\"", s->need[i]);
    fputs("]\n", out);
}

static void write_values(FILE *out, const spec *s)
{
    for (int i = 0; i < s->axes; i++)
        fprintf(out, " ${{ %s }} \"x ${{ %s }}\" 'y ${{ %s }}'", axis_names[i], axis_names[i], axis_names[i]);
    fputc('\n', out);
}

static void write_text(FILE *out, const spec *s, int number)
{
    fputs("    run: |\n", out);
    fprintf(out, "      printf '<%%s>\\n' job%d \"$ODD\"", number);
    write_values(out, s);
    fprintf(out, "      echo E: job%d >&2\n", number);
    if (s->slow)
        fprintf(out, "      sleep 0.0%d\n", s->slow);
    if (s->fails)
        fputs("      if [ ${{ v }} = 2 ]; then echo E: failing >&2; exit 3; fi\n", out);
    for (int i = 0; i < s->needs; i++)
        if (s->need_is[i] == NEED_KEY)
            fprintf(out, "      cat -- /dev/null ${{ job%d.outputs }}\n", s->need[i]);
    if (s->reads)
        fputs("      cat in/*.txt\n", out);
    if (s->outputs > 0) {
        fputs("      printf '<%s>\\n' first > ${{ first }}", out);
        write_values(out, s);
    }
    if (s->outputs > 1)
        fputs("      cp ${{ first }} ${{ second }}\n", out);
    if (s->outputs > 0 && s->executable)
        fputs("      chmod 755 ${{ first }}\n", out);
    if (!s->uncached && !s->fails)
        fprintf(out, "      echo job%d >> \"$RAN\"\n", number);
    if (s->four)
        fputs("      exit 4\n", out);
}

static void write_job(FILE *out, const spec *s, int number, uint64_t *r)
{
    fprintf(out, "  job%d:\n", number);
    if (s->axes)
        fputs("    matrix:\n", out);
    for (int i = 0; i < s->axes; i++)
        fprintf(out, "      %s: %s\n", axis_names[i], s->values[i]);
    write_needs(out, s);
    if (s->argv)
        write_argv(out, s);
    else
        write_text(out, s, number);
    if (s->reads)
        fputs("    inputs: [\"in/*.txt\"]\n", out);
    write_outputs(out, s, number);
    fprintf(out, "    env: {ODD: \"%s %s\"}\n", odd_values[below(r, ODD_VALUES)], s->axes ? "${{ v }}" : "");
    if (s->uncached)
        fputs("    cache: false\n", out);
    if (s->record)
        fputs("    keep: record\n", out);
    if (s->four)
        fputs("    ok-status: [0, 4]\n", out);
    if (one_in(r, 4))
        fputs("    shell: sh\n", out);
}

static int write_batch(uint64_t seed)
{
    FILE *out = fopen("deja.yaml", "w");
    if (!out)
        return -1;
    uint64_t state = seed;
    int jobs = (int)(2 + below(&state, MOST_JOBS - 1));
    fprintf(out, "# seed %llu\nversion: 1\njobs:\n", (unsigned long long)seed);
    spec specs[MOST_JOBS + 1];
    for (int i = 0; i < jobs; i++) {
        specs[i] = choose(&state, specs, i);
        write_job(out, &specs[i], i, &state);
    }
    int failed = ferror(out);
    return fclose(out) || failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: generate SEED FOLDER\n");
        return 2;
    }
    if (chdir(argv[2]) || write_inputs() || write_batch(strtoull(argv[1], NULL, 10))) {
        fprintf(stderr, "generate: %s: %s\n", argv[2], strerror(errno));
        return 1;
    }
    return 0;
}
