/*
 * Reading nodes of a tree: the types of YAML 1.2's core schema
 * (https://yaml.org/spec/1.2.2/#103-core-schema).
 */
#include "yaml_tree.h"
#include <deja/text.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int is_one_of(const yaml_node *n, const char *const *words)
{
    if (!n || n->kind != YAML_SCALAR || !n->plain)
        return 0;
    for (; *words; words++)
        if (strcmp(n->text, *words) == 0)
            return 1;
    return 0;
}

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static int is_number(const char *s)
{
    s += *s == '-' || *s == '+';
    size_t whole = digits(s), part = 0;
    s += whole;
    if (*s == '.') {
        part = digits(s + 1);
        s += 1 + part;
    }
    if (whole + part == 0)
        return 0;
    if (*s == 'e' || *s == 'E') {
        s += 1 + (s[1] == '-' || s[1] == '+');
        if (digits(s) == 0)
            return 0;
        s += digits(s);
    }
    return *s == '\0';
}

/* 0x1f and 0o17. */
static int parse_based(const char *s, int base, int64_t *ret)
{
    const char *allowed = base == 16 ? "0123456789abcdefABCDEF" : "01234567";
    if (!*s || s[strspn(s, allowed)])
        return 0;
    errno = 0;
    long long v = strtoll(s, NULL, base);
    if (errno)
        return 0;
    *ret = v;
    return 1;
}

const yaml_node *yaml_get(const yaml_node *map, const char *key)
{
    for (size_t i = 0; map->kind == YAML_MAP && i < map->count; i++)
        if (strcmp(map->pairs[i].key->text, key) == 0)
            return map->pairs[i].value;
    return NULL;
}

int yaml_is_null(const yaml_node *n)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return is_one_of(n, words);
}

int yaml_bool(const yaml_node *n, int *ret)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    int value = is_one_of(n, yes);
    if (!value && !is_one_of(n, no))
        return 0;
    *ret = value;
    return 1;
}

int yaml_int(const yaml_node *n, int64_t *ret)
{
    if (n->kind != YAML_SCALAR || !n->plain)
        return 0;
    if (n->text[0] == '0' && n->text[1] == 'x')
        return parse_based(n->text + 2, 16, ret);
    if (n->text[0] == '0' && n->text[1] == 'o')
        return parse_based(n->text + 2, 8, ret);
    return deja_text_int(n->text, ret) == 0;
}

int yaml_is_number(const yaml_node *n)
{
    return n->kind == YAML_SCALAR && n->plain && is_number(n->text);
}

int yaml_double(const yaml_node *n, double *ret)
{
    int64_t whole;
    if (n->kind != YAML_SCALAR || !n->plain)
        return 0;
    if (!is_number(n->text)) {
        if (!yaml_int(n, &whole))
            return 0;
        *ret = (double)whole;
        return 1;
    }
    /* The program may have set a locale that writes numbers with a comma. */
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c)
        return 0;
    double v = strtod_l(n->text, NULL, c);
    freelocale(c);
    if (!isfinite(v))
        return 0;
    *ret = v;
    return 1;
}
