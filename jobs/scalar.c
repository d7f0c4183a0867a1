/*
 * Types of scalars.
 */
#include "scalar.h"
#include "source.h"
#include "yaml_tree.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int is_one_of(const char *text, const char *const *words)
{
    while (*words && strcmp(*words, text) != 0)
        words++;
    return *words != NULL;
}

/* .inf and .nan in their spellings. */
static int special_of(const char *text, double *ret)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    if (is_one_of(text, nans)) {
        *ret = NAN;
        return 1;
    }
    int sign = *text == '-' || *text == '+';
    *ret = *text == '-' ? -INFINITY : INFINITY;
    return is_one_of(text + sign, infinities);
}

static int is_whole(const char *text)
{
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
        const char *digits = text[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567";
        return text[2] && !text[2 + strspn(text + 2, digits)];
    }
    text += *text == '-' || *text == '+';
    return *text && !text[strspn(text, "0123456789")];
}

/* What is above the largest i64. */
static int unsigned_of(const char *text, uint64_t *ret)
{
    int base = text[0] != '0' ? 10 : text[1] == 'x' ? 16 : text[1] == 'o' ? 8 : 10;
    char *end;
    errno = 0;
    *ret = *text == '-' ? 0 : strtoull(base == 8 ? text + 2 : text, &end, base);
    return *text != '-' && errno == 0;
}

static int too_large(const char *text, size_t len, deja_error *err)
{
    char word[SOURCE_WORD];
    return deja_fail(err, DEJA_ELIMIT, "the number %s is too large: in quotes it is a text",
                     source_word(word, text, len));
}

int scalar_of(const char *text, size_t len, deja_value *ret, deja_error *err)
{
    const yaml_node n = {.kind = YAML_SCALAR, .plain = 1, .text = text, .len = len};
    int truth;
    int64_t whole;
    uint64_t large;
    double real;
    if (yaml_is_null(&n))
        *ret = deja_null();
    else if (yaml_bool(&n, &truth))
        *ret = deja_bool(truth);
    else if (yaml_int(&n, &whole))
        *ret = deja_i64(whole);
    else if (is_whole(text) && unsigned_of(text, &large))
        *ret = deja_u64(large);
    else if (special_of(text, &real) || (!is_whole(text) && yaml_double(&n, &real)))
        *ret = deja_f64(real);
    else if (yaml_is_number(&n) || is_whole(text))
        return too_large(text, len, err);
    else
        *ret = deja_string_n(text, len);
    return 0;
}
