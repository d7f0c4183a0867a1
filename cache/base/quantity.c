/*
 * Durations and sizes: decimal numbers with units, without a double in between, so that what is written
 * exactly is meant exactly.
 */
#include <deja/clock.h>
#include <deja/quantity.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DIGITS_MOST 15 /* of one number: it and its scale fit 64 bits, and their products 128 */
#define UNIT_MOST   3  /* letters of a unit */
#define US_NS       INT64_C(1000)
#define M_NS        (60 * DEJA_S_NS)
#define H_NS        (60 * M_NS)
#define D_NS        (24 * H_NS)

__extension__ typedef __int128 wide;

typedef struct unit {
    const char *name;
    int64_t size;
} unit;

/* Largest first: in a sum each is smaller than the one before. */
static const unit durations[] = {{"d", D_NS},      {"h", H_NS},        {"m", M_NS},
                                 {"s", DEJA_S_NS}, {"ms", DEJA_MS_NS}, {"us", US_NS}};

static const unit sizes[] = {
    {"B", 1},
    {"kB", INT64_C(1000)},
    {"MB", INT64_C(1000000)},
    {"GB", INT64_C(1000000000)},
    {"TB", INT64_C(1000000000000)},
    {"PB", INT64_C(1000000000000000)},
    {"K", INT64_C(1) << 10},
    {"M", INT64_C(1) << 20},
    {"G", INT64_C(1) << 30},
    {"T", INT64_C(1) << 40},
    {"P", INT64_C(1) << 50},
    {"KiB", INT64_C(1) << 10},
    {"MiB", INT64_C(1) << 20},
    {"GiB", INT64_C(1) << 30},
    {"TiB", INT64_C(1) << 40},
    {"PiB", INT64_C(1) << 50},
};

/* A decimal number, number / scale. */
typedef struct fraction {
    int64_t number, scale;
} fraction;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Where it ends; NULL when there is none, or one that is too long. */
static const char *read_number(const char *s, fraction *ret)
{
    int digits = 0, after_point = 0;
    *ret = (fraction){.scale = 1};
    for (; is_digit(*s) || (*s == '.' && !after_point); s++) {
        if (*s == '.') {
            after_point = 1;
            continue;
        }
        if (++digits > DIGITS_MOST)
            return NULL;
        ret->number = 10 * ret->number + (*s - '0');
        ret->scale *= after_point ? 10 : 1;
    }
    return digits ? s : NULL;
}

/* The letters at `*s`, or NULL for a word too long to be a unit; `*s` moves behind them. */
static const char *read_word(const char **s, char word[UNIT_MOST + 1])
{
    size_t len = 0;
    for (*s += **s == ' '; (**s >= 'a' && **s <= 'z') || (**s >= 'A' && **s <= 'Z'); ++*s) {
        if (len == UNIT_MOST)
            return NULL;
        word[len++] = **s;
    }
    word[len] = '\0';
    return word;
}

static int fail_duration(const char *text, deja_error *err)
{
    return deja_fail(err, DEJA_ESYNTAX,
                     "'%s' is no duration: write 90s, 10m, 1h30m, 500ms, or a number of seconds", text);
}

static int fail_bytes(const char *text, deja_error *err)
{
    return deja_fail(err, DEJA_ESYNTAX, "'%s' is no size: write 500MB, 2GB, 1GiB, or a number of bytes",
                     text);
}

/* The place in `durations`; their count for a word that is none. */
static size_t duration_unit(const char *word)
{
    size_t i = 0;
    while (i < sizeof durations / sizeof *durations && strcmp(durations[i].name, word) != 0)
        i++;
    return i;
}

int deja_parse_duration(const char *text, int64_t *ret_ns, deja_error *err)
{
    const size_t count = sizeof durations / sizeof *durations;
    const char *s = text;
    wide sum = 0;
    for (size_t next = 0; s == text || *s;) {
        char word[UNIT_MOST + 1];
        fraction f;
        if (!(s = read_number(s, &f)))
            return fail_duration(text, err);
        int bare = !*s && next == 0; /* seconds, unless something stands in front */
        const char *name = bare ? "s" : read_word(&s, word);
        size_t i = name ? duration_unit(name) : count;
        if (i >= count || i < next)
            return fail_duration(text, err);
        sum += (wide)f.number * durations[i].size / f.scale;
        next = i + 1;
    }
    if (sum > INT64_MAX)
        return deja_fail(err, DEJA_ELIMIT, "'%s' is more than 292 years", text);
    *ret_ns = (int64_t)sum;
    return 0;
}

int deja_parse_bytes(const char *text, uint64_t *ret, deja_error *err)
{
    char word[UNIT_MOST + 1];
    fraction f;
    const char *s = read_number(text, &f);
    const char *name = !s ? NULL : !*s ? "B" : read_word(&s, word);
    if (!name || *s)
        return fail_bytes(text, err);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (strcasecmp(sizes[i].name, name) != 0)
            continue;
        wide bytes = ((wide)f.number * sizes[i].size + f.scale - 1) / f.scale;
        if (bytes > INT64_MAX)
            return deja_fail(err, DEJA_ELIMIT, "'%s' is more than 8 EiB", text);
        *ret = (uint64_t)bytes;
        return 0;
    }
    return fail_bytes(text, err);
}

/* Whole units, and below a minute seconds with decimals. */
void deja_show_duration(int64_t ns, char text[32])
{
    int64_t left = ns > 0 ? ns / US_NS * US_NS : 0;
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < 3; i++) { /* d, h, m */
        if (left >= durations[i].size)
            len += (size_t)snprintf(text + len, 32 - len, "%lld%s", (long long)(left / durations[i].size),
                                    durations[i].name);
        left %= durations[i].size;
    }
    if (left == 0 && len)
        return;
    if (left && left < DEJA_S_NS && left % DEJA_MS_NS == 0) {
        snprintf(text + len, 32 - len, "%lldms", (long long)(left / DEJA_MS_NS));
        return;
    }
    if (left && left < DEJA_MS_NS) {
        snprintf(text + len, 32 - len, "%lldus", (long long)(left / US_NS));
        return;
    }
    int digits = 6;
    int64_t us = left % DEJA_S_NS / US_NS;
    for (; digits > 0 && us % 10 == 0; digits--)
        us /= 10;
    if (digits)
        snprintf(text + len, 32 - len, "%lld.%0*llds", (long long)(left / DEJA_S_NS), digits, (long long)us);
    else
        snprintf(text + len, 32 - len, "%llds", (long long)(left / DEJA_S_NS));
}
